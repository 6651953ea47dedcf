"""In which order children start and stop, and how supervisors end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from specs import ExitKind
from supervise import _events as ev
from supervise._events import ChildState
from supervise._reasons import ChildKey
from supervise.testing import _records as rec
from supervise.testing._lives import lives
from supervise.testing._trace import Trace
from supervise.testing._violation import Violation, invariant

_Found = Iterator[Violation]


@invariant(13)
def children_start_in_order(trace: Trace) -> _Found:
    """While a supervisor starts, one child is up before the next one starts."""
    for life in lives(trace):
        # Perhaps it is down again already, and waits for its restart.
        were_up: set[ChildKey] = set()
        for event, table in life.steps():
            if isinstance(event, ev.SupervisorStarted):
                break
            if isinstance(event, ev.ChildStarted):
                were_up.add(event.child)
            if isinstance(event, ev.ChildStarting):
                order = list(table)
                earlier = order[: order.index(event.child)]
                not_up = [each for each in earlier if table[each].state in _NOT_UP]
                late = [each for each in not_up if each not in were_up]
                if late:
                    what = f"{life.path}/{event.child} starts before {late[0]} is up"
                    yield Violation(what, [event])


_NOT_UP: Final = (ChildState.WAITING, ChildState.STARTING)


@invariant(14)
def children_stop_in_reverse_order(trace: Trace) -> _Found:
    """A supervisor that ends stops its children one after the other, the last one first."""
    for life in lives(trace):
        stopping = False
        for event, table in life.steps():
            stopping = stopping or isinstance(event, ev.SupervisorStopping)
            if not (stopping and life.is_static and isinstance(event, ev.ChildStopping)):
                continue
            order = list(table)
            later = order[order.index(event.child) + 1 :]
            up = [each for each in later if table[each].pid is not None]
            if up:
                what = f"{life.path}/{event.child} is asked to stop before {up[0]} is down"
                yield Violation(what, [event])


@invariant(15)
def groups_stop_before_they_start(trace: Trace) -> _Found:
    """In a group restart every child of the group is down before the first one starts."""
    for life in lives(trace):
        if not life.has_groups:
            continue
        stops: dict[ChildKey, ev.ChildStopping] = {}
        for event, table in life.steps():
            if isinstance(event, ev.ChildStopping) and life.failure_behind(event) is not None:
                stops[event.child] = event
            elif isinstance(event, ev.ChildExited):
                # A call may have it stopped again.
                stops.pop(event.child, None)
            elif isinstance(event, ev.ChildStarting) and life.failure_behind(event) is not None:
                for child, stop in stops.items():
                    if child in table and table[child].state is ChildState.STOPPING:
                        what = f"{life.path}/{event.child} starts while {child} still stops"
                        yield Violation(what, [stop, event])


@invariant(16)
def one_for_one_stops_nobody(trace: Trace) -> _Found:
    """Under one_for_one the end of a child is no reason to stop another."""
    for life in lives(trace):
        if life.declared is None or life.declared.strategy not in ("one_for_one", "dynamic"):
            continue
        for event in life.events:
            if isinstance(event, ev.ChildStopping):
                behind = life.failure_behind(event)
                if behind is not None and behind.child != event.child:
                    what = f"{life.path}/{event.child} is stopped as {behind.child} ended"
                    yield Violation(what, [behind, event])


@invariant(17)
def rest_for_one_spares_earlier_children(trace: Trace) -> _Found:
    """Under rest_for_one no child before the failed one is stopped."""
    for life in lives(trace):
        if life.declared is None or life.declared.strategy != "rest_for_one":
            continue
        for event, table in life.steps():
            behind = life.failure_behind(event) if isinstance(event, ev.ChildStopping) else None
            if behind is None or behind.child not in table:
                continue
            order = list(table)
            if order.index(event.child) < order.index(behind.child):  # type: ignore[attr-defined]
                what = f"{life.path}/{event.child} is stopped as {behind.child} ended"  # type: ignore[attr-defined]
                yield Violation(what, [behind, event])


@invariant(18)
def one_for_all_restarts_all(trace: Trace) -> _Found:
    """Under one_for_all nobody of the old group is up when the new one starts."""
    for life in lives(trace):
        if life.declared is None or life.declared.strategy != "one_for_all":
            continue
        for event, table in life.steps():
            if not isinstance(event, ev.ChildStarting):
                continue
            behind = life.failure_behind(event)
            if not isinstance(behind, ev.ChildExited):
                continue
            for row in table.values():
                if row.state is ChildState.RUNNING and row.incarnation < behind.incarnation:
                    what = f"{life.path}/{row.child} is still of the group before"
                    yield Violation(what, [behind, event])


@invariant(19, 28, 73)
def nothing_starts_after_the_decision_to_end(trace: Trace) -> _Found:
    """A supervisor that decided to end starts nobody."""
    for life in lives(trace):
        decision: ev.Event | None = None
        for event in life.events:
            if isinstance(event, ev.SupervisorStopping):
                decision = event
            elif decision is not None and isinstance(event, ev.ChildStarting):
                what = f"{life.path}/{event.child} starts though {life.path} ends"
                yield Violation(what, [decision, event])


@invariant(31)
def one_request_to_stop(trace: Trace) -> _Found:
    """A life of a child is asked to stop at most once."""
    for life in lives(trace):
        asked_before: dict[tuple[ChildKey, int], ev.Event] = {}
        for event in life.events:
            if isinstance(event, ev.ChildStopping):
                key = event.child, event.incarnation
                if key in asked_before:
                    what = f"{life.path}/{event.child} is asked to stop twice"
                    yield Violation(what, [asked_before[key], event])
                asked_before[key] = event


@invariant(34)
def supervisors_end_as_they_decided(trace: Trace) -> _Found:
    """A supervisor ends for the reason it decided to end for, unless it was killed meanwhile."""
    for life in lives(trace):
        decisions = [each for each in life.events if isinstance(each, ev.SupervisorStopping)]
        ends = [each for each in life.events if isinstance(each, ev.SupervisorExited)]
        for decision, end in zip(decisions, ends, strict=False):
            if end.reason != decision.reason and end.reason.kind is not ExitKind.KILLED:
                what = f"{life.path} decided to end {decision.reason} and ended {end.reason}"
                yield Violation(what, [decision, end])


@invariant(35, 36)
def stops_come_to_an_end(trace: Trace) -> _Found:
    """A supervisor that decided to end ends, once."""
    finished = trace.of(rec.Finished)
    for life in lives(trace):
        decisions = [each for each in life.events if isinstance(each, ev.SupervisorStopping)]
        ends = [each for each in life.events if isinstance(each, ev.SupervisorExited)]
        if finished and len(ends) < min(len(decisions), 1):
            yield Violation(f"{life.path} decided to end and never did", [*decisions, *finished])
        if max(len(ends), len(decisions)) > 1:
            yield Violation(f"{life.path} ended more than once", [*decisions, *ends])
