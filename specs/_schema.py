"""The JSON Schema of a tree's data form, made from the same rules as the check."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import attrs

from specs._child import Backoff, ChildSpec, LuaStart, TaskStart
from specs._data import TYPES
from specs._fields import key_of, rule_of
from specs._repr import default_of
from specs._supervisor import DynamicSupervisorSpec, SupervisorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES: Mapping[type[Any], str] = {
    ChildSpec: "child",
    LuaStart: "lua",
    TaskStart: "task",
    Backoff: "backoff",
    **{cls: name for name, cls in TYPES.items()},
}
_FIELD_DOC = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a tree as `spec_from_data` reads it.

    What only the tree as a whole shows, such as ids used twice, is for `check_spec`.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A supervision tree",
        "anyOf": _either(SupervisorSpec, DynamicSupervisorSpec),
        "$defs": {name: _table(cls) for cls, name in _NAMES.items()},
    }


def _either(*classes: type[Any]) -> list[dict[str, str]]:
    return [{"$ref": f"#/$defs/{_NAMES[cls]}"} for cls in classes]


_PARTS: Mapping[str, Mapping[str, Any]] = {
    "start": {"anyOf": _either(LuaStart, TaskStart, SupervisorSpec, DynamicSupervisorSpec)},
    "backoff": _either(Backoff)[0],
    "children": {
        "type": "array",
        "items": {"anyOf": _either(ChildSpec, SupervisorSpec, DynamicSupervisorSpec)},
    },
}


def _table(cls: type[Any]) -> dict[str, Any]:
    docs = dict(_FIELD_DOC.findall(inspect.cleandoc(cls.__doc__ or "")))
    required = []
    properties: dict[str, Any] = {}
    if cls in TYPES.values():
        properties["type"] = {"const": _NAMES[cls]}
    if cls is DynamicSupervisorSpec:
        required.append("type")
    for field in attrs.fields(cls):
        rule = rule_of(field)
        entry = dict(_PARTS[field.name] if rule is None else rule.schema)
        if field.name in docs:
            entry["description"] = " ".join(docs[field.name].split())
        if field.default is attrs.NOTHING:
            required.append(key_of(field))
        elif rule is not None and not _is_computed(field):
            default = default_of(field, None)
            if default not in (None, (), {}):
                entry["default"] = rule.write(default)
        properties[key_of(field)] = entry
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _is_computed(field: attrs.Attribute[Any]) -> bool:
    return bool(getattr(field.default, "takes_self", False))
