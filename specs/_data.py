"""Specs as plain dicts, for trees kept in TOML or JSON. Knows no file format.

A child's `start` is `{lua = "module:function", args = [...], host = "..."}`,
`{task = "package.module:function", args = [...]}`, or a supervisor. A supervisor is the table of
its fields; a dynamic one says `type = "dynamic_supervisor"`. As a child it may stand in the list
as it is.
"""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from specs._check import AnySupervisorSpec, find_child_faults, find_faults
from specs._child import Backoff, ChildSpec, LuaStart, TaskStart, task_reference
from specs._errors import SpecError
from specs._field_faults import did_you_mean
from specs._fields import key_of, rule_of
from specs._host import HostSpec
from specs._supervisor import DynamicSupervisorSpec, SupervisorSpec

TYPES: Mapping[str, type[Any]] = {
    "supervisor": SupervisorSpec,
    "dynamic_supervisor": DynamicSupervisorSpec,
}
"""What a supervisor's `type` may say."""

_NOUNS: Mapping[type[Any], str] = {
    ChildSpec: "a child",
    LuaStart: "a Lua start",
    TaskStart: "a task start",
    Backoff: "a backoff",
    SupervisorSpec: "a supervisor",
    DynamicSupervisorSpec: "a dynamic supervisor",
    HostSpec: "a host",
}


def spec_from_data(
    data: Mapping[str, Any], also: Callable[[LuaStart], Iterable[str]] = lambda _: ()
) -> AnySupervisorSpec:
    """Read a tree from plain data and check it as a whole.

    Functions that it names are imported.

    Args:
        data: What a TOML or JSON file with a tree holds.
        also: What else is wrong with a Lua start (see `check_spec`).

    Raises:
        SpecError: With one line for every fault, unknown keys included.
    """
    reader = _Reader()
    spec: AnySupervisorSpec = reader.supervisor(data)
    reader.check(spec, also)
    return spec


def child_from_data(data: Mapping[str, Any], under: AnySupervisorSpec) -> ChildSpec:
    """Read a child from plain data and check it as `check_child` does.

    Functions that it names are imported.

    Args:
        data: A child, or a supervisor as it is, as the list `children` of a tree has it.
        under: The supervisor it is for.

    Raises:
        SpecError: With one line for every fault, unknown keys included.
    """
    reader = _Reader()
    child: ChildSpec = reader.child(data)
    reader.check_child(child, under)
    return child


def child_to_data(child: ChildSpec) -> dict[str, Any]:
    """Write a child as plain data that leaves out defaults (see `spec_to_data`).

    Raises:
        SpecError: If something in it cannot be named in data.
    """
    faults: list[str] = []
    _find_unwritable(child, child.id, faults)
    if faults:
        raise SpecError(faults)
    data: dict[str, Any] = _unstructuring().unstructure(child)
    return data


def host_from_data(data: Mapping[str, Any]) -> HostSpec:
    """Read a host from plain data and check it.

    Args:
        data: The fields of a `HostSpec`.

    Raises:
        SpecError: With one line for every fault, unknown keys included.
    """
    reader = _Reader()
    spec: HostSpec = reader.read(data, HostSpec)
    reader.check(spec)
    return spec


def spec_to_data(spec: AnySupervisorSpec | HostSpec) -> dict[str, Any]:
    """Write a tree, or a host, as plain data that leaves out defaults.

    Args:
        spec: A spec that `check_spec` accepts.

    Raises:
        SpecError: If something in it cannot be named in data: a function that no import finds, an
            argument that is not plain data.
    """
    faults: list[str] = []
    _find_unwritable(spec, spec.name if isinstance(spec, HostSpec) else spec.id, faults)
    if faults:
        raise SpecError(faults)
    data: dict[str, Any] = _unstructuring().unstructure(spec)
    return data


