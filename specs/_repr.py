"""Short reprs: a spec prints as the call that makes it, without what is left at its default."""

from __future__ import annotations

from enum import Enum
from typing import Any

import attrs


def spec_repr(spec: Any) -> str:  # noqa: ANN401 - any attrs instance
    """The constructor call, positional fields first, defaults left out."""
    parts = []
    for attribute in attrs.fields(type(spec)):
        value = getattr(spec, attribute.name)
        if value == default_of(attribute, spec):
            continue
        shown = show(value)
        parts.append(f"{attribute.name}={shown}" if attribute.kw_only else shown)
    return f"{type(spec).__name__}({', '.join(parts)})"


def default_of(attribute: attrs.Attribute[Any], spec: Any) -> Any:  # noqa: ANN401
    """What the field would hold had it not been given; `attrs.NOTHING` where it must be."""
    default: Any = attribute.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class at run time
        return default.factory(spec) if default.takes_self else default.factory()
    return default


def show(value: object) -> str:
    """The repr; enums as they are written, children without the tuple's last comma."""
    if isinstance(value, Enum) and type(value).__repr__ is Enum.__repr__:
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(show, value))}]"
    return repr(value)
