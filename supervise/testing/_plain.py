"""Values of both languages as plain data that prints the same in every run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lua_api import as_text
from specs import ExitReason


def plain(value: object) -> Any:  # noqa: ANN401 - data of any kind
    """The value as JSON can hold it.

    Keys of mappings become text and are sorted, as the order in which Lua walks a table differs
    between runs; bytes and everything that is no plain data become text.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return as_text(value)
    if isinstance(value, Mapping):
        return {key: plain(value[raw]) for key, raw in sorted((_key(raw), raw) for raw in value)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return text_of(value)


def _key(key: object) -> str:
    return as_text(key) if isinstance(key, bytes) else str(key)


def text_of(error: object) -> str:
    """An error in words; an exception with its type."""
    if isinstance(error, BaseException):
        return f"{type(error).__name__}: {error}"
    return str(error)


def plain_reason(reason: ExitReason) -> ExitReason:
    """The reason with its error as text."""
    if reason.error is None or isinstance(reason.error, str):
        return reason
    return ExitReason(reason.kind, text_of(reason.error))
