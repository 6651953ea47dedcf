"""The values that both languages know besides plain data. Knows neither Lua nor bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any, TypeAlias
from zoneinfo import ZoneInfo

from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of, optional

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@frozen
class Fault:
    """An error object of Lua: what `errors.new` makes and every `err` of the Lua API is.

    Attributes:
        message: What happened. Bytes that are not UTF-8 stand as surrogate escapes.
        kind: One of the kinds of the Lua module `errors`, such as `"NotFound"`; `""` is unknown.
        retryable: Whether trying again may help; `None` if nobody said.
        details: Data about the failure, or `None`.
        stack: The Lua stack where it was made, or `None`.
        context: What `errors.wrap` put in front of the message, in the order of wrapping.
    """

    message: str = field(validator=instance_of(str))
    kind: str = field(default="", validator=instance_of(str))
    retryable: bool | None = field(default=None, validator=optional(instance_of(bool)))
    details: Term = None
    stack: str | None = field(default=None, validator=optional(instance_of(str)))
    context: tuple[str, ...] = field(
        default=(), validator=deep_iterable(instance_of(str), instance_of(tuple))
    )

    def __str__(self) -> str:
        """The contexts, outermost first, then the message."""
        return ": ".join([*reversed(self.context), self.message])


@frozen
class Time:
    """A moment and the zone it is told in: a Time of Lua.

    Attributes:
        seconds: Whole seconds since 1970-01-01 UTC.
        nanoseconds: What is left, 0 to 999,999,999.
        zone: The name of the zone, such as `"Europe/Berlin"`; `""` if it has none.
        offset: Seconds east of UTC at this moment.
        abbreviation: What clocks there say, such as `"CET"`.
    """

    seconds: int = field(validator=instance_of(int))
    nanoseconds: int = field(default=0, validator=instance_of(int))
    zone: str = field(default="UTC", validator=instance_of(str))
    offset: int = field(default=0, validator=instance_of(int))
    abbreviation: str = field(default="UTC", validator=instance_of(str))

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


@frozen
class Duration:
    """A span of time: a Duration of Lua.

    Attributes:
        nanoseconds: Its length; may be negative.
    """

    nanoseconds: int = field(validator=instance_of(int))

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
