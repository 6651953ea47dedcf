"""Python values as MessagePack and back: the one place that says what may cross to Lua.

Knows no Lua state. `lua/kernel/wire.lua` is the other end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias, cast

from msgspec import msgpack

from lua_api._errors import TermError
from lua_api._values import Duration, Fault, Term, Time

__all__ = ["MAX_DEPTH", "Term", "as_text", "decode", "encode", "encode_list"]

MAX_DEPTH = 500
"""How deep values may nest; `lua/kernel/refuse.lua` has the same number and the reason."""

_FAULT, _TIME, _DURATION = 1, 2, 3
_MIN_INT, _MAX_INT = -(2**63), 2**63 - 1
_AS_IT_IS = frozenset({type(None), bool, float, bytes})

# Where a value is: where its container is, its key there, and the container. None is the root.
# `_plain_*` functions take a value, its place and its level of nesting, and return what msgspec is
# to write: exact builtin types and extensions.
_Place: TypeAlias = "tuple[_Place, object, object] | None"
_Writer: TypeAlias = Callable[[Any, _Place, int], object]


class _RefusedError(Exception):
    def __init__(self, place: _Place, value: object, problem: str) -> None:
        super().__init__(problem)
        self.place, self.value, self.problem = place, value, problem


def _plain(value: object, place: _Place, depth: int) -> object:
    return _WRITERS.get(type(value), _plain_other)(value, place, depth)


def _same(value: object, _place: _Place, _depth: int) -> object:
    return value


def _plain_int(value: int, place: _Place, _depth: int) -> int:
    if _MIN_INT <= value <= _MAX_INT:
        return value
    raise _RefusedError(place, value, "int beyond 64 bits cannot be sent; send a float or a str")


def _plain_str(value: str, place: _Place, _depth: int) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            problem = "str with a lone surrogate cannot be sent; encode it and send the bytes"
            raise _RefusedError(place, value, problem) from None
    return value


def _plain_list(items: Sequence[Any], place: _Place, depth: int) -> list[object]:
    _check_depth(items, place, depth)
    plain: list[object] = []
    for index, item in enumerate(items):
        kind = type(item)
        if item is None:
            problem = "None in a list cannot be sent, as no list of Lua holds nil; leave it out"
            raise _RefusedError((place, index, items), item, problem)
        if kind in _AS_IT_IS or (kind is int and _MIN_INT <= item <= _MAX_INT):
            plain.append(item)
        else:
            write = _WRITERS.get(kind, _plain_other)
            plain.append(write(item, (place, index, items), depth + 1))
    return plain


def _plain_dict(items: dict[object, Any], place: _Place, depth: int) -> dict[object, object]:
    _check_depth(items, place, depth)
    plain: dict[object, object] = {}
    for key, item in items.items():
        if item is None:  # to Lua, a key with nil is a key that is not there
            continue
        kind = type(item)
        lua_key = key if type(key) is str and key.isascii() else _plain_key(key, items, place)
        if kind in _AS_IT_IS or (kind is int and _MIN_INT <= item <= _MAX_INT):
            plain[lua_key] = item
        else:
            write = _WRITERS.get(kind, _plain_other)
            plain[lua_key] = write(item, (place, key, items), depth + 1)
    return plain


def _plain_key(key: object, items: dict[object, object], place: _Place) -> object:
    if not isinstance(key, str | bytes | int | float):
        problem = (
            f"{_name(key)} as a key cannot be sent; keys must be str, bytes, int, float or bool"
        )
        raise _RefusedError(place, key, problem)
    if isinstance(key, float) and math.isnan(key):
        raise _RefusedError(place, key, "nan as a key cannot be sent; Lua tables have no such key")
    if isinstance(key, bytes):
        twin = _text(key)
        if isinstance(twin, str) and items.get(twin) is not None:
            problem = f"the keys {twin!r} and {key!r} are the same key in Lua; keep one"
            raise _RefusedError(place, key, problem)
    return _plain(key, (place, key, items), 0)


def _plain_fault(fault: Fault, place: _Place, depth: int) -> msgpack.Ext:
    _check_depth(fault, place, depth + (2 if fault.context else 1))
    context = (place, "context", fault)
    fields = {
        "message": _escaped(fault.message, (place, "message", fault)),
        "kind": _escaped(fault.kind, (place, "kind", fault)),
        "retryable": fault.retryable,
        "details": _plain(fault.details, (place, "details", fault), depth + 2),
        "stack": None if fault.stack is None else _escaped(fault.stack, (place, "stack", fault)),
        "context": [
            _escaped(text, (context, index, fault.context))
            for index, text in enumerate(fault.context)
        ]
        or None,
    }
    return _extension(_FAULT, {key: item for key, item in fields.items() if item is not None})


def _plain_time(time: Time, place: _Place, depth: int) -> msgpack.Ext:
    _check_depth(time, place, depth + 1)
    fields = [
        _plain_int(time.seconds, (place, "seconds", time), depth),
        _plain_int(time.nanoseconds, (place, "nanoseconds", time), depth),
        _escaped(time.zone, (place, "zone", time)),
        _plain_int(time.offset, (place, "offset", time), depth),
        _escaped(time.abbreviation, (place, "abbreviation", time)),
    ]
    return _extension(_TIME, fields)


def _plain_duration(duration: Duration, place: _Place, depth: int) -> msgpack.Ext:
    _check_depth(duration, place, depth)
    where = (place, "nanoseconds", duration)
    return _extension(_DURATION, _plain_int(duration.nanoseconds, where, depth))


def _plain_datetime(moment: datetime, place: _Place, depth: int) -> msgpack.Ext:
    if moment.utcoffset() is None:
        problem = "naive datetime cannot be sent, as it names no moment; give it a tzinfo"
        raise _RefusedError(place, moment, problem)
    return _plain_time(Time.from_datetime(moment), place, depth)


def _plain_timedelta(span: timedelta, place: _Place, depth: int) -> msgpack.Ext:
    return _plain_duration(Duration.from_timedelta(span), place, depth)


def _plain_other(value: object, place: _Place, depth: int) -> object:
    for base, convert, write in _BASES:
        if isinstance(value, base):
            return write(convert(value), place, depth)
    advice = next((text for kinds, text in _ADVICE if isinstance(value, kinds)), _GENERAL_ADVICE)
    raise _RefusedError(place, value, f"{_name(value)} cannot be sent; {advice}")


def _extension(tag: int, data: object) -> msgpack.Ext:
    return msgpack.Ext(tag, _ENCODER.encode(data))


def _escaped(text: str, place: _Place) -> str | bytes:
    """Text of Lua, whose bytes that are not UTF-8 stand as surrogate escapes."""
    if text.isascii():
        return text
    try:
        return _text(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return _plain_str(text, place, 0)


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _name(value: object) -> str:
    return type(value).__qualname__


def _check_depth(value: object, place: _Place, depth: int) -> None:
    """Refuse what nests too deep; so ends, too, what contains itself."""
    if depth <= MAX_DEPTH:
        return
    chain = [(place, value)]
    while place is not None:
        chain.append((place[0], place[2]))
        place = place[0]
    seen: set[int] = set()
    for where, container in reversed(chain):
        if id(container) in seen:
            problem = f"{_name(container)} that contains itself cannot be sent"
            raise _RefusedError(where, container, problem)
        seen.add(id(container))
    raise _RefusedError(None, value, f"nested more than {MAX_DEPTH} levels deep; send it flatter")


def _steps(place: _Place) -> str:
    steps = []
    while place is not None:
        place, key, container = place
        steps.append(f".{key}" if isinstance(container, Fault | Time | Duration) else f"[{key!r}]")
    return "".join(reversed(steps))


_WRITERS: dict[type, _Writer] = {
    **dict.fromkeys(_AS_IT_IS, _same),
    int: _plain_int,
    str: _plain_str,
    list: _plain_list,
    tuple: _plain_list,
    dict: _plain_dict,
    Fault: _plain_fault,
    Time: _plain_time,
    Duration: _plain_duration,
    datetime: _plain_datetime,
    timedelta: _plain_timedelta,
}

# Subclasses go as what they extend, read by the base's own methods: theirs may say something else.
_BASES: tuple[tuple[type, Callable[[Any], object], _Writer], ...] = (
    (str, str.__str__, _plain_str),
    (int, int.__int__, _plain_int),
    (float, float.__float__, _same),
    (bytes, lambda value: bytes(memoryview(value)), _same),
    (dict, lambda value: value, _plain_dict),
    (Mapping, dict, _plain_dict),
    (list, lambda value: value, _plain_list),
    (tuple, lambda value: value, _plain_list),
    (datetime, lambda value: value, _plain_datetime),
    (timedelta, lambda value: value, _plain_timedelta),
)

_GENERAL_ADVICE = "send what it holds as a dict, list, str or number"
_ADVICE: tuple[tuple[type | tuple[type, ...], str], ...] = (
    ((set, frozenset), "send a list"),
    ((bytearray, memoryview), "send bytes"),
    (Enum, "send its value"),
    (Decimal, "send a str or a float"),
)


def _encode(write: Callable[[], object], value: object, path: str) -> bytes:
    try:
        return _ENCODER.encode(write())
    except _RefusedError as refused:
        raise TermError(path + _steps(refused.place), refused.value, refused.problem) from None
    except RecursionError:
        problem = "nested more deeply than the stack of the caller has room for; send it flatter"
        raise TermError(path, value, problem) from None


def encode(value: Term, path: str = "payload") -> bytes:
    """A value as the bytes that Lua reads.

    Lists and tuples become Lua lists, dicts become tables (an entry whose value is `None` is left
    out), str and bytes become strings, timedelta a Duration, an aware datetime a Time. Instances
    of subclasses go as the builtin type they extend.

    Args:
        value: What to send. It is copied, and may nest 500 levels deep.
        path: What errors call the value.

    Raises:
        TermError: It holds something that cannot be sent.
    """
    return _encode(lambda: _plain(value, None, 1), value, path)


def _are_plain(values: Sequence[Term]) -> bool:
    """Whether these are all sent as they are: what most processes get as arguments."""
    for value in values:
        kind = type(value)
        if kind is str:
            if not value.isascii():  # type: ignore[union-attr]
                return False
        elif kind is int:
            if not _MIN_INT <= value <= _MAX_INT:  # type: ignore[operator]
                return False
        elif kind not in _AS_IT_IS:
            return False
    return True


def encode_list(values: Sequence[Term], path: str = "payload") -> bytes:
    """Values as the bytes of a list in which, unlike in a list inside a value, `None` may stand.

    Args:
        values: What to send, such as the arguments of a function.
        path: What errors call the list.

    Raises:
        TermError: One of them holds something that cannot be sent.
    """
    if _are_plain(values):
        return _ENCODER.encode(values)

    def write() -> list[object]:
        return [_plain(item, (None, index, values), 2) for index, item in enumerate(values)]

    return _encode(write, values, path)


def decode(data: bytes) -> Term:
    """The value that Lua wrote.

    A table whose keys are 1 to n is a list, any other (also the empty one) a dict; a string is a
    str if it is UTF-8, otherwise bytes.
    """
    return cast("Term", _DECODER.decode(data))


def _read_extension(tag: int, data: memoryview) -> Fault | Time | Duration:
    fields = _DECODER.decode(data)
    if tag == _FAULT:
        return Fault(
            message=as_text(fields["message"]),
            kind=as_text(fields.get("kind", "")),
            retryable=fields.get("retryable"),
            details=fields.get("details"),
            stack=as_text(fields["stack"]) if "stack" in fields else None,
            context=tuple(map(as_text, fields.get("context", ()))),
        )
    if tag == _TIME:
        seconds, nanoseconds, zone, offset, abbreviation = fields
        return Time(seconds, nanoseconds, as_text(zone), offset, as_text(abbreviation))
    if tag == _DURATION:
        return Duration(fields)
    raise ValueError(f"no value has the extension tag {tag}")


def as_text(text: str | bytes) -> str:
    """Text of Lua, as it was decoded; bytes that are not UTF-8 stand as surrogate escapes."""
    return text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")


_ENCODER = msgpack.Encoder()
_DECODER = msgpack.Decoder(ext_hook=_read_extension)
