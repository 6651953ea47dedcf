"""Time zones as plain data, against zoneinfo."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lua_api import _zones
from lua_api._zones import local_zone_name, transitions
from tests.time_states import open_time, zone

LUA = open_time()
LOOKUP = LUA.eval("function(where, s) local o, name = location.lookup(where, s) return o, name end")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMES = ["Europe/Berlin", "America/New_York", "Africa/Casablanca", "Asia/Kolkata", "Etc/GMT+5"]

instants = st.datetimes(
    datetime(1900, 1, 2), datetime(2199, 12, 30), timezones=st.just(UTC)  # noqa: DTZ001
)  # fmt: skip


@given(st.sampled_from(NAMES), instants)
def test_offset_and_abbreviation_are_those_of_zoneinfo(name, moment):
    there = moment.astimezone(ZoneInfo(name))
    expected = (there.utcoffset().total_seconds(), there.tzname())
    assert LOOKUP(zone(name), (moment - EPOCH) // timedelta(seconds=1)) == expected


@pytest.mark.parametrize("name", NAMES)
def test_each_change_is_found_to_the_second(name):
    there = ZoneInfo(name)
    for (_, *before), (at, *after) in pairwise(transitions(name)):
        moment = (EPOCH + timedelta(seconds=at)).astimezone(there)
        previous = (EPOCH + timedelta(seconds=at - 1)).astimezone(there)
        assert [moment.utcoffset().total_seconds(), moment.tzname()] == after
        assert [previous.utcoffset().total_seconds(), previous.tzname()] == before
        assert [*LOOKUP(zone(name), at)] == after
        assert [*LOOKUP(zone(name), at - 1)] == before


def test_the_ends_hold_for_all_earlier_and_later_times():
    rows = transitions("Europe/Berlin")
    where = zone("Europe/Berlin")
    assert LOOKUP(where, -(2**53)) == rows[0][1:]
    assert LOOKUP(where, 2**53) == rows[-1][1:]


def test_a_zone_is_worked_out_once():
    assert transitions("Europe/Berlin") is transitions("Europe/Berlin")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Europe",
        "Europe/Atlantis",
        "../etc/passwd",
        "Europe/../Europe/Berlin",
        "/usr/share/zoneinfo/UTC",
        "Europe//Berlin",
        "Europe/Berlin/",
        "Europe\\Berlin",
        "Europe/Berlin\0",
        "Europe/Berlin\n",
        "Zürich",
        "tzdata.zi",
        "leapseconds",
        "x" * 5000,
    ],
)
def test_what_is_no_zone_is_unknown(name):
    assert transitions(name) is None


def test_a_refused_name_never_reaches_the_file_system(monkeypatch):
    def refuse(name):
        pytest.fail(f"looked for {name!r}")

    monkeypatch.setattr(_zones, "ZoneInfo", refuse)
    assert transitions("../../secret") is None
    assert transitions("/etc/localtime") is None


def test_the_machines_zone_is_one_that_can_be_loaded():
    assert transitions(local_zone_name()) is not None


def test_a_machine_that_does_not_tell_its_zone_is_in_utc(monkeypatch):
    monkeypatch.setattr(_zones.tzlocal, "get_localzone_name", lambda: None)
    assert local_zone_name() == "UTC"


def test_every_name_the_machine_knows_has_an_allowed_form():
    assert all(_zones._NAME.fullmatch(name) for name in available_timezones())
