"""What happened in a supervisor: one frozen record a transition. Folding them gives its table."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from supervise._reasons import ChildKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specs import ExitReason, Restart

Cause: TypeAlias = int | str
"""The number of the record that led to this one, or in words what was asked for, as `"stop"`."""


class ChildState(Enum):
    """Where a child stands in its supervisor's table."""

    WAITING = "waiting"
    """To be started without being asked for: when its turn comes, or its backoff is over."""
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    """Not running and not to be started by itself."""
    REMOVED = "removed"
    """No longer in the table."""


class Event(Struct, frozen=True):
    """One transition of a supervisor or a child.

    Attributes:
        number: Counts the records of one supervisor's life, from 1.
        at: When, on the clock of whoever runs the supervisor.
        supervisor: The path of the supervisor.
        cause: What led to it.
    """

    number: int
    at: float
    supervisor: str
    cause: Cause


class ChildEvent(Event, frozen=True):
    """One transition of a child.

    Attributes:
        child: What the supervisor calls it.
        incarnation: Which life of it; no two starts of a supervisor share a number.
    """

    child: ChildKey
    incarnation: int


class ChildAdded(ChildEvent, frozen=True):
    """A child entered the table; it waits to be started."""

    restart: Restart
    is_supervisor: bool


class ChildStarting(ChildEvent, frozen=True):
    """A start began."""


class ChildStarted(ChildEvent, frozen=True):
    """A start ended well."""

    pid: object


class ChildStartFailed(ChildEvent, frozen=True):
    """A start failed; `then` is what becomes of the child."""

    reason: ExitReason
    then: ChildState


class ChildIgnored(ChildEvent, frozen=True):
    """A start ended without a process, on purpose; `then` is what becomes of the child."""

    then: ChildState


class RestartDelayed(ChildEvent, frozen=True):
    """The child's next start waits for `seconds`."""

    seconds: float


class ChildStopping(ChildEvent, frozen=True):
    """The child is asked to stop."""


class ChildExited(ChildEvent, frozen=True):
    """A child ended after `uptime` seconds; `then` is what becomes of it."""

    reason: ExitReason
    uptime: float
    then: ChildState


class ChildStopped(ChildEvent, frozen=True):
    """A child that waited for its start is not to be started after all."""


class ChildRemoved(ChildEvent, frozen=True):
    """A stopped child left the table."""


class SupervisorStarted(Event, frozen=True):
    """Every child has started."""


class SupervisorStopping(Event, frozen=True):
    """The supervisor decided to end; nothing is started any more, what waited is stopped."""

    reason: ExitReason


class SupervisorExited(Event, frozen=True):
    """No child is left; the supervisor ended."""

    reason: ExitReason


ALL_EVENTS: Final[frozenset[type[Event]]] = frozenset(
    {*ChildEvent.__subclasses__(), *Event.__subclasses__()} - {ChildEvent}
)


class ChildRow(Struct, frozen=True):
    """A child as its supervisor's table has it.

    Attributes:
        child: What the supervisor calls it.
        state: Where it stands.
        pid: Its process, None unless it is running or being stopped.
        incarnation: Which life of it; 0 before the first.
        restart: Its restart type.
        is_supervisor: Whether it is a supervisor itself.
    """

    child: ChildKey
    state: ChildState
    pid: object
    incarnation: int
    restart: Restart
    is_supervisor: bool


Table: TypeAlias = dict[ChildKey, ChildRow]


class ChildCounts(Struct, frozen=True):
    """How many children a table holds.

    Attributes:
        specs: All of them, running or not.
        active: Those with a process.
        supervisors: Those that are supervisors themselves.
        workers: The others.
    """

    specs: int
    active: int
    supervisors: int
    workers: int


def count(table: Table) -> ChildCounts:
    """Count the children of a table."""
    rows = table.values()
    supervisors = sum(row.is_supervisor for row in rows)
    active = sum(row.pid is not None for row in rows)
    return ChildCounts(len(table), active, supervisors, len(table) - supervisors)


def fold(events: Iterable[Event]) -> Table:
    """The table of a supervisor after these records, its children in start order."""
    table: Table = {}
    for event in events:
        apply(table, event)
    return table


def apply(table: Table, event: Event) -> None:
    """Bring a table up to date with the next record."""
    match event:
        case ChildAdded():
            table[event.child] = ChildRow(
                event.child, ChildState.WAITING, None, 0, event.restart, event.is_supervisor
            )
        case ChildStarting():
            _enter(table, event, ChildState.STARTING)
        case ChildStarted():
            _enter(table, event, ChildState.RUNNING, event.pid)
        case ChildStopping():
            _enter(table, event, ChildState.STOPPING, table[event.child].pid)
        case ChildStopped():
            _enter(table, event, ChildState.STOPPED)
        case ChildRemoved():
            _enter(table, event, ChildState.REMOVED)
        case ChildExited() | ChildStartFailed() | ChildIgnored():
            _enter(table, event, event.then)
        case SupervisorStopping():
            waiting = [row for row in table.values() if row.state is ChildState.WAITING]
            table.update({row.child: replace(row, state=ChildState.STOPPED) for row in waiting})
        case SupervisorExited():
            table.clear()
        case _:
            pass


def _enter(table: Table, event: ChildEvent, state: ChildState, pid: object = None) -> None:
    if state is ChildState.REMOVED:
        del table[event.child]
    else:
        table[event.child] = replace(
            table[event.child], state=state, pid=pid, incarnation=event.incarnation
        )
