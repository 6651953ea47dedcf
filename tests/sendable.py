"""What Hypothesis sends across, and what it must look like when it has come back."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from msgspec.structs import replace

from lua_api._values import Duration, Fault, Time

if TYPE_CHECKING:
    from collections.abc import Callable

INT64 = st.integers(-(2**63), 2**63 - 1)
SCALARS = st.one_of(
    st.none(), st.booleans(), INT64, st.floats(), st.text(max_size=40), st.binary(max_size=40)
)
VALUES = st.one_of(
    st.builds(Duration, INT64),
    st.builds(Time, INT64, INT64, st.text(max_size=9), INT64, st.text(max_size=9)),
    st.timedeltas(timedelta(days=-100_000), timedelta(days=100_000)),
    st.datetimes(timezones=st.sampled_from(["UTC", "Europe/Berlin"]).map(zoneinfo.ZoneInfo)),
)
_KEYS = st.one_of(
    st.text(max_size=9),
    st.binary(max_size=9),
    INT64,
    st.integers(1, 3),
    st.floats(allow_nan=False),
    st.booleans(),
)


def _containers(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    listed = st.lists(items.filter(lambda item: item is not None), max_size=5)
    return st.one_of(
        listed,
        listed.map(tuple),
        st.dictionaries(_KEYS, items, max_size=5).map(_without_twins),
        st.builds(
            Fault,
            message=st.text(max_size=9),
            kind=st.text(max_size=9),
            retryable=st.none() | st.booleans(),
            details=items,
            stack=st.none() | st.text(max_size=9),
            context=st.lists(st.text(max_size=9), max_size=2).map(tuple),
        ),
    )


def text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _without_twins(items: dict[Any, Any]) -> dict[Any, Any]:
    return {
        key: item
        for key, item in items.items()
        if not isinstance(key, bytes)
        or text_or_bytes(key) == key
        or text_or_bytes(key) not in items
    }


TERMS = st.recursive(SCALARS | VALUES, _containers, max_leaves=12)


def normal(value: Any) -> Any:
    """What a value is after it was in Lua."""
    for kind, rule in _RULES.items():
        if isinstance(value, kind):
            return rule(value)
    return value


def _normal_dict(items: dict[Any, Any]) -> Any:
    table = {_normal_key(key): normal(item) for key, item in items.items() if item is not None}
    length = len(table)
    if length and {(int, n) for n in range(1, length + 1)} == {(type(k), k) for k in table}:
        return [table[n] for n in range(1, length + 1)]
    return table


_RULES: dict[Any, Callable[[Any], Any]] = {
    bytes: text_or_bytes,
    timedelta: Duration.from_timedelta,
    datetime: Time.from_datetime,
    Fault: lambda fault: replace(fault, details=normal(fault.details)),
    list | tuple: lambda items: [normal(item) for item in items] or {},
    dict: _normal_dict,
}


def _normal_key(key: Any) -> Any:
    if isinstance(key, float) and key.is_integer() and -(2**63) <= key < 2**63:
        return int(key)
    return normal(key)


def exact(value: Any) -> Any:
    """A form in which == means the same value of the same type (1, 1.0, True, nan, -0.0)."""
    if isinstance(value, list):
        return ("list", [exact(item) for item in value])
    if isinstance(value, dict):
        items = [(exact(key), exact(item)) for key, item in value.items()]
        return ("dict", sorted(items, key=repr))
    if isinstance(value, Fault):
        rest = (value.message, value.kind, value.retryable, value.stack, value.context)
        return ("fault", rest, exact(value.details))
    return (type(value).__name__, repr(value))
