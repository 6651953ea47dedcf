"""What holds for the places in a tree, whatever fails: one process each, and what was promised."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from specs import Restart
from supervise import _events as ev
from supervise._events import ChildState
from supervise._reasons import ChildKey
from supervise.testing import _records as rec
from supervise.testing._lives import Life, lives
from supervise.testing._trace import Trace
from supervise.testing._violation import Violation, invariant

_Found = Iterator[Violation]


@invariant(1)
def permanent_children_are_up(trace: Trace) -> _Found:
    """At rest every permanent child is up, unless it was stopped through a call."""
    resting = [index for index, each in enumerate(trace) if isinstance(each, rec.Settled)]
    if not resting or not trace[resting[0]].resting:  # type: ignore[union-attr]
        return
    settled = trace[resting[0]]
    before = Trace(trace.seed, trace.faults, trace[: resting[0]])
    latest = {life.path: life for life in lives(before)}
    for life in latest.values():
        if any(isinstance(event, ev.SupervisorStopping) for event in life.events):
            continue
        for child, row in ev.fold(life.events).items():
            mine = [each for each in life.events if getattr(each, "child", None) == child]
            if (
                row.restart is Restart.PERMANENT
                and row.state is not ChildState.RUNNING
                and not _was_asked_for(life, mine[-1])
            ):
                yield Violation(
                    f"{life.path}/{child} is permanent and {row.state.value} at rest",
                    [mine[-1], settled],
                )


def _was_asked_for(life: Life, event: ev.Event) -> bool:
    """Whether somebody's call is behind an event."""
    cause: ev.Event | None = event
    while cause is not None:
        if isinstance(cause.cause, str):
            return cause.cause in _CALLS
        if isinstance(cause, ev.ChildIgnored):
            return True
        cause = life.numbered(cause.cause)
    return False


_CALLS: Final = ("terminate_child", "restart_child", "delete_child", "stop")


@invariant(2)
def nothing_outlives_its_supervisor(trace: Trace) -> _Found:
    """When a supervisor has ended, none of its processes is alive."""
    children: dict[str, dict[str, ev.Event]] = {}
    alive: dict[str, rec.Spawned | rec.Opened] = {}
    for record in trace:
        if isinstance(record, rec.Spawned | rec.Opened):
            alive[record.pid] = record
        elif isinstance(record, rec.Exited):
            alive.pop(record.pid, None)
            for other in alive.values():
                if isinstance(other, rec.Spawned) and other.child and other.parent == record.pid:
                    what = f"{other.pid} outlives its supervisor {record.pid}"
                    yield Violation(what, [other, record])
        elif isinstance(record, ev.ChildStarted):
            children.setdefault(record.supervisor, {})[str(record.pid)] = record
        elif isinstance(record, ev.SupervisorExited):
            for pid, started in children.pop(record.supervisor, {}).items():
                if pid in alive:
                    yield Violation(f"{pid} outlives {record.supervisor}", [started, record])


@invariant(3)
def one_life_at_a_time(trace: Trace) -> _Found:
    """A child has at most one live process."""
    held: dict[tuple[str, ChildKey], ev.ChildStarted] = {}
    alive: set[str] = set()
    for record in trace:
        if isinstance(record, rec.Spawned | rec.Opened):
            alive.add(record.pid)
        elif isinstance(record, rec.Exited):
            alive.discard(record.pid)
        elif isinstance(record, ev.ChildStarted):
            key = record.supervisor, record.child
            before = held.get(key)
            if before is not None and before.pid in alive:
                path = f"{record.supervisor}/{record.child}"
                yield Violation(f"{path} has two live processes", [before, record])
            held[key] = record


@invariant(4)
def one_place_for_each_pid(trace: Trace) -> _Found:
    """No process is the child of two supervisors, or twice of one."""
    seen: dict[object, ev.ChildStarted] = {}
    for record in trace.of(ev.ChildStarted):
        if record.pid in seen:
            yield Violation(f"{record.pid} is supervised twice", [seen[record.pid], record])
        seen[record.pid] = record


@invariant(63)
def ids_are_unique(trace: Trace) -> _Found:
    """No child is added under the id of another."""
    for life in lives(trace):
        for event, table in life.steps():
            if isinstance(event, ev.ChildAdded) and event.child in table:
                yield Violation(f"{life.path}/{event.child} is added twice", [event])


@invariant(70)
def every_step_is_told_once(trace: Trace) -> _Found:
    """The events of a supervisor are numbered from 1 without a gap, and fold to its table."""
    for life in lives(trace):
        numbers = [event.number for event in life.events]
        if numbers != list(range(1, len(numbers) + 1)):
            gap = next(
                (pair for pair in pairwise(life.events) if pair[1].number != pair[0].number + 1),
                tuple(life.events[:1]),
            )
            yield Violation(f"events of {life.path} are missing or told twice", gap)
        ends = [each for each in life.events if isinstance(each, ev.SupervisorExited)]
        if ends and ends[0] is not life.events[-1]:
            yield Violation(f"{life.path} does something after its end", [ends[0], life.events[-1]])
