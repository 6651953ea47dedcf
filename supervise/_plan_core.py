"""What all planners share: one child's start, end and restart, the limit, the records.

Pure: no trio, no Lua, no clock, no I/O. A planner is a mutable state with one way in and out,
`handle(input, now) -> actions`. It is deterministic (chance comes from the generator it was given)
and can be copied with `copy.deepcopy`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from specs import ExitKind, ExitReason, Restart
from supervise import _events as ev
from supervise import _plan_io as io
from supervise._backoff import delay, failures_after
from supervise._events import ChildState
from supervise._history import PastExit, remember
from supervise._intensity import RestartWindow
from supervise._plan_child import ACTIVE, Child
from supervise._reasons import ChildKey, RestartLimitReached

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from specs import AnySupervisorSpec, ChildSpec

_METHODS: Final[Mapping[type[Any], str]] = {
    io.Exits: "_on_exits",
    io.StartSucceeded: "_on_start_succeeded",
    io.StartFailed: "_on_start_failed",
    io.StartIgnored: "_on_start_ignored",
    io.StopFinished: "_on_stop_finished",
    io.TimerFired: "_on_timer",
    io.Start: "_on_start",
    io.Stop: "_on_stop",
    io.StartChildCall: "_on_call",
    io.TerminateChildCall: "_on_call",
    io.RestartChildCall: "_on_call",
    io.DeleteChildCall: "_on_call",
    io.RenewChildCall: "_on_call",
}
OWN_ACCORD: Final = "own accord"


class PlannerCore(ABC):
    """The part of a planner that does not depend on the kind of supervisor."""

    def __init__(self, spec: AnySupervisorSpec, rng: random.Random, path: str | None) -> None:
        self.path = path or spec.id
        self._children: dict[ChildKey, Child] = {}
        self._window = RestartWindow(spec.max_restarts, spec.max_seconds)
        self._rng = rng
        self._timers: dict[int, Child] = {}
        self._closing: ExitReason | None = None
        self._finished = False
        self._active_significant = 0
        self._incarnations = self._ranks = self._keys = self._records = 0
        self._now = 0.0
        self._wanted = ev.ALL_EVENTS
        self._out: list[io.Action] = []

    # What others may see.

    def table(self) -> ev.Table:
        """The children as they are, in start order."""
        return {key: child.row() for key, child in self._children.items()}

    def child(self, key: ChildKey) -> Child | None:
        """One child, to look at only."""
        return self._children.get(key)

    def handle(
        self, event: io.Input, now: float, wanted: frozenset[type[ev.Event]] = ev.ALL_EVENTS
    ) -> list[io.Action]:
        """Take in what happened at `now` and say what to do, in order.

        Records are counted, and made if they are of a `wanted` kind. The first input is `Start`.
        Starts and stops take their time: the shell reports their ends as further inputs. Whatever
        is late, or about nobody, changes nothing.
        """
        self._now, self._wanted = now, wanted
        out: list[io.Action] = []
        self._out = out
        if not self._finished:
            getattr(self, _METHODS[type(event)])(event)
            self._advance()
        elif isinstance(event, io.Call | io.Start):
            self._answer(event.ticket, io.Refused(io.Refusal.SHUTTING_DOWN))
        return out

    # What each kind of supervisor decides for itself.

    @abstractmethod
    def _advance(self) -> None:
        """Take the next step of what is under way."""

    @abstractmethod
    def _on_start(self, event: io.Start) -> None: ...

    @abstractmethod
    def _on_exits(self, event: io.Exits) -> None: ...

    @abstractmethod
    def _on_timer(self, event: io.TimerFired) -> None: ...

    @abstractmethod
    def _perform(self, call: io.Call) -> None:
        """Do what a call asks for, or put it off."""

    @abstractmethod
    def _start_failed(self, child: Child, reason: ExitReason) -> None:
        """A start is over and failed."""

    @abstractmethod
    def _after_stop(self, child: Child) -> ChildState:
        """What becomes of a child that was stopped."""

    @abstractmethod
    def _after_ignore(self, child: Child) -> ChildState:
        """What becomes of a child whose start was ignored."""

    @abstractmethod
    def _is_in_group(self, child: Child) -> bool:
        """Whether the child is about to be started as one of a group."""

    @abstractmethod
    def _start_ended(self, child: Child) -> None:
        """A start is over and did not fail."""

    # Inputs that mean the same to all.

    def _on_stop(self, event: io.Stop) -> None:
        self._close(event.reason, "stop")

    def _on_call(self, call: io.Call) -> None:
        if self._closing is None:
            self._perform(call)
        else:
            self._answer(call.ticket, io.Refused(io.Refusal.SHUTTING_DOWN, reason=self._closing))

    def _on_start_succeeded(self, event: io.StartSucceeded) -> None:
        child = self._find(event)
        if child is None or child.state is not ChildState.STARTING:
            return
        self._report(ev.ChildStarted, child, child.cause, event.pid)
        child.pid = event.pid
        child.held = False
        child.started_at = self._now
        self._enter(child, ChildState.RUNNING)
        if child.added and child.spec.restart is Restart.TEMPORARY:
            child.forget_arguments()
        self._start_ended(child)
        if child.starter is not None:
            self._answer_starter(child, io.Done(event.pid, event.info))
        if child.queue:
            self._settle(child)

    def _on_start_ignored(self, event: io.StartIgnored) -> None:
        child = self._find(event)
        if child is None or child.state not in (ChildState.STARTING, ChildState.STOPPING):
            return
        stopping = child.state is ChildState.STOPPING
        then = self._after_stop(child) if stopping else self._after_ignore(child)
        child.held = child.held and stopping
        self._report(ev.ChildIgnored, child, child.cause, then)
        self._enter(child, then)
        self._start_ended(child)
        self._answer_starter(child, io.Done())
        self._answer_stoppers(child)
        self._settle(child)

    def _on_start_failed(self, event: io.StartFailed) -> None:
        self._over(event)

    def _on_stop_finished(self, event: io.StopFinished) -> None:
        child = self._find(event)
        if child is not None and child.state is ChildState.STOPPING:
            self._stopped(child, event.reason)

    def _over(self, event: io.StartFailed | io.Exit) -> None:
        """An end before the child was up, or while it was being stopped."""
        child = self._find(event)
        if child is None:
            return
        if child.state is ChildState.STOPPING:
            self._stopped(child, event.reason)
        elif child.state is ChildState.STARTING and self._closing is None:
            self._start_failed(child, event.reason)
        elif child.state is ChildState.STARTING:
            # Its turn to be stopped had not come.
            self._not_started(child, event.reason, self._after_stop(child))
            self._refuse_starter(child, io.Refusal.SHUTTING_DOWN, event.reason)
            self._settle(child)

    # Steps of one child.

    def _add(self, key: ChildKey, spec: ChildSpec, cause: ev.Cause, *, added: bool) -> Child:
        self._ranks += 1
        child = Child(key, self._ranks, spec, added)
        if spec.significant:
            self._active_significant += 1
        self._children[key] = child
        child.cause = self._report(ev.ChildAdded, child, cause, spec.restart, spec.is_supervisor)
        return child

    def _begin_start(self, child: Child, cause: ev.Cause) -> None:
        self._incarnations += 1
        child.incarnation = self._incarnations
        asked = child.starter is not None or child.renewer is not None
        child.restarts += child.starts > 0 and not asked
        child.starts += 1
        child.started_at = None
        child.cause = self._report(ev.ChildStarting, child, cause)
        self._enter(child, ChildState.STARTING)
        self._out.append(io.StartChild(child.key, child.incarnation, child.spec))

    def _begin_stop(self, child: Child, cause: ev.Cause) -> None:
        child.cause = self._report(ev.ChildStopping, child, cause)
        self._enter(child, ChildState.STOPPING)
        self._out.append(io.StopChild(child.key, child.incarnation, child.spec))

    def _exited(self, child: Child, reason: ExitReason, cause: ev.Cause, then: ChildState) -> None:
        """A child that was up has ended."""
        uptime = self._uptime(child)
        child.exits = remember(child.exits, PastExit(self._now, reason, uptime))
        child.cause = self._report(ev.ChildExited, child, cause, reason, uptime, then)
        child.pid = None
        self._enter(child, then)

    def _stopped(self, child: Child, reason: ExitReason) -> None:
        """A child that was being stopped has ended."""
        self._exited(child, reason, child.cause, self._after_stop(child))
        why = io.Refusal.START_FAILED if self._closing is None else io.Refusal.SHUTTING_DOWN
        self._refuse_starter(child, why, reason)
        self._answer_stoppers(child)
        if child.renewer is not None and not self._is_in_group(child):
            self._begin_start(child, child.cause)
        self._settle(child)

    def _not_started(self, child: Child, reason: ExitReason, then: ChildState) -> None:
        """A start has failed."""
        child.exits = remember(child.exits, PastExit(self._now, reason, 0.0))
        child.cause = self._report(ev.ChildStartFailed, child, child.cause, reason, then)
        self._enter(child, then)

    def _renew_child(self, call: io.RenewChildCall) -> None:
        """Give a running child a new life: not a failure, so that no limit and no backoff apply."""
        child = self._children.get(call.child)
        if child is None:
            self._answer(call.ticket, io.Refused(io.Refusal.NOT_FOUND))
        elif child.is_busy:
            child.queue += (call,)
        elif child.spec.restart is Restart.TEMPORARY:
            self._answer(call.ticket, io.Refused(io.Refusal.NOT_SUPPORTED))
        elif child.state is not ChildState.RUNNING:
            self._answer(call.ticket, io.Refused(io.Refusal.RESTARTING))
        else:
            child.renewer = call.ticket
            self._begin_stop(child, "upgrade")

    def _restart_alone(self, child: Child) -> None:
        """Start again a child whose restart is charged, at once or after its backoff."""
        wait = 0.0 if child.spec.backoff is None else self._wait(child)
        if wait > 0:
            child.timer = self._set_timer(child, self._now + wait)
        else:
            self._begin_start(child, child.cause)

    def _wait(self, child: Child) -> float:
        """Seconds until the next start of a child that just failed."""
        backoff = child.spec.backoff
        if backoff is None:
            return 0.0
        failures = failures_after(backoff, child.failures, self._uptime(child))
        child.failures = failures + 1
        wait = delay(backoff, failures, self._rng.random())
        self._report(ev.RestartDelayed, child, child.cause, wait)
        return wait

    def _uptime(self, child: Child) -> float:
        return 0.0 if child.started_at is None else self._now - child.started_at

    # The limit and the end.

    def _charge_all(self, failed: list[tuple[Child, ExitReason]]) -> bool:
        """Charge a restart for each child; False once the supervisor has given up over one."""
        return all(self._charge(child, reason) for child, reason in failed)

    def _charge(self, child: Child, reason: ExitReason) -> bool:
        """Charge one restart; False once the supervisor has given up over it."""
        window, now = self._window, self._now
        if window.charge(now):
            return True
        stamps = window.restarts(now)
        error = RestartLimitReached(
            self.path, child.key, reason, stamps, window.max_restarts, window.max_seconds
        )
        self._close(ExitReason(ExitKind.ERROR, error), child.cause)
        return False

    def _close(self, reason: ExitReason, cause: ev.Cause) -> None:
        """Decide to end. Nothing is started from here on."""
        if self._closing is not None:
            return
        self._closing = reason
        self._record(ev.SupervisorStopping, cause, reason)
        self._out += [io.CancelTimer(key) for key in self._timers]
        self._timers.clear()
        for child in self._children.values():
            if child.state is ChildState.WAITING:
                self._enter(child, ChildState.STOPPED)

    def _finish(self, reason: ExitReason) -> None:
        self._record(ev.SupervisorExited, "no child is left", reason)
        self._finished = True
        self._children.clear()
        self._out.append(io.Finish(reason))

    # Small change.

    def _find(
        self,
        event: io.StartSucceeded | io.StartFailed | io.StartIgnored | io.StopFinished | io.Exit,
    ) -> Child | None:
        child = self._children.get(event.child)
        return child if child is not None and child.incarnation == event.incarnation else None

    def _enter(self, child: Child, state: ChildState) -> None:
        if child.spec.significant:
            self._active_significant += (state in ACTIVE) - (child.state in ACTIVE)
        before, child.state = child.state, state
        if child.renewer is not None:
            self._answer_renewer(child, before)
        if state is ChildState.REMOVED:
            del self._children[child.key]

    def _settle(self, child: Child) -> None:
        """Take up the calls that waited for the child."""
        queue, child.queue = child.queue, ()
        for call in queue:
            self._on_call(call)

    def _set_timer(self, child: Child, at: float) -> int:
        self._keys += 1
        self._timers[self._keys] = child
        self._out.append(io.SetTimer(self._keys, at))
        return self._keys

    def _cancel_timer(self, key: int) -> None:
        if self._timers.pop(key, None) is not None:
            self._out.append(io.CancelTimer(key))

    def _answer(self, ticket: io.Ticket, result: io.Result) -> None:
        self._out.append(io.Answer(ticket, result))

    def _answer_starter(self, child: Child, result: io.Result) -> None:
        if child.starter is not None:
            ticket, child.starter = child.starter, None
            self._answer(ticket, result)

    def _refuse_starter(self, child: Child, why: io.Refusal, reason: ExitReason) -> None:
        self._answer_starter(child, io.Refused(why, reason=reason))

    def _answer_renewer(self, child: Child, before: ChildState) -> None:
        """The new life of a child is up, or will not be, or needs another try."""
        if child.state is ChildState.RUNNING:
            result: io.Result = io.Done(child.pid)
        elif child.state in ACTIVE and before is not ChildState.STARTING:
            return
        else:
            result = io.Refused(io.Refusal.START_FAILED)
        ticket, child.renewer = child.renewer, None
        self._answer(ticket, result)

    def _answer_stoppers(self, child: Child) -> None:
        tickets, child.stoppers = child.stoppers, ()
        for ticket in tickets:
            self._answer(ticket, io.Done())

    def _report(self, event: type[ev.ChildEvent], child: Child, cause: ev.Cause, *rest: Any) -> int:  # noqa: ANN401 - the fields of the record
        self._records = number = self._records + 1
        if event in self._wanted:
            record = event(number, self._now, self.path, cause, child.key, child.incarnation, *rest)
            self._out.append(io.Report(record))
        return number

    def _record(self, event: type[ev.Event], cause: ev.Cause, *rest: Any) -> int:  # noqa: ANN401
        self._records = number = self._records + 1
        if event in self._wanted:
            self._out.append(io.Report(event(number, self._now, self.path, cause, *rest)))
        return number
