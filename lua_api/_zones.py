"""Time zones as plain data: what each place's clocks did, and when. Knows no Lua and no clock."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import tzlocal

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_STEP: Final = timedelta(weeks=1)
_SECOND: Final = timedelta(seconds=1)
_Rule = tuple[timedelta | None, str | None]

_NAME: Final = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
_LONGEST_NAME: Final = 64


@functools.lru_cache(maxsize=1024)
def transitions(name: str) -> list[tuple[int, int, str]] | None:
    """Give the offsets that a time zone has used, as `zoneinfo` tells them.

    The years 1900 to 2200 are looked at once a week and each change is found to the second, so a
    change that is taken back within the same week may go unseen. What holds at the start of 1900
    is given for all earlier times, what holds at the start of 2200 for all later ones. The result
    is shared between calls: do not change it.

    Args:
        name: An IANA name, such as `Europe/Berlin`. Text that could name any other file is
            treated as an unknown zone.

    Returns:
        One `(unix seconds from which it holds, seconds east of UTC, abbreviation)` for each
        change, in order; or None for an unknown zone.
    """
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        return None
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found; not a zone file; a directory
        return None
    start, end = _FIRST.replace(tzinfo=zone), _LAST.replace(tzinfo=zone)
    rule = _rule(zone, start)
    found = [_row(start, rule)]
    if zone.utcoffset(None) is not None:  # the same at all times
        return found
    while start < end:
        then = min(start + _STEP, end)
        while rule != _rule(zone, then):
            start = _first_change(zone, start, then)
            rule = _rule(zone, start)
            found.append(_row(start, rule))
        start = then
    return found


def local_zone_name() -> str:
    """Give the IANA name of the machine's own time zone; `UTC` where it has none to tell."""
    return tzlocal.get_localzone_name() or "UTC"


def _rule(zone: ZoneInfo, moment: datetime) -> _Rule:
    """Give the offset and abbreviation in force at a moment: UTC, but labelled with the zone."""
    there = zone.fromutc(moment)
    return there.utcoffset(), there.tzname()


def _first_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime:
    """Find the second from which the rule of `start` no longer holds, if it ends once."""
    rule = _rule(zone, start)
    while end - start > _SECOND:
        middle = start + (end - start) // _SECOND // 2 * _SECOND
        if _rule(zone, middle) == rule:
            start = middle
        else:
            end = middle
    return end


def _row(moment: datetime, rule: _Rule) -> tuple[int, int, str]:
    offset, abbreviation = rule
    seconds = (moment.replace(tzinfo=UTC) - _EPOCH) // _SECOND
    return seconds, (offset or timedelta()) // _SECOND, abbreviation or ""
