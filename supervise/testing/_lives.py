"""The lives of the supervisors in a trace: what each did, with its table before every step."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from attrs import define, field

from specs import ExitKind, Restart
from supervise import _events as ev
from supervise.testing import _records as rec

if TYPE_CHECKING:
    from supervise.testing._trace import Trace


@define(eq=False)
class Life:
    """One life of one supervisor.

    Attributes:
        path: The supervisor.
        declared: What its spec said; None if it was added later.
        events: What it did, in order.
    """

    path: str
    declared: rec.Declared | None
    events: list[ev.Event] = field(factory=list)

    def steps(self) -> Iterator[tuple[ev.Event, ev.Table]]:
        """Each event with the table before it. The table is brought up to date afterwards."""
        table: ev.Table = {}
        for event in self.events:
            yield event, table
            ev.apply(table, event)

    def numbered(self, number: ev.Cause) -> ev.Event | None:
        """The event with this number."""
        if isinstance(number, int) and 0 < number <= len(self.events):
            return self.events[number - 1]
        return None

    def failure_behind(self, event: ev.Event) -> ev.ChildEvent | None:
        """The end, or the failed start, of a child that led to an event; None if there is none."""
        cause: ev.Event | None = event
        while cause is not None:
            cause = self.numbered(cause.cause)
            if isinstance(cause, ev.ChildExited) and self._was_stopped(cause):
                continue
            if isinstance(cause, ev.ChildExited | ev.ChildStartFailed):
                return cause
            if isinstance(cause, ev.SupervisorStopping):
                return None
        return None

    def _was_stopped(self, end: ev.ChildExited) -> bool:
        """Whether the child was asked to end: what led to that is behind its end, too."""
        return isinstance(self.numbered(end.cause), ev.ChildStopping)

    @property
    def is_static(self) -> bool:
        """Whether its children have an order."""
        return self.declared is None or self.declared.strategy != "dynamic"

    @property
    def has_groups(self) -> bool:
        """Whether children restart together."""
        return self.declared is not None and self.declared.strategy in _GROUPS


_GROUPS: Final = ("one_for_all", "rest_for_one")


@functools.lru_cache(maxsize=4)
def lives(trace: Trace) -> list[Life]:
    """Every life of every supervisor, in the order of their beginnings."""
    declared: dict[str, rec.Declared] = {}
    found: list[Life] = []
    current: dict[str, Life] = {}
    for record in trace:
        if isinstance(record, rec.Declared):
            declared[record.supervisor] = record
        elif isinstance(record, ev.Event):
            path = record.supervisor
            if record.number == 1 or path not in current:
                current[path] = Life(path, declared.get(path))
                found.append(current[path])
            current[path].events.append(record)
    return found


def asked(table: ev.Table, event: ev.ChildEvent) -> bool:
    """Whether a child had been asked to stop."""
    row = table.get(event.child)
    return row is not None and row.state is ev.ChildState.STOPPING


def needs_restart(restart: Restart, kind: ExitKind) -> bool:
    """Whether a child of this type is started again after such an end of its own."""
    if restart is Restart.TRANSIENT:
        return kind in (ExitKind.ERROR, ExitKind.KILLED)
    return restart is Restart.PERMANENT
