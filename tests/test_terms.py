"""Python values on their way to Lua and back."""

from __future__ import annotations

import collections
import enum
import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lua_api._errors import TermError
from lua_api._terms import MAX_DEPTH, decode, encode, encode_list
from lua_api._values import Duration, Fault, Time
from specs import SuperviseError
from supervise.testing.payloads import exact, normal, payloads
from tests.kernel_state import call, open_state

STATE = open_state()
ECHO = call(STATE, "return function(bytes) return assert(wire.encode(wire.decode(bytes))) end")


def echoed(value):
    return decode(ECHO(encode(value)))


def nested(levels, innermost=None):
    value = innermost
    for _ in range(levels):
        value = {"x": value} if value is None else [value]
    return value


@settings(max_examples=100, deadline=None)
@given(payloads())
@example({1: "a", 2: "b"})
@example({1.0: "a", 2: "b"})
@example({True: "a"})
@example({1: None, 2: "b"})
@example([[], (), {}, -0.0, math.nan, math.inf, -math.inf, 2**53 + 1, 1.0])
@example(Fault("m", details={"cause": Fault("n", context=("a", "b"))}))
def test_what_comes_back_from_lua_is_the_normal_form_of_what_was_sent(value):
    assert exact(echoed(value)) == exact(normal(value))


@pytest.mark.parametrize("size", [0, 15, 16, 31, 32, 255, 256, 65535, 65536])
def test_every_form_of_length_is_read_and_written(size):
    assert echoed("x" * size) == "x" * size
    assert echoed(b"\xff" * size) == (b"\xff" * size or "")
    assert echoed([7] * size) == ([7] * size or {})
    assert echoed({f"k{n}": n for n in range(size)}) == {f"k{n}": n for n in range(size)}
    fault = Fault("x" * size)
    assert echoed(fault) == fault


@pytest.mark.parametrize("bits", [0, 5, 7, 8, 15, 16, 31, 32, 53, 62, 63])
def test_integers_are_exact_at_every_width(bits):
    edges = [sign * 2**bits + step for sign in (1, -1) for step in (-1, 0, 1)]
    edges = [edge for edge in edges if -(2**63) <= edge < 2**63]
    assert exact(echoed(edges)) == exact(edges)


def test_ten_megabytes_cross():
    value = {"blob": b"\xff" * 10_000_000, "numbers": list(range(90_000))}
    assert echoed(value) == value


def test_the_bytes_of_a_string_are_not_changed():
    every_byte = bytes(range(256))
    assert call(STATE, "return wire.decode(...)", encode(every_byte)) == every_byte
    assert echoed(every_byte) == every_byte


class Colour(enum.IntEnum):
    RED = 3


class Name(str):
    __slots__ = ()

    def __str__(self):
        return "something else"


