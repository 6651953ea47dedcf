"""What holds for supervisors, whatever fails: the numbers are those of the specification."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from specs import ExitKind, Restart
from supervise import _events as ev
from supervise._events import ChildState
from supervise._reasons import ChildKey
from supervise.testing import _records as rec
from supervise.testing._lives import Life, asked, lives, needs_restart
from supervise.testing._trace import Trace
from supervise.testing._violation import Violation, invariant

_Found = Iterator[Violation]
_TOLERANCE: Final = 1e-6


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


def _ends_now(life: Life, event: ev.Event) -> bool:
    """Whether the supervisor ends, or decides to as the next thing it does."""
    following = life.numbered(event.number + 1)
    return isinstance(following, ev.SupervisorStopping) or any(
        isinstance(each, ev.SupervisorStopping) for each in life.events[: event.number]
    )


def _own_ends(trace: Trace, *types: Restart) -> Iterator[tuple[Life, ev.ChildExited]]:
    """Ends of children of these types that were not asked to stop, in supervisors that go on."""
    for life in lives(trace):
        for event, table in life.steps():
            if (
                isinstance(event, ev.ChildExited)
                and not asked(table, event)
                and table[event.child].restart in types
                and not _ends_now(life, event)
            ):
                yield life, event


@invariant(7)
def temporary_children_live_once(trace: Trace) -> _Found:
    """A temporary child is forgotten when it ends."""
    for life in lives(trace):
        for event, table in life.steps():
            if (
                isinstance(event, ev.ChildExited)
                and table[event.child].restart is Restart.TEMPORARY
                and event.then is not ChildState.REMOVED
                and not _ends_now(life, event)
            ):
                yield Violation(f"{life.path}/{event.child} is temporary and stays", [event])


@invariant(8)
def transient_children_restart_after_failures(trace: Trace) -> _Found:
    """A transient child that ended by itself is restarted only after an error or a kill."""
    for life, event in _own_ends(trace, Restart.TRANSIENT):
        wanted = needs_restart(Restart.TRANSIENT, event.reason.kind)
        if wanted != (event.then is ChildState.WAITING):
            yield Violation(
                f"{life.path}/{event.child} is transient, ended {event.reason.kind.value}, "
                f"and is then {event.then.value}",
                [event],
            )


@invariant(9)
def permanent_children_restart(trace: Trace) -> _Found:
    """A permanent child that ended by itself is restarted."""
    for life, event in _own_ends(trace, Restart.PERMANENT):
        if event.then is not ChildState.WAITING:
            what = f"{life.path}/{event.child} is permanent and then {event.then.value}"
            yield Violation(what, [event])


@invariant(10)
def temporary_children_stop_nobody(trace: Trace) -> _Found:
    """The end of a temporary child is never why another child is stopped."""
    for life in lives(trace):
        kinds = {
            each.child: each.restart for each in life.events if isinstance(each, ev.ChildAdded)
        }
        for event in life.events:
            if isinstance(event, ev.ChildStopping):
                behind = life.failure_behind(event)
                if behind is not None and kinds.get(behind.child) is Restart.TEMPORARY:
                    what = f"{life.path}/{event.child} is stopped as {behind.child} ended"
                    yield Violation(what, [behind, event])


@invariant(12)
def ignored_starts_leave_nothing(trace: Trace) -> _Found:
    """A start that was ignored has no process, and no end."""
    for life in lives(trace):
        ignored: dict[int, ev.Event] = {}
        for event in life.events:
            if isinstance(event, ev.ChildIgnored):
                ignored[event.incarnation] = event
            elif (
                isinstance(event, ev.ChildStarted | ev.ChildExited) and event.incarnation in ignored
            ):
                what = f"{life.path}/{event.child} ignored its start and runs"
                yield Violation(what, [ignored[event.incarnation], event])


@invariant(13)
def children_start_in_order(trace: Trace) -> _Found:
    """While a supervisor starts, one child is up before the next one starts."""
    for life in lives(trace):
        for event, table in life.steps():
            if isinstance(event, ev.SupervisorStarted):
                break
            if isinstance(event, ev.ChildStarting):
                order = list(table)
                earlier = order[: order.index(event.child)]
                late = [each for each in earlier if table[each].state in _NOT_UP]
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
        if life.declared is None or life.declared.strategy not in _GROUPS:
            continue
        stops: dict[ChildKey, ev.ChildStopping] = {}
        for event, table in life.steps():
            if isinstance(event, ev.ChildStopping) and life.failure_behind(event) is not None:
                stops[event.child] = event
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


def _charges(life: Life) -> list[ev.ChildEvent]:
    """What counts as a restart: ends and failed starts after which a child is to start again.

    Not the one that was too many, and of several at once that a group has in common only one.
    """
    grouped = life.declared is not None and life.declared.strategy in _GROUPS
    runs: list[list[ev.ChildEvent]] = []
    for event, table in life.steps():
        if (
            not isinstance(event, ev.ChildExited | ev.ChildStartFailed)
            or event.then is not ChildState.WAITING
            or asked(table, event)
        ):
            continue
        if grouped and runs and runs[-1][-1].number == event.number - 1:
            runs[-1].append(event)
        else:
            runs.append([event])
    too_many = {each.cause for each in life.events if isinstance(each, ev.SupervisorStopping)}
    return [run[-1] for run in runs if all(each.number not in too_many for each in run)]


_GROUPS: Final = ("one_for_all", "rest_for_one")


def _gave_up(event: ev.Event) -> bool:
    return isinstance(event, ev.SupervisorStopping) and " gave up on " in str(event.reason.error)


@invariant(23)
def restarts_stay_within_the_limit(trace: Trace) -> _Found:
    """In any window of max_seconds there are at most max_restarts restarts."""
    for life in lives(trace):
        if life.declared is None:
            continue
        # Of those at the moment of giving up it cannot be told which were still in order.
        given_up = {each.at for each in life.events if _gave_up(each)}
        charges = [each for each in _charges(life) if each.at not in given_up]
        most = life.declared.max_restarts
        for first, last in zip(charges, charges[most:], strict=False):
            if last.at - first.at <= life.declared.max_seconds - _TOLERANCE:
                what = f"{life.path} restarts more than {most} times within its limit"
                yield Violation(what, charges[charges.index(first) : charges.index(last) + 1])


@invariant(24)
def limits_are_not_reached_early(trace: Trace) -> _Found:
    """A supervisor gives up only after max_restarts restarts within max_seconds."""
    for life in lives(trace):
        for event in life.events:
            if not _gave_up(event) or life.declared is None:
                continue
            since = event.at - life.declared.max_seconds - _TOLERANCE
            charges = [each for each in _charges(life) if since <= each.at]
            if len(charges) < life.declared.max_restarts:
                what = f"{life.path} gave up after {len(charges)} restarts within its limit"
                yield Violation(what, [*charges, event])


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


@invariant(72)
def restarts_wait_for_their_backoff(trace: Trace) -> _Found:
    """A child with a backoff does not start before its wait is over, unless a call asked for it."""
    for life in lives(trace):
        delayed: dict[ChildKey, ev.RestartDelayed] = {}
        for event in life.events:
            if isinstance(event, ev.RestartDelayed):
                delayed[event.child] = event
            elif isinstance(event, ev.ChildStarting):
                wait = delayed.pop(event.child, None)
                early = wait is not None and event.at < wait.at + wait.seconds - _TOLERANCE
                if wait is not None and early and not isinstance(event.cause, str):
                    what = f"{life.path}/{event.child} starts before its wait is over"
                    yield Violation(what, [wait, event])
