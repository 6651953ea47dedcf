"""Writes a trace: takes what the kernel and the supervisors report, and makes records of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from lua_api import as_text
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
_WITH_REASON = (ChildExited, ChildStartFailed, SupervisorExited, SupervisorStopping)


def _text(value: Any) -> Any:  # noqa: ANN401 - text, bytes or None
    return as_text(value) if isinstance(value, bytes) else value


def _exited(  # noqa: PLR0917 - the fields of a row
    at: float,
    pid: str,
    label: str,
    error: Any,  # noqa: ANN401
    kind: str,
    forced: str,
    uptime: int,
    result: Any = None,  # noqa: ANN401
) -> Record:
    seconds = uptime / _NANOSECONDS
    return rec.Exited(at, pid, label, _text(error), _text(kind), forced, seconds, plain(result))


def _registered(at: float, name: Any, pid: str) -> Record:  # noqa: ANN401
    return rec.Registered(at, _text(name), pid)


def _released(at: float, name: Any, pid: str) -> Record:  # noqa: ANN401
    return rec.Released(at, _text(name), pid)


def _ready(at: float, pid: str, value: Any) -> Record:  # noqa: ANN401
    return rec.Ready(at, pid, plain(value))


def _printed(at: float, pid: str, text: Any) -> Record:  # noqa: ANN401
    return rec.Printed(at, pid, _text(text))


def _sent(at: float, pid: Any, sender: str | None, topic: Any, payload: Any, error: Any) -> Record:  # noqa: ANN401, PLR0917
    return rec.Sent(at, _text(pid), sender, _text(topic), plain(payload), _text(error))


def _received(at: float, pid: str, sender: str | None, topic: Any, payload: Any) -> Record:  # noqa: ANN401
    return rec.Received(at, pid, sender, _text(topic), plain(payload))


def _signalled(at: float, pid: str, kind: str, about: str, error: Any) -> Record:  # noqa: ANN401
    return rec.Signalled(at, pid, kind, about, _text(error))


# In the order of the kinds in lua_api/simulation/facts.lua, but for the last one.
_RECORDS: Final[tuple[Callable[..., Record], ...]] = (
    rec.Opened,
    rec.Spawned,
    _ready,
    _exited,
    _registered,
    _released,
    _printed,
    _sent,
    _received,
    _signalled,
    rec.Linked,
    rec.Unlinked,
    rec.Monitored,
    rec.Unmonitored,
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

    def on_facts(self, rows: list[Any]) -> None:
        """The kernel has run, and this happened."""
        records = self.records
        for kind, now, *fields in rows:
            at = now / _NANOSECONDS
            if kind == _INJECTED:
                number, pid, effect = fields
                records.append(rec.Injected(at, self._faults[number], pid, effect))
                continue
            record = _RECORDS[kind](at, *fields)
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
        elif isinstance(event, _WITH_REASON):
            event = replace(event, reason=plain_reason(event.reason))
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