class _Reader:
    """Turns tables into specs without judging their values: the check does, with its paths."""

    def __init__(self) -> None:
        self._misread: dict[int, list[str]] = {}
        self._parts: Mapping[str, Callable[[Any], Any]] = {
            "start": self._start,
            "backoff": lambda data: self.read(data, Backoff),
            "children": self._children,
        }

    def read(self, data: Any, cls: type[Any]) -> Any:  # noqa: ANN401
        """One spec; data that is no table stays as it is."""
        if not isinstance(data, Mapping):
            return data
        fields = {key_of(field): field for field in attrs.fields(cls)}
        known = {
            key: self._parts.get(key, _same)(value) for key, value in data.items() if key in fields
        }
        faults = [
            f"{key}: is not a key of {_NOUNS[cls]}{did_you_mean(key, fields)}"
            for key in data
            if key not in fields
        ]
        for key, field in fields.items():
            if field.default is attrs.NOTHING:
                known.setdefault(key, attrs.NOTHING)
        if cls is TaskStart:
            known["task"] = _resolve(known["task"], faults)
        spec = _structuring().structure(known, cls)
        if faults:
            self._misread[id(spec)] = faults
        return spec

    def check(
        self,
        spec: AnySupervisorSpec | HostSpec,
        also: Callable[[LuaStart], Iterable[str]] = lambda _: (),
    ) -> None:
        """Report the faults of what was read together with those of the reading."""
        faults = find_faults(spec, self._misread, also)
        if faults:
            raise SpecError(faults)

    def check_child(self, child: ChildSpec, under: AnySupervisorSpec) -> None:
        """The same for a child that is to be added."""
        faults = find_child_faults(child, under, self._misread)
        if faults:
            raise SpecError(faults)

    def supervisor(self, data: Any) -> Any:  # noqa: ANN401
        """A supervisor of the type that its table says."""
        if not isinstance(data, Mapping):
            return data
        kind = data.get("type", "supervisor")
        cls = TYPES.get(kind) if isinstance(kind, str) else None
        spec = self.read(
            {key: value for key, value in data.items() if key != "type"}, cls or SupervisorSpec
        )
        if cls is None:
            self._misread.setdefault(id(spec), []).append(
                f"type: must be one of {', '.join(TYPES)}, got {kind!r}{did_you_mean(kind, TYPES)}"
            )
        return spec

    def _children(self, data: Any) -> Any:  # noqa: ANN401
        if not isinstance(data, list | tuple):
            return data
        return [self._listed(child) for child in data]

    def _listed(self, data: Any) -> Any:  # noqa: ANN401
        if (
            isinstance(data, Mapping)
            and "start" not in data
            and ("type" in data or "children" in data)
        ):
            return self.supervisor(data)
        return self.read(data, ChildSpec)

    def child(self, data: Any) -> Any:  # noqa: ANN401
        """A child, or a supervisor as it is."""
        listed = self._listed(data)
        if isinstance(listed, SupervisorSpec | DynamicSupervisorSpec):
            return ChildSpec(listed.id, listed)
        return listed

    def _start(self, data: Any) -> Any:  # noqa: ANN401
        if not isinstance(data, Mapping):
            return data
        if "lua" in data:
            return self.read(data, LuaStart)
        if "task" in data:
            return self.read(data, TaskStart)
        return self.supervisor(data) if "id" in data else data


def _same(value: Any) -> Any:  # noqa: ANN401
    return value


@functools.cache
def _structuring() -> cattrs.Converter:
    """Makes specs of tables in which the specs below are made already."""
    converter = cattrs.Converter(detailed_validation=False)
    for cls in _NOUNS:
        fields = {}
        for field in attrs.fields(cls):
            rule = rule_of(field)
            fields[field.name] = override(
                rename=key_of(field), struct_hook=_hook(_same if rule is None else rule.read)
            )
        converter.register_structure_hook(
            cls,
            make_dict_structure_fn(
                cls,
                converter,
                _cattrs_detailed_validation=False,
                **fields,  # type: ignore[arg-type]
            ),
        )
    return converter


