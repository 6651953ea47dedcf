"""Who is restarted, how often and when: the numbers are those of the specification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from specs import Restart
from supervise import _events as ev
from supervise._events import ChildState
from supervise._reasons import ChildKey
from supervise.testing._lives import Life, asked, lives, needs_restart
from supervise.testing._trace import Trace
from supervise.testing._violation import Violation, invariant

_Found = Iterator[Violation]
_TOLERANCE: Final = 1e-6


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


def _charges(life: Life) -> list[ev.ChildEvent]:
    """What counts as a restart: ends and failed starts after which a child is to start again.

    Not the one that was too many, and of several at once that a group has in common only one.
    """
    runs: list[list[ev.ChildEvent]] = []
    for event, table in life.steps():
        if (
            not isinstance(event, ev.ChildExited | ev.ChildStartFailed)
            or event.then is not ChildState.WAITING
            or asked(table, event)
        ):
            continue
        if life.has_groups and runs and runs[-1][-1].number == event.number - 1:
            runs[-1].append(event)
        else:
            runs.append([event])
    too_many = {each.cause for each in life.events if isinstance(each, ev.SupervisorStopping)}
    return [run[-1] for run in runs if all(each.number not in too_many for each in run)]


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
