"""Times: the calendar, exact arithmetic over any distance, zones, refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.time_states import open_time, refusal, zone

LUA = open_time()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FARTHEST = 2**53 - 1
YEAR_1 = -62135596800
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"]

AT = LUA.eval("function(s, ns) return instant.new(s, ns, time.utc) end")
PARTS = LUA.eval("function(t) return t:unix(), t:nanosecond() end")
CIVIL = LUA.eval(
    "function(s, where) local t = instant.new(s, 0, where or time.utc)"
    " local y, mo, d = t:date() local h, mi, sec = t:clock()"
    " return y, mo, d, h, mi, sec, t:weekday(), t:year_day() end"
)
DATE = LUA.eval(
    "function(where, ...) local t = time.date(...) where = where or time.utc"
    " local y, mo, d, h, mi, s, ns = ... return time.date(y, mo, d, h, mi, s, ns or 0, where) end"
)
ADD = LUA.eval("function(t, d) local u = assert(t:add(d)) return u:unix(), u:nanosecond() end")
SUB = LUA.eval("function(a, b) return a:sub(b):nanoseconds() end")
ROUND = LUA.eval(
    "function(t, d) local a, b = t:truncate(d), t:round(d)"
    " return a:unix(), a:nanosecond(), b:unix(), b:nanosecond() end"
)

seconds = st.integers(-(2**52), 2**52)
nanoseconds = st.integers(0, 10**9 - 1)
durations = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(params=["5.4", "jit"])
def lua(request):
    return open_time(request.param)


def unix_of(moment):
    return (moment - EPOCH) // timedelta(seconds=1)


def total(parts):
    return parts[0] * 10**9 + parts[1]


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001
def test_the_calendar_agrees_with_pythons_both_ways(moment):
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    unix, fields = unix_of(moment), moment.timetuple()
    expected = (*fields[:6], (fields.tm_wday + 1) % 7, fields.tm_yday)
    assert CIVIL(unix) == expected
    assert PARTS(DATE(None, *fields[:6])) == (unix, 0)


@given(seconds)
@example(FARTHEST)
@example(-FARTHEST)
def test_the_calendar_repeats_every_400_years_however_far(unix):
    period = 146097 * 86400
    cycles = (unix - unix_of(datetime(2000, 1, 1, tzinfo=UTC))) // period
    year, *rest = CIVIL(unix)
    near = CIVIL(unix - cycles * period)
    assert (year - cycles * 400, *rest) == near
    assert PARTS(DATE(None, year, *rest[:5])) == (unix, 0)


small = st.integers(-5000, 5000)


@given(st.integers(1000, 3000), st.tuples(*[small] * 5), st.integers(-(2**62), 2**62))
def test_fields_outside_their_ranges_carry_over(year, rest, nanosecond):
    month, day, hour, minute, second = rest
    years, month_index = divmod(month - 1, 12)
    start = datetime(year + years, month_index + 1, 1, tzinfo=UTC)
    span = timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)
    expected = unix_of(start + span) * 10**9 + nanosecond
    assert total(PARTS(DATE(None, year, month, day, hour, minute, second, nanosecond))) == expected


@given(seconds, nanoseconds, durations)
def test_adding_a_duration_is_exact_at_any_distance(unix, nanosecond, duration):
    assert total(ADD(AT(unix, nanosecond), duration)) == unix * 10**9 + nanosecond + duration


@given(seconds, nanoseconds, durations)
def test_a_difference_undoes_an_addition(unix, nanosecond, duration):
    start = AT(unix, nanosecond)
    assert SUB(AT(*ADD(start, duration)), start) == duration


@given(seconds, nanoseconds, seconds, nanoseconds)
def test_a_difference_is_exact_or_the_longest_there_is(a, a_nano, b, b_nano):
    exact = (a - b) * 10**9 + a_nano - b_nano
    assert SUB(AT(a, a_nano), AT(b, b_nano)) == min(max(exact, -(2**63)), 2**63 - 1)


pieces = st.one_of(
    st.integers(1, 2**63 - 1),
    st.integers(1, 10**4).map(lambda n: n * 10**9),
    st.sampled_from([1, 10**3, 10**6, 10**9, 60 * 10**9, 3600 * 10**9, 7]),
)


@given(seconds, nanoseconds, pieces)
@example(YEAR_1 + 1, 500_000_000, 10**9)
def test_rounding_counts_from_the_zero_time(unix, nanosecond, piece):
    since = (unix - YEAR_1) * 10**9 + nanosecond
    down = since - since % piece
    nearest = (2 * since + piece) // (2 * piece) * piece
    parts = ROUND(AT(unix, nanosecond), piece)
    assert total(parts[:2]) == down + YEAR_1 * 10**9
    assert total(parts[2:]) == nearest + YEAR_1 * 10**9


@given(seconds, nanoseconds, seconds, nanoseconds)
@example(5, 1, 5, 2)
@example(5, 1, 5, 1)
def test_times_are_ordered_by_instant(a, a_nano, b, b_nano):
    compare = LUA.eval(
        "function(a, b) return a:before(b), a:after(b), a:equal(b), a < b, a <= b, a == b end"
    )
    x, y = (a, a_nano), (b, b_nano)
    expected = (x < y, x > y, x == y, x < y, x <= y, x == y)
    assert compare(AT(*x), AT(*y)) == expected


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30)),  # noqa: DTZ001
)
def test_a_clock_reading_in_a_zone_is_the_instant_python_finds(name, reading):
    reading = reading.replace(microsecond=0)
    first, second = (reading.replace(tzinfo=ZoneInfo(name), fold=fold) for fold in (0, 1))
    unix, _ = PARTS(DATE(zone(name), *reading.timetuple()[:6]))
    assert unix in {unix_of(first.astimezone(UTC)), unix_of(second.astimezone(UTC))}


@pytest.mark.parametrize(
    ("name", "reading", "text"),
    [
        ("America/New_York", (2024, 3, 10, 2, 30), "2024-03-10 01:30:00 -0500 EST"),  # never
        ("America/New_York", (2024, 11, 3, 1, 30), "2024-11-03 01:30:00 -0400 EDT"),  # twice
        ("Europe/Berlin", (2024, 3, 31, 2, 30), "2024-03-31 03:30:00 +0200 CEST"),  # never
        ("Europe/Berlin", (2024, 10, 27, 2, 30), "2024-10-27 02:30:00 +0100 CET"),  # twice
        ("Europe/Berlin", (2024, 7, 1, 0, 0), "2024-07-01 00:00:00 +0200 CEST"),
        ("Europe/Berlin", (1, 1, 1, 0, 0), "0001-01-01 00:00:00 +0100 CET"),
    ],
)
def test_readings_around_a_change_of_clocks_follow_go(name, reading, text):
    assert LUA.eval("tostring")(DATE(zone(name), *reading, 0)) == text


@given(st.sampled_from(ZONES), st.integers(-(2**31), 2**32))
def test_a_time_that_is_sent_reads_the_same(name, unix):
    there = LUA.eval(
        "function(s, where) local t = instant.new(s, 5, where) local u = sent(t)"
        " return t == u, tostring(t) == tostring(u), t:location() == u:location() end"
    )
    assert there(unix, zone(name)) == (True, True, True)


def test_a_time_that_reaches_a_state_without_its_zone_keeps_name_and_offset():
    code = (
        "local class = classes.by_tag[2]"
        " local t = class.unpack({0, 5, 'Atlantis/North', 5400, 'ANT'})"
        " return tostring(t), tostring(sent(t)), tostring(t:location())"
    )
    text = "1970-01-01 01:30:00.000000005 +0130 ANT"
    assert LUA.execute(code) == (text, text, "Atlantis/North")


def test_a_fixed_zone_that_borrows_a_name_stays_itself_when_sent(lua):
    code = "tostring(sent(time.date(1970, 1, 1, 0, 0, 0, 0, time.fixed_zone('UTC', 60))))"
    assert lua.eval(code) == "1970-01-01 00:00:00 +0001 UTC"


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("instant.date(1, 1, 1, 0, 0, 0, 0, time.utc):is_zero()", "true"),
        ("time.unix(0):is_zero()", "false"),
        ("time.unix(1, 2000000000)", "1970-01-01 00:00:03 +0000 UTC"),
        ("time.unix(1, -1)", "1970-01-01 00:00:00.999999999 +0000 UTC"),
        ("time.unix(1.5)", "1970-01-01 00:00:01.5 +0000 UTC"),
        ("time.unix(-0.25)", "1969-12-31 23:59:59.75 +0000 UTC"),
        ("time.date(2024, 2, 29)", "2024-02-29 00:00:00 +0000 UTC"),
        ("time.date(-1, time.MARCH, 1)", "-0001-03-01 00:00:00 +0000 UTC"),
        ("time.date(2024, 1, 31):add_date(0, 1)", "2024-03-02 00:00:00 +0000 UTC"),
        ("time.date(2024, 2, 29):add_date(1, 0, -1)", "2025-02-28 00:00:00 +0000 UTC"),
        ("time.unix(0) + '90s'", "1970-01-01 00:01:30 +0000 UTC"),
        ("time.unix(0) - time.HOUR", "1969-12-31 23:00:00 +0000 UTC"),
        ("time.unix(90) - time.unix(0)", "1m30s"),
        ("time.unix(5):truncate(0)", "1970-01-01 00:00:05 +0000 UTC"),
        ("time.unix(5):format_rfc3339()", "1970-01-01T00:00:05Z"),
        ("time.unix(5):format(time.KITCHEN)", "12:00AM"),
        ("time.unix(0):weekday() == time.THURSDAY", "true"),
        ("time.unix(0):in_location(time.fixed_zone('X', 3600)):hour()", "1"),
        ("time.unix(0):in_location(time.fixed_zone('X', 3600)):utc():hour()", "0"),
        ("time.unix(0):in_location(time.fixed_zone('X', 3600)):location():string()", "X"),
        ("time.parse(time.RFC3339, '1970-01-01T01:00:00+01:00'):unix()", "0"),
        ("time.utc", "UTC"),
    ],
)
def test_the_calls_of_the_reference_answer_as_documented(lua, expression, result):
    assert lua.eval(f"tostring({expression})") == result


def test_the_nodes_own_zone_is_used_where_go_uses_local():
    code = """
    location.localtz = time.fixed_zone('HERE', 3600)
    local texts = {
      tostring(time.unix(0)), tostring(time.date(1970, 1, 1)), tostring(time.unix(0):utc()),
      tostring(time.parse('2006', '1970')), tostring(time.unix(0):utc():in_local()),
    }
    location.localtz = time.utc
    return table.unpack(texts)
    """
    assert LUA.execute(code) == (
        "1970-01-01 01:00:00 +0100 HERE",
        "1970-01-01 00:00:00 +0100 HERE",
        "1970-01-01 00:00:00 +0000 UTC",
        "1970-01-01 00:00:00 +0000 UTC",
        "1970-01-01 01:00:00 +0100 HERE",
    )


def test_unix_nano_is_exact_to_the_ends_of_its_range():
    assert LUA.eval("time.unix(9223372036, 854775807):unix_nano()") == 2**63 - 1
    assert LUA.eval("time.unix(-9223372037, 145224192):unix_nano()") == -(2**63)
    assert "1678" in LUA.eval("failure(time.unix(9223372036, 854775808):unix_nano())")
    assert "1678" in LUA.eval("failure(time.unix(-9223372037, 145224191):unix_nano())")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("time.unix(-1e10):unix_nano()", "unix_nano holds the years 1678 to 2262 only"),
        ("time.unix(2^53 - 1, 1e9)", "more than 285 million years from 1970"),
        ("time.unix(0/0)", "more than 285 million years from 1970"),
        ("time.unix(1/0)", "more than 285 million years from 1970"),
        ("time.date(300000000, 1, 1)", "more than 285 million years from 1970"),
        ("time.date(2000, 1, 1, 2^62)", "more than 285 million years from 1970"),
        ("time.unix(0):add_date(2^62)", "more than 285 million years from 1970"),
        ("time.unix(0):add('1 year')", "unknown unit"),
        ("time.unix(0):round('x')", "invalid duration"),
        ("time.unix(0):truncate('x')", "invalid duration"),
        ("time.fixed_zone('far', 2^31)", "zone offset out of range"),
    ],
)
def test_what_cannot_be_is_an_invalid_error(lua, expression, message):
    failure = lua.eval(f"failure({expression})")
    assert failure.startswith("Invalid: time: ")
    assert message in failure


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("t:add()", "bad argument #1 to 'add' (duration expected, got nil)"),
        ("t:sub('1s')", "bad argument #1 to 'sub' (Time expected, got string)"),
        ("t:before(1)", "bad argument #1 to 'before' (Time expected, got number)"),
        ("t:format()", "bad argument #1 to 'format' (string expected, got nil)"),
        ("t:round({})", "bad argument #1 to 'round' (duration expected, got table)"),
        ("t:truncate(true)", "bad argument #1 to 'truncate' (duration expected, got boolean)"),
        (
            "t:in_location('UTC')",
            "bad argument #1 to 'in_location' (Location expected, got string)",
        ),
        ("t:add_date(1.5)", "bad argument #1 to 'add_date' (number has no integer representation)"),
        ("t.year({})", "calling 'year' on bad self (Time expected, got table)"),
        ("t.x = 1", "cannot set 'x': a Time does not change"),
        ("time.utc.x = 1", "cannot set 'x': a Location does not change"),
        ("time.date(2024)", "bad argument #2 to 'date' (number expected, got nil)"),
        (
            "time.date(1, 1, 1, 0, 0, 0, 0, 1)",
            "bad argument #8 to 'date' (Location expected, got number)",
        ),
        ("time.unix('1')", "bad argument #1 to 'unix' (number expected, got string)"),
        ("time.parse('2006', 1)", "bad argument #2 to 'parse' (string expected, got number)"),
        ("time.parse('2006', '', 1)", "bad argument #3 to 'parse' (Location expected, got number)"),
        ("time.fixed_zone(nil, 1)", "bad argument #1 to 'fixed_zone' (string expected, got nil)"),
        ("local x = t + t", "bad argument #2 to 'add' (duration expected, got Time)"),
        ("local x = 1 + t", "bad argument #1 to 'add' (Time expected, got number)"),
        ("local x = t - {}", "bad argument #2 to 'sub' (duration expected, got table)"),
    ],
)
def test_misuse_raises_at_the_callers_line(lua, code, message):
    assert refusal(lua, f"local t = time.unix(0)\n{code}\n") == f"user:2: {message}"


def test_a_time_compares_only_with_times():
    assert "attempt to compare Time with number" in refusal(LUA, "return time.unix(0) < 5")


def test_a_location_shows_nothing_to_change(lua):
    assert lua.eval("next(time.utc) == nil and getmetatable(time.utc) == false")
