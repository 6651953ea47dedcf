"""Writes a trace: takes what the kernel and the supervisors report, and makes records of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from lua_api import decode
from specs import ExitReason
from supervise._events import (
    ChildExited,
    ChildStartFailed,
    ChildStarting,
    Event,
    SupervisorExited,
    SupervisorStopping,
)
from supervise.testing import _records as rec
from supervise.testing._plain import plain, plain_reason
from supervise.testing._records import Record

_NANOSECONDS: Final = 1_000_000_000
_WITH_REASON: Final = {ChildExited, ChildStartFailed, SupervisorExited, SupervisorStopping}


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _maybe(value: Any) -> str | None:  # noqa: ANN401 - bytes, or False
    return None if value is False else _text(value)


def _value(value: Any) -> Any:  # noqa: ANN401 - wire form, a number, or False
    if value is False:
        return None
    return plain(decode(value)) if isinstance(value, bytes) else value


# Each takes the time and the fields of a fact, as lua_api/simulation/facts.lua lists them, and then
# the rest of the row.


def _opened(at: float, *row: Any) -> Record:  # noqa: ANN401
    return rec.Opened(at, _text(row[0]), _text(row[1]), row[2])


def _spawned(at: float, *row: Any) -> Record:  # noqa: ANN401
    pid, entry, host, parent, child, incarnation, _ = row
    return rec.Spawned(
        at, _text(pid), _text(entry), _text(host), _text(parent), _maybe(child), incarnation
    )


def _ready(at: float, *row: Any) -> Record:  # noqa: ANN401
    return rec.Ready(at, _text(row[0]), _value(row[1]))


def _exited(at: float, *row: Any) -> Record:  # noqa: ANN401
    pid, label, error, kind, forced, uptime, result = row
    return rec.Exited(
        at,
        _text(pid),
        _text(label),
        _maybe(error),
        _text(kind),
        _text(forced),
        uptime / _NANOSECONDS,
        _value(result),
    )


def _sent(at: float, *row: Any) -> Record:  # noqa: ANN401
    pid, sender, topic, payload, error, *_ = row
    return rec.Sent(at, _text(pid), _maybe(sender), _text(topic), _value(payload), _maybe(error))


def _received(at: float, *row: Any) -> Record:  # noqa: ANN401
    return rec.Received(at, _text(row[0]), _maybe(row[1]), _text(row[2]), _value(row[3]))


def _signalled(at: float, *row: Any) -> Record:  # noqa: ANN401
    return rec.Signalled(at, _text(row[0]), _text(row[1]), _text(row[2]), _maybe(row[3]))


def _of_two(kind: type[Any]) -> Callable[..., Record]:
    """For a record of two texts."""
    return lambda at, one, other, *_: kind(at, _text(one), _text(other))


# In the order of the kinds, but for the last one.
_RECORDS: Final[tuple[Callable[..., Record], ...]] = (
    _opened,
    _spawned,
    _ready,
    _exited,
    _of_two(rec.Registered),
    _of_two(rec.Released),
    _of_two(rec.Printed),
    _sent,
    _received,
    _signalled,
    _of_two(rec.Linked),
    _of_two(rec.Unlinked),
    _of_two(rec.Monitored),
    _of_two(rec.Unmonitored),
)
_INJECTED: Final = len(_RECORDS)


class Recorder:
    """Everything that has happened so far.

    Args:
        faults: The faults of the plan as code, by their numbers.

    Attributes:
        records: What happened, in order.
        lives: How many lives each child has had, by its path.
        seen: What processes have been known by: paths, names and entries.
        pids: The latest process of each path.
        alive: The processes that are alive, oldest first.
    """

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.records: list[Record] = []
        self.lives: Counter[str] = Counter()
        self.seen: dict[str, None] = {}
        self.pids: dict[str, str] = {}
        self.alive: dict[str, None] = {}
        self._faults = faults
        self._starting: dict[str, str] = {}
        self._paths: dict[str, str] = {}

    def on_facts(self, rows: list[tuple[Any, ...]]) -> None:
        """The kernel has run, and this happened."""
        records = self.records
        for kind, now, *row in rows:
            at = now / _NANOSECONDS
            if kind == _INJECTED:
                number, pid, effect, *_ = row
                records.append(rec.Injected(at, self._faults[number], _maybe(pid), _text(effect)))
                continue
            record = _RECORDS[kind](at, *row)
            records.append(record)
            note = _NOTES.get(type(record))
            if note is not None:
                note(self, record)

    def on_event(self, event: Event) -> None:
        """A supervisor has taken a step."""
        if isinstance(event, ChildStarting):
            path = f"{event.supervisor}/{event.child}"
            self.lives[path] += 1
            self._starting[event.supervisor] = path
            self.seen[path] = None
        elif type(event) in _WITH_REASON:
            reason: ExitReason = event.reason  # type: ignore[attr-defined]
            told = plain_reason(reason)
            if told is not reason:
                event = replace(event, reason=told)
        self.records.append(event)

    def injected(self, at: float, fault: object, pid: str | None, effect: str) -> None:
        """A fault was injected outside the kernel."""
        self.records.append(rec.Injected(at, repr(fault), pid, effect))

    def child_of(self, supervisor: str) -> tuple[str, int]:
        """The child that the supervisor with this pid starts now, and which life of it."""
        path = self._starting[self._paths[supervisor]]
        return path, self.lives[path]

    def _opened(self, record: rec.Opened) -> None:
        if record.supervisor:
            self._paths[record.pid] = record.label
        self.pids[record.label] = record.pid
        self.alive[record.pid] = None
        self.seen[record.label] = None

    def _spawned(self, record: rec.Spawned) -> None:
        self.seen[record.entry] = None
        self.alive[record.pid] = None
        if record.child is not None:
            self.pids[record.child] = record.pid

    def _exited(self, record: rec.Exited) -> None:
        self.alive.pop(record.pid, None)

    def _named(self, record: rec.Registered) -> None:
        self.seen[record.name] = None


_NOTES: Final[Mapping[type[Any], Callable[[Recorder, Any], None]]] = {
    rec.Opened: Recorder._opened,
    rec.Spawned: Recorder._spawned,
    rec.Exited: Recorder._exited,
    rec.Registered: Recorder._named,
}
