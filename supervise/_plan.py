"""The planner of a supervisor with ordered children: strategies, calls, the ordered stop.

Pure: no trio, no Lua, no clock, no I/O. Under one_for_one each child is restarted by itself and an
exit costs the same however many siblings there are; what concerns several children, the initial
start included, goes step by step through one `Sequence`, and never holds up exits or calls.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from specs import AutoShutdown, ExitKind, ExitReason, Restart, Strategy
from supervise import _events as ev
from supervise import _plan_io as io
from supervise._events import ChildState
from supervise._plan_core import OWN_ACCORD, PlannerCore
from supervise._reasons import ChildFailedToStart, SignificantChildExited
from supervise._restart import needs_restart
from supervise._sequence import Phase, Sequence

if TYPE_CHECKING:
    import random

    from specs import SupervisorSpec
    from supervise._plan_child import Child

_RESTARTING: Final = (ChildState.WAITING, ChildState.STARTING)


class Planner(PlannerCore):
    """Decides everything for one incarnation of one supervisor.

    Args:
        spec: The supervisor, already checked.
        rng: Where the jitter of backoffs comes from; seed it for a run that can be repeated.
        path: Where the supervisor stands in its tree; its id by default.
    """

    def __init__(self, spec: SupervisorSpec, rng: random.Random, path: str | None = None) -> None:
        super().__init__(spec, rng, path)
        self.spec = spec
        self._sequence: Sequence | None = None
        self._start_ticket: io.Ticket | None = None
        self._later: deque[io.Call] = deque()

    # Inputs.

    def _on_start(self, event: io.Start) -> None:
        self._start_ticket = event.ticket
        for child in self.spec.children:
            self._add(child.id, child, "start", added=False)
        self._sequence = Sequence("start", initial=True)
        self._sequence.begin_stopping(self._children.values(), 0)

    def _on_exits(self, event: io.Exits) -> None:
        failed: list[tuple[Child, ExitReason]] = []
        significant: tuple[Child, ExitReason] | None = None
        for exit_ in event.exits:
            child = self._find(exit_)
            if child is None or child.state is not ChildState.RUNNING:
                self._over(exit_)
                continue
            reason, spec = exit_.reason, child.spec
            if needs_restart(spec, reason):
                self._exited(child, reason, OWN_ACCORD, self._after_failure())
                # In the scope that is being stopped it only saved a stop.
                if not self._is_stopping(child):
                    failed.append((child, reason))
                continue
            temporary = spec.restart is Restart.TEMPORARY
            then = ChildState.REMOVED if temporary else ChildState.STOPPED
            self._exited(child, reason, OWN_ACCORD, then)
            if spec.significant and significant is None:
                significant = (child, reason)
        if self._closing is not None:
            return
        if significant is not None and self._shuts_down():
            child, reason = significant
            error = SignificantChildExited(self.path, child.key, reason)
            self._close(ExitReason(ExitKind.SHUTDOWN, error), child.cause)
        elif failed:
            self._restart(failed)

    def _on_timer(self, event: io.TimerFired) -> None:
        child = self._timers.pop(event.key, None)
        if child is None:
            return
        sequence = self._sequence
        if sequence is not None and sequence.timer == event.key:
            self._release(sequence)
        else:
            self._begin_start(child, child.cause)

    # Restarts.

    def _shuts_down(self) -> bool:
        mode = self.spec.auto_shutdown
        return mode is AutoShutdown.ANY_SIGNIFICANT or (
            mode is AutoShutdown.ALL_SIGNIFICANT and self._active_significant == 0
        )

    def _is_stopping(self, child: Child) -> bool:
        sequence = self._sequence
        return sequence is not None and sequence.phase is Phase.STOPPING and sequence.covers(child)

    def _restart(self, failed: list[tuple[Child, ExitReason]]) -> None:
        """Restart children that ended together: one charge each, or one for their group."""
        strategy = self.spec.strategy
        if strategy is Strategy.ONE_FOR_ONE:
            # All are charged before any is started: nothing is started only to be stopped again.
            if self._charge_all(failed):
                for child, _ in failed:
                    self._restart_alone(child)
            return
        offender, reason = failed[0]
        if strategy is Strategy.REST_FOR_ONE:
            offender, reason = min(failed, key=lambda pair: pair[0].rank)
        if self._charge(offender, reason):
            self._restart_group(offender)

    def _restart_group(self, offender: Child) -> None:
        """Stop and start the offender's group, after its backoff; the restart is charged."""
        sequence = self._sequence
        first = 0 if self.spec.strategy is Strategy.ONE_FOR_ALL else offender.rank
        if sequence is None:
            sequence = self._sequence = Sequence(offender.cause)
        elif sequence.phase is not Phase.STARTING:
            first = min(first, sequence.first)
        # Otherwise what the sequence has started before the offender is kept.
        sequence.cause = offender.cause
        sequence.begin_stopping(self._children.values(), first)
        wait = self._wait(offender)
        if wait > 0 and self._now + wait > sequence.deadline:
            self._cancel_timer(sequence.timer)
            sequence.deadline = self._now + wait
            sequence.timer = self._set_timer(offender, sequence.deadline)
            sequence.held_by = offender

    def _release(self, sequence: Sequence) -> None:
        """Nothing holds back the sequence any more."""
        sequence.timer = 0
        sequence.deadline = 0.0
        sequence.held_by = None
        # Calls may have started children in its scope meanwhile.
        sequence.begin_stopping(self._children.values(), sequence.first)

    def _start_failed(self, child: Child, reason: ExitReason) -> None:
        if child.starter is not None:
            then = ChildState.REMOVED if child.added and child.starts == 1 else ChildState.STOPPED
            self._not_started(child, reason, then)
            self._refuse_starter(child, io.Refusal.START_FAILED, reason)
            self._settle(child)
            return
        sequence = self._sequence
        in_sequence = sequence is not None and sequence.is_starting(child)
        if in_sequence and sequence is not None and sequence.initial:
            self._not_started(child, reason, ChildState.STOPPED)
            error = ChildFailedToStart(self.path, child.key, reason)
            self._close(ExitReason(ExitKind.ERROR, error), child.cause)
            return
        self._not_started(child, reason, ChildState.WAITING)
        if not self._charge(child, reason):
            return
        if in_sequence:
            self._restart_group(child)
        else:
            self._restart_alone(child)

    def _start_ended(self, child: Child) -> None:
        if self._sequence is not None:
            self._sequence.skip(child)

    def _is_in_group(self, child: Child) -> bool:
        return self._sequence is not None and self._sequence.covers(child)

    def _after_failure(self) -> ChildState:
        return ChildState.WAITING if self._closing is None else ChildState.STOPPED

    def _after_stop(self, child: Child) -> ChildState:
        cut_short = child.starter is not None and child.added and child.starts == 1
        if cut_short or child.spec.restart is Restart.TEMPORARY:
            return ChildState.REMOVED
        if child.held or self._closing is not None:
            return ChildState.STOPPED
        return ChildState.WAITING

    def _after_ignore(self, child: Child) -> ChildState:
        temporary = child.spec.restart is Restart.TEMPORARY
        return ChildState.REMOVED if temporary else ChildState.STOPPED

    # Calls.

    def _perform(self, call: io.Call) -> None:
        match call:
            case io.StartChildCall():
                self._start_child(call)
            case io.TerminateChildCall():
                self._terminate_child(call)
            case io.RestartChildCall():
                self._restart_child(call)
            case io.DeleteChildCall():
                self._delete_child(call)
            case io.RenewChildCall():
                if self._is_acting():
                    self._later.append(call)
                else:
                    self._renew_child(call)

    def _start_child(self, call: io.StartChildCall) -> None:
        child = self._children.get(call.spec.id)
        if child is None:
            if self._is_acting():
                self._later.append(call)
                return
            child = self._add(call.spec.id, call.spec, "start_child", added=True)
            child.starter = call.ticket
            self._begin_start(child, child.cause)
        elif child.is_busy:
            child.queue += (call,)
        elif child.state is ChildState.RUNNING:
            self._answer(call.ticket, io.Refused(io.Refusal.ALREADY_STARTED, child.pid))
        else:
            self._answer(call.ticket, io.Refused(io.Refusal.ALREADY_PRESENT))

    def _terminate_child(self, call: io.TerminateChildCall) -> None:
        child = self._lookup(call)
        if child is None:
            return
        child.held = True
        if child.state is ChildState.STOPPING:
            child.stoppers += (call.ticket,)
        elif child.state in (ChildState.RUNNING, ChildState.STARTING):
            child.stoppers += (call.ticket,)
            self._begin_stop(child, "terminate_child")
        else:
            if child.state is ChildState.WAITING:
                self._give_up_waiting(child)
            self._answer(call.ticket, io.Done())

    def _give_up_waiting(self, child: Child) -> None:
        self._cancel_timer(child.timer)
        child.cause = self._report(ev.ChildStopped, child, "terminate_child")
        self._enter(child, ChildState.STOPPED)
        sequence = self._sequence
        if sequence is not None and sequence.held_by is child:
            self._cancel_timer(sequence.timer)
            self._release(sequence)

    def _restart_child(self, call: io.RestartChildCall) -> None:
        child = self._lookup(call)
        if child is None:
            return
        if child.is_busy:
            child.queue += (call,)
        elif child.state is ChildState.RUNNING:
            self._answer(call.ticket, io.Refused(io.Refusal.RUNNING, child.pid))
        elif child.state in _RESTARTING:
            self._answer(call.ticket, io.Refused(io.Refusal.RESTARTING))
        elif self._is_acting():
            self._later.append(call)
        else:
            child.starter = call.ticket
            self._begin_start(child, "restart_child")

    def _delete_child(self, call: io.DeleteChildCall) -> None:
        child = self._lookup(call)
        if child is None:
            return
        if child.is_busy:
            child.queue += (call,)
        elif child.state is ChildState.RUNNING:
            self._answer(call.ticket, io.Refused(io.Refusal.RUNNING, child.pid))
        elif child.state in _RESTARTING:
            self._answer(call.ticket, io.Refused(io.Refusal.RESTARTING))
        else:
            self._report(ev.ChildRemoved, child, "delete_child")
            self._enter(child, ChildState.REMOVED)
            self._answer(call.ticket, io.Done())

    def _lookup(
        self, call: io.TerminateChildCall | io.RestartChildCall | io.DeleteChildCall
    ) -> Child | None:
        child = self._children.get(call.child) if isinstance(call.child, str) else None
        if child is None:
            self._answer(call.ticket, io.Refused(io.Refusal.NOT_FOUND))
        return child

    def _is_acting(self) -> bool:
        """Whether a start asked for now would get between the steps of a sequence."""
        return self._sequence is not None and self._sequence.phase is not Phase.WAITING

    # Steps.

    def _advance(self) -> None:
        if self._closing is not None:
            self._advance_stop(self._closing)
        elif self._sequence is not None:
            self._advance_sequence(self._sequence)

    def _advance_sequence(self, sequence: Sequence) -> None:
        if sequence.phase is Phase.STOPPING:
            child = sequence.to_stop()
            if child is not None:
                # Somebody waits for a start under way: it is stopped once it is over.
                if child.state is not ChildState.STOPPING and child.starter is None:
                    self._begin_stop(child, sequence.cause)
                return
            if sequence.timer:
                sequence.phase = Phase.WAITING
                self._take_up_later()
                return
            sequence.begin_starting()
        if sequence.phase is Phase.STARTING:
            child = sequence.to_start()
            if child is None:
                self._end_sequence(sequence)
            elif child.state is not ChildState.STARTING:
                self._begin_start(child, sequence.cause)

    def _end_sequence(self, sequence: Sequence) -> None:
        self._sequence = None
        if sequence.initial:
            self._record(ev.SupervisorStarted, "start")
            self._answer(self._start_ticket, io.Done())
            self._start_ticket = None
        self._take_up_later()

    def _take_up_later(self) -> None:
        later, self._later = self._later, deque()
        for call in later:
            self._on_call(call)

    def _close(self, reason: ExitReason, cause: ev.Cause) -> None:
        if self._closing is None:
            super()._close(reason, cause)
            self._take_up_later()
            self._sequence = Sequence(self._records)
            self._sequence.begin_stopping(self._children.values(), 0)

    def _advance_stop(self, reason: ExitReason) -> None:
        sequence = self._sequence
        child = None if sequence is None else sequence.to_stop()
        if sequence is None or child is None:
            if self._start_ticket is not None:
                refused = io.Refused(io.Refusal.START_FAILED, reason=reason)
                self._answer(self._start_ticket, refused)
            self._finish(reason)
        elif child.state is not ChildState.STOPPING:
            self._begin_stop(child, sequence.cause)