def _hook(read: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _type: read(value)


async def _not_found() -> None:
    """Stands for a function whose absence is already reported."""


def _resolve(reference: Any, faults: list[str]) -> Any:  # noqa: ANN401
    if not isinstance(reference, str) or ":" not in reference:
        return reference
    try:
        return pkgutil.resolve_name(reference)
    except (ImportError, AttributeError, ValueError) as error:
        faults.append(f"task: {reference!r} cannot be found: {error}")
    except Exception as error:  # noqa: BLE001 - it is code of the user that runs here
        faults.append(f"task: {reference!r} cannot be imported: {type(error).__name__}: {error}")
    return _not_found


@functools.cache
def _unstructuring() -> cattrs.Converter:
    converter = cattrs.Converter(omit_if_default=True)

    def write_start(start: Any) -> Any:  # noqa: ANN401
        return converter.unstructure(start, type(start))

    def write_child(child: ChildSpec) -> dict[str, Any]:
        data: dict[str, Any]
        if child.is_supervisor and child == ChildSpec(child.id, child.start):
            # As it was listed; `type` tells it from a child whose start was forgotten.
            data = {"type": "supervisor", **write_start(child.start)}
        else:
            data = converter.unstructure(child)
        return data

    parts: dict[str, Callable[[Any], Any]] = {
        "start": write_start,
        "backoff": converter.unstructure,
        "children": lambda children: [write_child(child) for child in children],
    }
    for cls in _NOUNS:
        fields = {}
        for field in attrs.fields(cls):
            rule = rule_of(field)
            write = parts[field.name] if rule is None else _PLAIN.get(field.name, rule.write)
            fields[field.name] = override(rename=key_of(field), unstruct_hook=write)
        base = make_dict_unstructure_fn(
            cls,
            converter,
            _cattrs_omit_if_default=True,
            **fields,  # type: ignore[arg-type]
        )
        converter.register_unstructure_hook(cls, _tagged(base, cls))
    return converter


def _tagged(base: Callable[[Any], dict[str, Any]], cls: type[Any]) -> Callable[[Any], Any]:
    if cls is not DynamicSupervisorSpec:
        return base
    return lambda spec: {"type": "dynamic_supervisor", **base(spec)}


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


_PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "args": _plain,
    "extra_arguments": _plain,
    "labels": _plain,
    "fn": task_reference,
}


def _find_unwritable(spec: Any, path: str, faults: list[str]) -> None:  # noqa: ANN401
    match spec:
        case SupervisorSpec():
            for child in spec.children:
                _find_unwritable(child, f"{path}/{child.id}", faults)
        case ChildSpec():
            below = path if spec.is_supervisor else f"{path}.start"
            _find_unwritable(spec.start, below, faults)
        case DynamicSupervisorSpec():
            _find_not_plain(spec.extra_arguments, f"{path}.extra_arguments", faults)
        case LuaStart():
            _find_not_plain(spec.args, f"{path}.args", faults)
        case TaskStart():
            if task_reference(spec.fn) is None:
                faults.append(
                    f"{path}.task: {spec.fn!r} has no name that an import finds; "
                    "move it to the top level of a module"
                )
            _find_not_plain(spec.args, f"{path}.args", faults)


def _find_not_plain(value: Any, path: str, faults: list[str]) -> None:  # noqa: ANN401
    match value:
        case list() | tuple():
            for position, part in enumerate(value):
                _find_not_plain(part, f"{path}[{position}]", faults)
        case dict():
            for key, part in value.items():
                if not isinstance(key, str):
                    faults.append(f"{path}: a key must be a string in data, got {key!r}")
                _find_not_plain(part, f"{path}.{key}", faults)
        case None | bool() | int() | float() | str():
            pass
        case _:
            faults.append(f"{path}: {value!r} is not plain data")
