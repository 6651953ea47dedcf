"""Lua values as bytes, and what Python reads from them."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lupa.lua54 import LuaError

from lua_api._terms import decode, encode
from lua_api._values import Duration, Fault, Time
from supervise.testing.payloads import INT64, exact, text_or_bytes
from tests.kernel_state import call, open_state
from tests.refusals import DEEPEST, HOSTILE, REFUSALS

STATE = open_state()
JIT = open_state("luajit21")
EVERY_LUA = pytest.mark.parametrize("state", [STATE, JIT], ids=["lua54", "luajit21"])
JIT_ECHO = call(JIT, "return function(bytes) return assert(wire.encode(wire.decode(bytes))) end")
JIT_IS_UTF8 = JIT.execute(b"return require('kernel.numbers_jit').is_utf8")
EXACT = 2**53


def sent(state, expression):
    return decode(call(state, f"return assert(wire.encode({expression}))"))


@EVERY_LUA
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("nil", None),
        ("true", True),
        ("false", False),
        ("1", 1),
        ("-33", -33),
        ("1.5", 1.5),
        ("'a'", "a"),
        ("'\\195\\169'", "é"),
        ("'\\255'", b"\xff"),
        ("'\\237\\160\\128'", b"\xed\xa0\x80"),  # a surrogate is no UTF-8
        ("''", ""),
        ("{}", {}),
        ("{1, 2}", [1, 2]),
        ("{{}, {}}", [{}, {}]),
        ("{1, nil, 3}", {1: 1, 3: 3}),
        ("{1, 2, n = 2}", {1: 1, 2: 2, "n": 2}),
        ("{[2] = 2, [1] = 1}", [1, 2]),
        (
            "(function() local t = {} for i = 9, 1, -1 do t[i] = i end return t end)()",
            [*range(1, 10)],
        ),
        ("{[0] = 1}", {0: 1}),
        ("{[1.5] = 1, [-1] = 2}", {1.5: 1, -1: 2}),
        ("{[true] = 1, [false] = 2}", {True: 1, False: 2}),
        ("{[true] = 1, [0] = 2}", {True: 1, 0: 2}),
        ("{['\\255'] = 1, ['1'] = 2}", {b"\xff": 1, "1": 2}),
        ("(function() local t = {1} return {t, {a = t}} end)()", [[1], {"a": [1]}]),
        ("setmetatable({ns = 5}, Duration)", Duration(5)),
        (
            "setmetatable({sec = 1, nsec = 2, zone = 'A/B', offset = 3, abbreviation = 'C'}, Time)",
            Time(1, 2, "A/B", 3, "C"),
        ),
        ("setmetatable({message = 'm', context = {}}, Error)", Fault("m")),
        (
            (
                "{setmetatable({message = 'm', kind = 'NotFound', retryable = true, details = {1},"
                " stack = 's', context = {'a', 'b'}}, Error)}"
            ),
            [Fault("m", "NotFound", True, [1], "s", ("a", "b"))],
        ),
    ],
)
def test_a_lua_value_arrives_in_python(state, expression, value):
    assert exact(sent(state, expression)) == exact(value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1.0", 1.0),
        ("-0.0", -0.0),
        ("math.maxinteger", 2**63 - 1),
        ("math.mininteger", -(2**63)),
        ("2^63", 2.0**63),
        ("1/0", math.inf),
        ("-1/0", -math.inf),
        ("-(0/0)", math.nan),
        ("{1, 2.0, 3}", [1, 2.0, 3]),
        ("{[1.0] = 1.0}", [1.0]),
        ("{[2^53] = 1}", {2**53: 1}),
        ("{[2^63] = 1}", {2.0**63: 1}),
    ],
)
def test_lua_54_keeps_integers_and_floats_apart(expression, value):
    assert exact(sent(STATE, expression)) == exact(value)


@given(st.lists(INT64 | st.floats()))
@settings(max_examples=100, deadline=None)
def test_any_number_of_lua_54_arrives_bit_for_bit(numbers):
    packed = [struct.pack(">d" if isinstance(n, float) else ">q", n) for n in numbers]
    formats = ["d" if isinstance(n, float) else "i8" for n in numbers]
    unpack = "local bytes, format = ... return wire.encode({string.unpack(format, bytes)})"
    found = decode(call(STATE, unpack, b"".join(packed), (">" + "".join(formats)).encode()))
    assert exact(found[:-1]) == exact(numbers)  # the last is where unpack stopped


@EVERY_LUA
@pytest.mark.parametrize(("expression", "message"), REFUSALS)
def test_what_cannot_be_sent_is_refused_with_its_path(state, expression, message):
    found = call(state, f"local value = {expression} return wire.encode(value)")
    assert found == (None, message.encode())


@EVERY_LUA
@pytest.mark.parametrize("expression", DEEPEST)
def test_values_nest_to_the_limit(state, expression):
    echo = f"local value = {expression} return wire.encode(wire.decode(wire.encode(value)))"
    value = decode(call(state, echo))
    assert decode(encode(value)) == value
    for _ in range(499):
        [value] = value
    assert value in ({}, Duration(1))


@EVERY_LUA
def test_the_root_is_named_by_the_caller(state):
    found = call(state, "return wire.encode({print}, 'result')")
    assert found == (None, b"result[1]: function cannot be sent")
    found = call(state, "return wire.encode_list(3, {1, nil, {print}}, 'args')")
    assert found == (None, b"args[3][1]: function cannot be sent")


@EVERY_LUA
def test_metamethods_of_users_never_run(state):
    found = decode(call(state, HOSTILE + "return assert(wire.encode(value))"))
    assert found == {
        "list": [1, 2, 3], "map": {"a": 1}, "empty": {}, "mixed": {1: 1, 3: 3, "x": 4}
    }  # fmt: skip
    refused = call(state, HOSTILE + "return wire.encode(armed({ a = armed({ print }) }))")
    assert refused == (None, b"payload.a[1]: function cannot be sent")


@EVERY_LUA
def test_a_list_of_arguments_keeps_its_nils(state):
    assert decode(call(state, "return wire.encode_list(4, {nil, 2, nil, nil})")) == [
        None, 2, None, None
    ]  # fmt: skip
    assert decode(call(state, "return wire.encode_list(0, {})")) == []


@EVERY_LUA
def test_values_are_read_one_after_the_other(state):
    head = "local s = table.concat({wire.encode('a'), wire.encode({1, {}}), wire.encode(-70000)})"
    reads = "local a, b, c, i a, i = wire.read(s, 1) b, i = wire.read(s, i) c, i = wire.read(s, i)"
    found = call(state, f"{head} {reads} return wire.encode({{a, b, c, i - #s}})")
    assert decode(found) == ["a", [1, {}], -70000, 1]


@EVERY_LUA
@pytest.mark.parametrize(
    "value", ["1", "-200", "2.5", "true", "false", "nil", "'text'", r"'\255'", "{1, {x = 2}}"]
)
def test_what_is_packed_comes_out_as_the_value_or_its_bytes(state, value):
    packed = f"wire.decode((wire.packed({value})))"
    [found] = decode(call(state, f"return wire.encode({{(wire.unpacked({packed}))}})")) or [None]
    expected = decode(call(state, f"return wire.encode({value})"))
    assert found == expected
    assert decode(call(state, f"return wire.unpacked({packed}, true)")) == expected


def test_a_refusal_leaves_nothing_behind_for_the_next_message():
    call(STATE, "wire.encode({1, 2, 3, {4, print}})")
    assert sent(STATE, "{5}") == [5]
    big = "(function() local t = {} for i = 1, 5000 do t[i] = i end return t end)()"
    assert sent(STATE, big) == list(range(1, 5001))
    assert sent(STATE, "{6}") == [6]


def test_an_unknown_extension_is_named():
    with pytest.raises(LuaError, match="no class has the extension tag 9"):
        call(STATE, "return wire.decode(...)", b"\xd4\x09\xc0")
    with pytest.raises(ValueError, match="no value has the extension tag 9"):
        decode(b"\xd4\x09\xc0")


@given(st.integers(-EXACT, EXACT) | st.floats())
@settings(max_examples=120, deadline=None)
@example(-0.0)
@example(-EXACT)
@example(-(2**31) - 1)
@example(2**32)
def test_luajit_is_exact_up_to_two_to_the_53(number):
    found = decode(JIT_ECHO(encode(number)))
    minus_zero = number == 0 and math.copysign(1, number) < 0
    if float(number).is_integer() and abs(number) <= EXACT and not minus_zero:
        number = int(number)
    assert exact(found) == exact(number)


@given(st.integers(EXACT + 1, 2**63 - 1), st.sampled_from([1, -1]))
@settings(max_examples=100, deadline=None)
def test_luajit_rounds_a_larger_integer_to_the_nearest_double(size, sign):
    number = sign * size
    assert decode(JIT_ECHO(encode(number))) == float(number)


# Lead bytes with the first and last continuations they allow and the ones just beyond.
PIECES = st.sampled_from(
    [
        *(b"a", b"\x80", b"\xbf", b"\xc1", b"\xc2\x80", b"\xc3", b"\xe2\x82", b"\xf5"),
        *(b"\xe0\x80\x80", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xed\xa0\x80", b"\xef\xbf\xbf"),
        *(b"\xf0\x80\x80\x80", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"),
    ]
)


@given(st.lists(PIECES | st.binary(max_size=3), max_size=4).map(b"".join))
@settings(max_examples=150, deadline=None)
def test_both_luas_agree_with_python_about_utf8(data):
    value = text_or_bytes(data)
    assert decode(call(STATE, "return wire.encode(...)", data)) == value
    assert JIT_IS_UTF8(data) is isinstance(value, str)
