"""Durations: text by Go's grammar, exact arithmetic, refusals."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.time_states import open_time, refusal

MAX, MIN = 2**63 - 1, -(2**63)
NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6}
NANOSECONDS |= {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}

LUA = open_time()
PARSE = LUA.eval("function(text) return time.parse_duration(text):nanoseconds() end")
PRINT = LUA.eval("function(nanoseconds) return tostring(time.parse_duration(nanoseconds)) end")
FAILURE = LUA.eval("function(value) return failure(time.parse_duration(value)) end")
OPERATE = LUA.eval(
    "function(text) local run = assert(load('local a, b, d = ...; return ' .. text))"
    " return function(a, b)"
    " return pcall(run, a, b, time.parse_duration) end end"
)

durations = st.integers(MIN, MAX)


@pytest.fixture(params=["5.4", "jit"])
def lua(request):
    return open_time(request.param)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("5s", 5 * 10**9),
        ("1h30m", 5400 * 10**9),
        ("-1.5s", -15 * 10**8),
        ("+5s", 5 * 10**9),
        ("250ms", 250 * 10**6),
        ("1us", 1000),
        ("1µs", 1000),
        ("1μs", 1000),
        (".5s", 5 * 10**8),
        ("5.s", 5 * 10**9),
        ("1.004s", 1004 * 10**6),
        ("3h2m1s4ms5us6ns", 10921004005006),
        ("1m0.25s", 6025 * 10**7),
        ("0.3333333333333333333h", 1200 * 10**9),
        ("0.9ns", 0),
    ],
)
def test_a_text_is_read_as_go_reads_it(lua, text, nanoseconds):
    assert (
        lua.globals().time.parse_duration(text).nanoseconds(lua.globals().time.parse_duration(text))
        == nanoseconds
    )


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (-1_500_000, "-1.5ms"),
        (3_300_000_000, "3.3s"),
        (245_000_000_000, "4m5s"),
        (245_001_000_000, "4m5.001s"),
        (3_600_000_000_000, "1h0m0s"),
        (5_445_000_000_000, "1h30m45s"),
        (18_367_001_000_000, "5h6m7.001s"),
        (480_000_000_001, "8m0.000000001s"),
    ],
)
def test_a_duration_prints_as_in_go(lua, nanoseconds, text):
    assert lua.eval("tostring")(lua.globals().time.parse_duration(nanoseconds)) == text


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("9223372036854775807ns", MAX),
        ("-9223372036854775808ns", MIN),
        ("-9223372036854775.808us", MIN),
        ("-2562047h47m16.854775808s", MIN),
        ("2562047h47m16.854775807s", MAX),
    ],
)
def test_the_longest_durations_are_exact_both_ways(text, nanoseconds):
    assert PARSE(text) == nanoseconds
    assert PARSE(PRINT(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'invalid duration ""'),
        ("3", 'missing unit in duration "3"'),
        ("-", 'invalid duration "-"'),
        ("s", 'invalid duration "s"'),
        (".", 'invalid duration "."'),
        (".s", 'invalid duration ".s"'),
        (" 1s", 'invalid duration " 1s"'),
        ("1h30", 'missing unit in duration "1h30"'),
        ("1d", 'unknown unit "d" in duration "1d"'),
        ("1 s", 'unknown unit " s" in duration "1 s"'),
        ('1"', r'unknown unit "\"" in duration "1\""'),
        ("1h-30m", 'unknown unit "h-" in duration "1h-30m"'),
        ("9223372036854775808ns", 'invalid duration "9223372036854775808ns"'),
        ("9223372036854775810ns", 'invalid duration "9223372036854775810ns"'),
        ("-9223372036854775809ns", 'invalid duration "-9223372036854775809ns"'),
        ("9223372036854775809us", 'invalid duration "9223372036854775809us"'),
        ("18446744073709552us", 'invalid duration "18446744073709552us"'),
        ("9223372036854775807ns2ns", 'invalid duration "9223372036854775807ns2ns"'),
        ("3000000h", 'invalid duration "3000000h"'),
        ("9223372036854ms775us808ns", 'invalid duration "9223372036854ms775us808ns"'),
    ],
)
def test_a_text_that_is_no_duration_is_refused_in_gos_words(text, problem):
    assert FAILURE(text) == f"Invalid: time: {problem}"


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 2.0**63])
def test_a_number_beyond_the_range_is_refused(lua, number):
    failure = lua.eval("function(value) return failure(time.parse_duration(value)) end")
    assert failure(number).startswith("Invalid: time: duration out of range")


@pytest.mark.parametrize(("number", "nanoseconds"), [(1.9, 1), (-1.9, -1), (5e8, 500000000)])
def test_a_fraction_of_a_nanosecond_is_cut_off(number, nanoseconds):
    assert PARSE(number) == nanoseconds


@given(durations)
@settings(max_examples=200)
@example(MIN)
def test_what_a_duration_prints_reads_back_as_the_same_duration(nanoseconds):
    assert PARSE(PRINT(nanoseconds)) == nanoseconds


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**5),
            st.text("0123456789", max_size=12),
            st.sampled_from(sorted(NANOSECONDS)),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_text_is_the_sum_of_its_parts(parts):
    text = "".join(f"{whole}.{digits}{unit}" for whole, digits, unit in parts)
    exact = sum(
        Fraction(f"{whole}.{digits or 0}") * NANOSECONDS[unit] for whole, digits, unit in parts
    )
    assert abs(PARSE(text) - exact) < 2 * len(parts)


@given(durations)
def test_the_parts_are_cut_toward_zero(nanoseconds):
    d = LUA.globals().time.parse_duration(nanoseconds)
    size, sign = abs(nanoseconds), -1 if nanoseconds < 0 else 1
    assert d.microseconds(d) == sign * (size // 1000)
    assert d.milliseconds(d) == sign * (size // 10**6)
    assert d.seconds(d) == pytest.approx(nanoseconds / 1e9, rel=1e-15)
    assert d.minutes(d) == pytest.approx(nanoseconds / 6e10, rel=1e-15)
    assert d.hours(d) == pytest.approx(nanoseconds / 3.6e12, rel=1e-15)


def test_whole_units_are_integers_and_the_larger_ones_floats():
    kinds = LUA.eval(
        "(function(d) return math.type(d:milliseconds()), math.type(d:seconds()) end)"
        "(time.parse_duration('2s'))"
    )
    assert kinds == ("integer", "float")


@pytest.mark.parametrize(
    ("operator", "oracle"),
    [("d(a) + d(b)", int.__add__), ("d(a) - b", int.__sub__), ("d(a) * b", int.__mul__)],
)
@given(a=durations | st.integers(-(2**33), 2**33), b=durations | st.integers(-(2**33), 2**33))
@example(a=MAX, b=MIN)
@example(a=MIN, b=-1)
@example(a=MAX, b=1)
@example(a=2**62, b=2)
def test_a_result_is_exact_or_refused(operator, oracle, a, b):
    done, result = OPERATE(operator)(a, b)
    exact = oracle(a, b)
    if MIN <= exact <= MAX:
        assert (done, result.nanoseconds(result)) == (True, exact)
    else:
        assert (done, "duration out of range" in result) == (False, True)


@given(a=durations, b=st.integers(-(2**40), 2**40).filter(bool))
@example(a=MIN, b=-1)
def test_division_by_a_number_is_cut_toward_zero(a, b):
    done, result = OPERATE("d(a) / b")(a, b)
    exact = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    if exact > MAX:
        assert not done
    else:
        assert result.nanoseconds(result) == exact


@given(durations, durations)
def test_durations_are_ordered_as_their_nanoseconds(a, b):
    compare = OPERATE("d(a) < d(b), d(a) <= d(b), d(a) == d(b), d(a) > b")
    assert compare(a, b) == (True, a < b, a <= b, a == b, a > b)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("time.parse_duration('1s') + '500ms'", "1.5s"),
        ("time.SECOND - time.parse_duration('1ms')", "999ms"),
        ("-time.parse_duration('1m')", "-1m0s"),
        ("time.parse_duration('1s') * 1.5", "1.5s"),
        ("2 * time.parse_duration('1s')", "2s"),
        ("time.parse_duration('1s') / 4", "250ms"),
        ("time.parse_duration('1s') / 0.5", "2s"),
        ("time.parse_duration('3s') / time.parse_duration('2s')", "1.5"),
        ("time.parse_duration(time.parse_duration('2s'))", "2s"),
        ("sent(time.parse_duration('1h'))", "1h0m0s"),
    ],
)
def test_durations_calculate_with_whatever_is_a_duration(lua, expression, text):
    assert lua.eval(f"tostring({expression})") == text


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "time.parse_duration(nil)",
            "bad argument #1 to 'parse_duration' (duration expected, got nil)",
        ),
        (
            "time.parse_duration({})",
            "bad argument #1 to 'parse_duration' (duration expected, got table)",
        ),
        ("local x = d + {}", "bad argument #2 to 'add' (duration expected, got table)"),
        ("local x = d - 'no'", "bad argument #2 to 'sub' (time: invalid duration \"no\")"),
        ("local x = d * d", "bad argument #2 to 'mul' (number expected, got Duration)"),
        ("local x = 1 / d", "bad argument #1 to 'div' (Duration expected, got number)"),
        ("local x = d / 0", "duration out of range"),
        ("d.seconds(5)", "calling 'seconds' on bad self (Duration expected, got number)"),
        ("d.seconds = 5", "cannot set 'seconds': a Duration does not change"),
    ],
)
def test_misuse_raises_at_the_callers_line(lua, code, message):
    raised = refusal(lua, f"local d = time.parse_duration('1s')\n{code}\n")
    assert raised == f"user:2: {message}"


def test_the_metatable_is_out_of_reach(lua):
    assert lua.eval("getmetatable(time.parse_duration(1))") is False
    assert "protected metatable" in refusal(lua, "setmetatable(time.parse_duration(1), {})")


def test_a_duration_compares_only_with_durations_and_numbers():
    assert "attempt to compare" in refusal(LUA, "return time.parse_duration(1) < 'x'")


def test_a_text_that_is_remembered_gives_the_same_nanoseconds():
    for _ in range(2):
        for number in range(300):
            assert PARSE(f"{number}ms") == number * 10**6