@pytest.mark.parametrize(
    ("given_value", "sent"),
    [
        (Colour.RED, 3),
        (Name("a"), "a"),
        ({Name("a"): Name("b")}, {"a": "b"}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": (1, 2)}), {"a": [1, 2]}),
        (collections.namedtuple("Point", "x y")(1, 2), [1, 2]),  # noqa: PYI024
        (timedelta(microseconds=-1), Duration(-1000)),
        (datetime(1969, 12, 31, 23, 59, 59, 500_000, UTC), Time(-1, 500_000_000)),
        (
            datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")),
            Time(1_719_828_000, 0, "Europe/Berlin", 7200, "CEST"),
        ),
    ],
)
def test_a_value_goes_as_what_it_extends(given_value, sent):
    assert exact(decode(encode(given_value))) == exact(sent)


class Custom:
    pass


FUNCTION = len
NO_ADVICE = "send what it holds as a dict, list, str or number"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (FUNCTION, f"payload: builtin_function_or_method cannot be sent; {NO_ADVICE}"),
        (Custom, f"payload: type cannot be sent; {NO_ADVICE}"),
        ({"a": [1, Custom()]}, f"payload['a'][1]: Custom cannot be sent; {NO_ADVICE}"),
        ({"a": {1}}, "payload['a']: set cannot be sent; send a list"),
        ((bytearray(),), "payload[0]: bytearray cannot be sent; send bytes"),
        (Decimal(1), "payload: Decimal cannot be sent; send a str or a float"),
        (1j, f"payload: complex cannot be sent; {NO_ADVICE}"),
        (
            {"a": [None]},
            (
                "payload['a'][0]: None in a list cannot be sent, as no list of Lua holds nil;"
                " leave it out"
            ),
        ),
        (2**63, "payload: int beyond 64 bits cannot be sent; send a float or a str"),
        ([-(2**63) - 1], "payload[0]: int beyond 64 bits cannot be sent; send a float or a str"),
        (
            {2**64: 1},
            (
                "payload[18446744073709551616]: int beyond 64 bits cannot be sent;"
                " send a float or a str"
            ),
        ),
        (
            ["\ud800"],
            "payload[0]: str with a lone surrogate cannot be sent; encode it and send the bytes",
        ),
        (
            {"\ud800": 1},
            (
                "payload['\\ud800']: str with a lone surrogate cannot be sent;"
                " encode it and send the bytes"
            ),
        ),
        (
            {"a": {(1, 2): 3}},
            (
                "payload['a']: tuple as a key cannot be sent;"
                " keys must be str, bytes, int, float or bool"
            ),
        ),
        ({math.nan: 1}, "payload: nan as a key cannot be sent; Lua tables have no such key"),
        ({"a": 1, b"a": 2}, "payload: the keys 'a' and b'a' are the same key in Lua; keep one"),
        (
            datetime(2024, 1, 1),  # noqa: DTZ001
            "payload: naive datetime cannot be sent, as it names no moment; give it a tzinfo",
        ),
        (Fault("m", details=[set()]), "payload.details[0]: set cannot be sent; send a list"),
        (
            Duration(2**63),
            "payload.nanoseconds: int beyond 64 bits cannot be sent; send a float or a str",
        ),
        (
            Time(0, offset=2**63),
            "payload.offset: int beyond 64 bits cannot be sent; send a float or a str",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_path(value, message):
    with pytest.raises(TermError) as caught:
        encode(value)
    assert str(caught.value) == message
    assert message.startswith(caught.value.path + ": ")


def test_the_error_carries_the_value_and_is_of_both_families():
    culprit = Custom()
    with pytest.raises(SuperviseError) as caught:
        encode({"a": culprit}, "argument 2")
    assert isinstance(caught.value, TypeError)
    assert caught.value.path == "argument 2['a']"  # type: ignore[attr-defined]
    assert caught.value.value is culprit  # type: ignore[attr-defined]


def test_entries_without_a_value_are_left_out_and_collide_with_nothing():
    assert decode(encode({"a": None, b"a": 1, "b": None})) == {b"a": 1}


def test_a_list_that_contains_itself_is_refused():
    inner = {"n": 1}
    inner["self"] = [inner]
    with pytest.raises(TermError) as caught:
        encode({"a": inner})
    assert str(caught.value) == (
        "payload['a']['self'][0]: dict that contains itself cannot be sent"
    )


def test_a_fault_that_contains_itself_is_refused():
    details = {}
    details["cause"] = Fault("m", details=details)
    with pytest.raises(TermError) as caught:
        encode(details["cause"])
    assert caught.value.path == "payload.details['cause']"


def test_the_same_value_may_stand_in_two_places():
    shared = [1, 2]
    assert decode(encode([shared, {"a": shared}])) == [[1, 2], {"a": [1, 2]}]


def test_values_nest_to_the_limit_and_no_deeper():
    assert echoed(nested(MAX_DEPTH, 1)) == nested(MAX_DEPTH, 1)
    with pytest.raises(TermError) as caught:
        encode(nested(MAX_DEPTH + 1, 1))
    assert str(caught.value) == "payload: nested more than 500 levels deep; send it flatter"


@pytest.mark.parametrize("value", [Time(0), Fault("m")])
def test_an_object_needs_one_level_for_what_it_packs(value):
    assert echoed(nested(MAX_DEPTH - 2, value)) == nested(MAX_DEPTH - 2, value)
    with pytest.raises(TermError):
        encode(nested(MAX_DEPTH - 1, value))


def test_faults_nest_to_the_limit():
    fault = Fault("0")
    for n in range(1, MAX_DEPTH // 2):
        fault = Fault(str(n), details=fault)
    assert echoed(fault) == fault
    with pytest.raises(TermError):
        encode(Fault("m", details=fault))


def test_a_full_stack_is_no_recursion_error():
    def deep(frames):
        return deep(frames - 1) if frames else encode(nested(MAX_DEPTH, 1))

    with pytest.raises(TermError, match="the stack of the caller"):
        deep(600)


def test_only_the_top_of_an_argument_list_may_hold_none():
    data = encode_list([None, {"a": None}, None, 3, None])
    assert decode(data) == [None, {}, None, 3, None]
    found = call(STATE, "local l, n = wire.decode_list(...) return n, l[1], l[4], l[5]", data)
    assert found == (5, None, 3, None)
    with pytest.raises(TermError) as caught:
        encode_list([1, [None]], "args")
    assert caught.value.path == "args[1][0]"


@pytest.mark.parametrize("size", [0, 15, 16, 65536])
def test_argument_lists_of_every_length_are_read(size):
    found = call(STATE, "local l, n = wire.decode_list(...) return n, #l", encode_list([1] * size))
    assert found == (size, size)


@given(st.binary(max_size=20), st.binary(max_size=20))
@settings(max_examples=50, deadline=None)
def test_an_error_object_keeps_any_bytes_through_python(message, stack):
    make = "local m, s = ... return wire.encode(setmetatable({message = m, stack = s}, Error))"
    sent = call(STATE, make, message, stack)
    fault = decode(sent)
    assert isinstance(fault, Fault)
    read = "local e = wire.decode(...) return getmetatable(e) == Error, e.message, e.stack"
    assert call(STATE, read, encode(fault)) == (True, message, stack)


def test_a_fault_refuses_text_that_is_neither_text_nor_escaped_bytes():
    with pytest.raises(TermError) as caught:
        encode([Fault("m", context=("a", "\ud800"))])
    assert caught.value.path == "payload[0].context[1]"


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (Time(0), datetime(1970, 1, 1, tzinfo=UTC)),
        (Time(-1, 999_999_999), datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)),
        (
            Time(1_719_828_000, 0, "Europe/Berlin", 7200, "CEST"),
            datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")),
        ),
        # A named zone that has another offset then: the moment and its clock are what count.
        (
            Time(1_719_828_000, 0, "Europe/Berlin", 60, "odd"),
            datetime(2024, 7, 1, 10, 1, tzinfo=timezone(timedelta(seconds=60), "odd")),
        ),
        (
            Time(0, 0, "no such zone", -3600, ""),
            datetime(1969, 12, 31, 23, tzinfo=timezone(timedelta(hours=-1))),
        ),
    ],
)
def test_a_time_becomes_the_datetime_of_its_zone(moment, expected):
    found = moment.to_datetime()
    assert found == expected
    assert found.isoformat() == expected.isoformat()
    assert repr(found.tzinfo) == repr(expected.tzinfo)


@given(st.datetimes(timezones=st.sampled_from(["UTC", "Asia/Kolkata"]).map(ZoneInfo)))
@settings(max_examples=50, deadline=None)
def test_a_datetime_survives_as_a_time(moment):
    try:
        found = Time.from_datetime(moment).to_datetime()
    except OverflowError:  # the first and last day of the calendar, seen from another zone
        assert moment.year in (1, 9999)
        return
    # In UTC: datetimes that a change of clocks makes ambiguous equal nothing of another zone.
    assert found.astimezone(UTC) == moment.astimezone(UTC)


@given(st.timedeltas())
@settings(max_examples=50, deadline=None)
def test_a_timedelta_survives_as_a_duration(span):
    assert Duration.from_timedelta(span).to_timedelta() == span


def test_a_duration_tells_its_seconds():
    assert Duration(1_500_000_000).total_seconds() == 1.5


@pytest.mark.parametrize(
    "make", [lambda: Fault(3), lambda: Fault("m", context="ab"), lambda: Time("1")]
)
def test_value_classes_check_their_fields(make):
    with pytest.raises(TypeError):
        make()
