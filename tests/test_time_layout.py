"""Go reference layouts: written and read as Go does, in Go's words when refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.time_states import open_time

LUA = open_time()
AT = """
function(seconds, nanoseconds, offset)
  return instant.new(seconds, nanoseconds, location.fixed("", offset, ""))
end
"""
FORMAT = "function(time, layout) return time:format(layout) end"
PARSE = """
function(layout, text)
  local t, err = time.parse(layout, text)
  if not t then return nil, err:kind() .. ": " .. tostring(err) end
  return t:unix(), t:nanosecond(), t:format("-07:00:00"), tostring(t:location())
end
"""


@pytest.fixture(params=["5.4", "jit"])
def lua(request):
    return open_time(request.param)


# 2009-02-04 21:00:57.012345600 -0800 PST, the time of Go's own format tests.
GO_TIME = "instant.new(1233810057, 12345600, location.fixed('PST', -28800, 'PST'))"


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("Mon Jan _2 15:04:05 2006", "Wed Feb  4 21:00:57 2009"),
        ("Monday January 2, 2006", "Wednesday February 4, 2009"),
        ("Mon Jan 02 15:04:05 -0700 2006", "Wed Feb 04 21:00:57 -0800 2009"),
        ("02 Jan 06 15:04 MST", "04 Feb 09 21:00 PST"),
        ("Monday, 02-Jan-06 15:04:05 MST", "Wednesday, 04-Feb-09 21:00:57 PST"),
        ("2006-01-02T15:04:05.999999999Z07:00", "2009-02-04T21:00:57.0123456-08:00"),
        ("3:04PM 03:04pm", "9:00PM 09:00pm"),
        ("January Janet Jan", "February Janet Feb"),
        ("Monica Mon", "Monica Wed"),
        ("_2006 __2 002 _2", "_2009  35 035  4"),
        ("1/2/06 3:4:5", "2/4/09 9:0:57"),
        (".000 ,000000 .9 .99 .999999999", ".012 ,012345  .01 .0123456"),
        (".0000000000001 x.00", ".0000000000002 x.01"),
        ("-07 -0700 -07:00 -070000 -07:00:00", "-08 -0800 -08:00 -080000 -08:00:00"),
        ("Z07 Z0700 Z07:00 Z070000 Z07:00:00", "-08 -0800 -08:00 -080000 -08:00:00"),
        ("", ""),
        ("no fields", "no fields"),
    ],
)
def test_a_layout_is_written_as_in_go(lua, layout, text):
    assert lua.eval(FORMAT)(lua.eval(GO_TIME), layout) == text


def test_a_year_before_0_has_no_two_digits_but_00(lua):
    assert lua.eval("instant.date(-5, 1, 1, 0, 0, 0, 0, time.utc):format('06 2006')") == "00 -0005"


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        (0, "Z +00:00 +0000"),
        (5400, "+0130 +01:30 +0130"),
        (-1, "-0000 -00:00 -0000"),
        (-34200, "-0930 -09:30 -0930"),
    ],
)
def test_an_offset_without_an_abbreviation_stands_for_it(lua, offset, text):
    t = lua.eval(AT)(0, 0, offset)
    assert lua.eval(FORMAT)(t, "Z0700 -07:00 MST") == text


@pytest.mark.parametrize(
    ("layout", "text", "expected"),
    [
        ("2006-01-02", "2024-02-29", (1709164800, 0, "+00:00:00")),
        ("Jan _2 2006", "feb  4 2010", (1265241600, 0, "+00:00:00")),
        ("Jan 2 2006", "Feb     4    2010", (1265241600, 0, "+00:00:00")),
        ("06 1 2 3PM", "69 1 1 12AM", (-31536000, 0, "+00:00:00")),
        ("06 1 2 3PM", "68 1 1 12PM", (3092644800, 0, "+00:00:00")),
        ("2006-002", "2024-366", (1735603200, 0, "+00:00:00")),
        ("2006 __2", "1970   1", (0, 0, "+00:00:00")),
        ("15:04:05", "00:00:01.25", (-62167219199, 250000000, "+00:00:00")),
        ("15:04:05.999", "00:00:01,123456789", (-62167219199, 123456789, "+00:00:00")),
        ("2006 05 .000", "1970 01 .125", (1, 125000000, "+00:00:00")),
        ("2006Z07:00", "1970Z", (0, 0, "+00:00:00")),
        ("2006Z07:00", "1970+01:30", (-5400, 0, "+01:30:00")),
        ("2006 -070000", "1970 -013015", (5415, 0, "-01:30:15")),
        ("2006 -07", "1970 +24", (-86400, 0, "+24:00:00")),
        ("2006 MST", "1970 UTC", (0, 0, "+00:00:00")),
        ("2006-01-02", "2000-02-29", (951782400, 0, "+00:00:00")),
        ("2006 MST", "1970 ChST", (0, 0, "+00:00:00")),
        ("2006 MST", "1970 WITA", (0, 0, "+00:00:00")),
        ("2006 MST", "1970 GMT-3", (10800, 0, "-03:00:00")),
        ("2006 MST", "1970 +03", (0, 0, "+00:00:00")),
        ("2006 MST -0700", "1970 CEST +0200", (-7200, 0, "+02:00:00")),
    ],
)
def test_a_text_is_read_as_in_go(lua, layout, text, expected):
    assert lua.eval(PARSE)(layout, text)[:3] == expected


@pytest.mark.parametrize(
    ("layout", "text", "problem"),
    [
        ("2006", "x", '"x" as "2006": cannot parse "x" as "2006"'),
        ("2006-01-02", "2009-1-02", '"2009-1-02" as "2006-01-02": cannot parse "1-02" as "01"'),
        ("2006-01", "2009/01", '"2009/01" as "2006-01": cannot parse "/01" as "-"'),
        ("2006 Jan", "2009 Foo", '"2009 Foo" as "2006 Jan": cannot parse "Foo" as "Jan"'),
        ("2006 05.000", "2009 05.1", '"2009 05.1" as "2006 05.000": cannot parse ".1" as ".000"'),
        ("3PM", "3XM", '"3XM" as "3PM": cannot parse "XM" as "PM"'),
        ("MST", "Tokyo", '"Tokyo" as "MST": cannot parse "Tokyo" as "MST"'),
        ("MST", "ABCD", '"ABCD" as "MST": cannot parse "ABCD" as "MST"'),
        ("MST", "GMT+24", '"GMT+24": extra text: "+24"'),
        ("-07:00", "+0100", '"+0100" as "-07:00": cannot parse "+0100" as "-07:00"'),
        ("2006", "2009\n", r'"2009\x0a": extra text: "\x0a"'),
        ("2006-01-02", "2009-13-01", '"2009-13-01": month out of range'),
        ("2006-01-02", "2009-02-29", '"2009-02-29": day out of range'),
        ("2006-01-02", "2009-02-00", '"2009-02-00": day out of range'),
        ("2006 002", "2009 366", '"2009 366": day-of-year out of range'),
        ("2006-01 002", "2009-02 031", '"2009-02 031": day-of-year does not match month'),
        ("2006-02 002", "2009-02 031", '"2009-02 031": day-of-year does not match day'),
        ("15", "24", '"24": hour out of range'),
        ("3", "13", '"13": hour out of range'),
        ("04", "60", '"60": minute out of range'),
        ("05", "60", '"60": second out of range'),
        ("-0700", "+2500", '"+2500": time zone offset hour out of range'),
        ("-0700", "+0061", '"+0061": time zone offset minute out of range'),
    ],
)
def test_a_text_that_does_not_fit_is_refused_in_gos_words(lua, layout, text, problem):
    assert lua.eval(PARSE)(layout, text)[1] == f"Invalid: parsing time {problem}"


FIELDS = {
    "January": "%B", "Jan": "%b", "01": "%m", "Monday": "%A", "Mon": "%a", "02": "%d",
    "002": "%j", "15": "%H", "03": "%I", "04": "%M", "05": "%S", "06": "%y", "PM": "%p",
    "-0700": "%z", ".000000": ".%f",
}  # fmt: skip
moments = st.datetimes(
    datetime(1, 1, 2), datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))),
)  # fmt: skip


def as_lua(moment):
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    seconds, rest = since // timedelta(seconds=1), since % timedelta(seconds=1)
    offset = moment.utcoffset() // timedelta(seconds=1)
    return LUA.eval(AT)(seconds, rest.microseconds * 1000, offset)


@given(moments, st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=6))
def test_every_field_is_written_as_pythons_strftime_does(moment, fields):
    layout, oracle = "|".join(fields), "|".join(FIELDS[field] for field in fields)
    assert LUA.eval(FORMAT)(as_lua(moment), layout) == moment.strftime(oracle)


DATES = ["2006-01-02", "Jan _2 2006", "Monday, 2 January 2006", "2006/002", "2006 __2", "1/2/2006"]
CLOCKS = ["15:04:05.999999999", "3:04:05 PM.000000000", "03.4.5,000000000pm", "15h4m05.000000000"]
ZONES = ["Z07:00", "-0700", "-07:00:00", "Z070000"]


@given(
    moments, st.sampled_from(DATES), st.sampled_from(CLOCKS), st.sampled_from(ZONES), st.booleans()
)
def test_what_a_layout_writes_reads_back_as_the_same_time(moment, date, clock, zone, zone_first):
    assume(moment.utcoffset())
    layout = f"{zone} {clock} {date}" if zone_first else f"{date} {clock} {zone}"
    t = as_lua(moment)
    again = LUA.globals().time.parse(layout, t.format(t, layout))
    assert LUA.eval("function(a, b) return a == b end")(t, again)


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_layout_and_any_text_give_a_time_or_an_error(layout, text):
    unix, *_ = LUA.eval(PARSE)(layout, text)
    assert unix is None or isinstance(unix, int)


def test_an_offset_of_the_given_location_gives_the_location():
    where = LUA.eval("time.fixed_zone('CET', 3600)")
    parse = LUA.globals().time.parse
    name = LUA.eval("function(t) return tostring(t:location()) end")
    assert name(parse("2006 -0700", "2000 +0100", where)) == "CET"
    assert name(parse("2006 MST", "2000 CET", where)) == "CET"
    assert name(parse("2006 -0700", "2000 +0200", where)) == ""
    assert name(parse("2006 MST -0700", "2000 XYZ +0100", where)) == "XYZ"
    assert parse("2006", "1970", where).unix(parse("2006", "1970", where)) == -3600


def test_an_abbreviation_means_the_offset_in_force_then():
    rows = [(0, 3600, "AAA"), (1_000_000, 7200, "BBB"), (2_000_000, 10800, "AAA")]
    where = LUA.globals().zone("Test/Twice", rows)
    hours = LUA.eval("function(where, text) return time.parse('2006 MST', text, where):unix() end")
    assert hours(where, "1969 AAA") == -31536000 - 3600
    assert hours(where, "1971 AAA") == 31536000 - 10800
    assert hours(where, "1971 BBB") == 31536000 - 7200
