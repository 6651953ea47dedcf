"""The values that both languages know besides plain data. Knows neither Lua nor bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Struct

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _check(value: object, kind: type, what: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{what} must be of the type {kind.__name__}, got {value!r}")


class Fault(Struct, frozen=True):
    """An error object of Lua: what `errors.new` makes and every `err` of the Lua API is.

    Attributes:
        message: What happened. Bytes that are not UTF-8 stand as surrogate escapes.
        kind: One of the kinds of the Lua module `errors`, such as `"NotFound"`; `""` is unknown.
        retryable: Whether trying again may help; `None` if nobody said.
        details: Data about the failure, or `None`.
        stack: The Lua stack where it was made, or `None`.
        context: What `errors.wrap` put in front of the message, in the order of wrapping.
    """

    message: str
    kind: str = ""
    retryable: bool | None = None
    details: Term = None
    stack: str | None = None
    context: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Every crash makes one: there is a call only for what is wrong.
        if not isinstance(self.message, str):
            _check(self.message, str, "Fault.message")
        if not isinstance(self.kind, str):
            _check(self.kind, str, "Fault.kind")
        if self.retryable is not None:
            _check(self.retryable, bool, "Fault.retryable")
        if not (self.stack is None or isinstance(self.stack, str)):
            _check(self.stack, str, "Fault.stack")
        if self.context == ():
            return
        _check(self.context, tuple, "Fault.context")
        for text in self.context:
            _check(text, str, "each text of Fault.context")

    def __str__(self) -> str:
        """The contexts, outermost first, then the message."""
        return ": ".join([*reversed(self.context), self.message])


class Time(Struct, frozen=True):
    """A moment and the zone it is told in: a Time of Lua.

    Attributes:
        seconds: Whole seconds since 1970-01-01 UTC.
        nanoseconds: What is left, 0 to 999,999,999.
        zone: The name of the zone, such as `"Europe/Berlin"`; `""` if it has none.
        offset: Seconds east of UTC at this moment.
        abbreviation: What clocks there say, such as `"CET"`.
    """

    seconds: int
    nanoseconds: int = 0
    zone: str = "UTC"
    offset: int = 0
    abbreviation: str = "UTC"

    def __post_init__(self) -> None:
        _check(self.seconds, int, "Time.seconds")
        _check(self.nanoseconds, int, "Time.nanoseconds")
        _check(self.zone, str, "Time.zone")
        _check(self.offset, int, "Time.offset")
        _check(self.abbreviation, str, "Time.abbreviation")

    @classmethod
    def from_datetime(cls, moment: datetime) -> Time:
        """The same moment in the same zone.

        Raises:
            ValueError: `moment` is naive: it names no moment.
        """
        offset = moment.utcoffset()
        if offset is None:
            raise ValueError("a naive datetime names no moment; give it a tzinfo")
        seconds, microseconds = divmod((moment - _EPOCH) // _MICROSECOND, 1_000_000)
        abbreviation = moment.tzname() or ""
        zone = moment.tzinfo.key if isinstance(moment.tzinfo, ZoneInfo) else abbreviation
        return cls(
            seconds, microseconds * 1000, zone or "", int(offset.total_seconds()), abbreviation
        )

    def to_datetime(self) -> datetime:
        """The same moment as an aware datetime, which keeps only microseconds.

        The named zone is used if this machine knows it and agrees about the offset; otherwise
        a fixed offset.

        Raises:
            OverflowError: The moment is outside the years 1 to 9999.
            ValueError: The offset is a day or more.
        """
        span = timedelta(seconds=self.seconds, microseconds=self.nanoseconds // 1000)
        return (_EPOCH + span).astimezone(self._tzinfo(_EPOCH + span))

    def _tzinfo(self, moment: datetime) -> tzinfo:
        offset = timedelta(seconds=self.offset)
        if self.zone == "UTC" and not offset:
            return UTC
        try:
            named = ZoneInfo(self.zone)
        except (OSError, ValueError, LookupError):  # no such zone, or no name of one
            named = None
        if named is not None and moment.astimezone(named).utcoffset() == offset:
            return named
        return timezone(offset, self.abbreviation) if self.abbreviation else timezone(offset)


class Duration(Struct, frozen=True):
    """A span of time: a Duration of Lua.

    Attributes:
        nanoseconds: Its length; may be negative.
    """

    nanoseconds: int

    def __post_init__(self) -> None:
        _check(self.nanoseconds, int, "Duration.nanoseconds")

    @classmethod
    def from_timedelta(cls, span: timedelta) -> Duration:
        """The same span, exactly."""
        return cls(span // _MICROSECOND * 1000)

    def total_seconds(self) -> float:
        """The span in seconds."""
        return self.nanoseconds / 1e9

    def to_timedelta(self) -> timedelta:
        """The span as a timedelta, which keeps only microseconds."""
        return timedelta(microseconds=self.nanoseconds // 1000)


Term: TypeAlias = (
    "bool | int | float | str | bytes | Fault | Time | Duration | datetime | timedelta"
    " | Sequence[Term] | Mapping[Any, Term] | None"
)
"""What can be sent. Sequences are lists and tuples; keys of mappings str, bytes, int, float, bool.

What arrives holds lists and dicts only, and no datetime or timedelta.
"""
