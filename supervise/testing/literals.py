"""Plain values as Lua source."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lua_api import Term


def lua_literal(value: Term) -> str:  # noqa: PLR0911 - one case a type
    """A plain value as Lua source.

    Raises:
        ValueError: The value has no literal: a time, a duration or an error.
    """
    match value:
        case None:
            return "nil"
        case bool():
            return str(value).lower()
        case int():
            return "math.mininteger" if value == -(2**63) else str(value)
        case float():
            return _float(value)
        case str() | bytes():
            return _quoted(value if isinstance(value, bytes) else value.encode())
        case list() | tuple():
            return "{ " + ", ".join(map(lua_literal, value)) + " }"
        case dict():
            items = (f"[{lua_literal(key)}] = {lua_literal(item)}" for key, item in value.items())
            return "{ " + ", ".join(items) + " }"
    raise ValueError(f"no Lua literal for {value!r}: send plain values from a program")


def _float(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "0/0" if math.isnan(value) else f"{'-' * (value < 0)}math.huge"


_PRINTABLE = range(32, 127)


def _quoted(text: bytes) -> str:
    plain = "".join(
        chr(code) if code in _PRINTABLE and chr(code) not in '"\\' else f"\\{code:03d}"
        for code in text
    )
    return f'"{plain}"'
