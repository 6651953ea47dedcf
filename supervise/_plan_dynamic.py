"""The planner of a dynamic supervisor: children without ids, each restarted by itself.

Pure: no trio, no Lua, no clock, no I/O. Every input costs the same however many children there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from specs import LuaStart, TaskStart
from supervise import _events as ev
from supervise import _plan_io as io
from supervise._events import ChildState
from supervise._plan_child import ALIVE
from supervise._plan_core import OWN_ACCORD, PlannerCore
from supervise._restart import needs_restart

if TYPE_CHECKING:
    import random

    from specs import ChildSpec, DynamicSupervisorSpec, ExitReason
    from supervise._plan_child import Child


class DynamicPlanner(PlannerCore):
    """Decides everything for one incarnation of one dynamic supervisor.

    Its children are called by number, which a child keeps over restarts; callers name them by pid,
    while a child is restarting by its last one.

    Args:
        spec: The supervisor, already checked.
        rng: Where the jitter of backoffs comes from; seed it for a run that can be repeated.
        path: Where the supervisor stands in its tree; its id by default.
    """

    def __init__(
        self, spec: DynamicSupervisorSpec, rng: random.Random, path: str | None = None
    ) -> None:
        super().__init__(spec, rng, path)
        self.spec = spec
        self._pids: dict[object, Child] = {}
        self._ending = 0

    def number_of(self, pid: object) -> int | None:
        """The number of a child, by its pid or, while it is restarting, its last one."""
        child = self._pids.get(pid)
        return None if child is None else child.rank

    def _advance(self) -> None:
        if self._closing is not None and self._ending == 0:
            self._finish(self._closing)

    def _on_start(self, event: io.Start) -> None:
        self._record(ev.SupervisorStarted, "start")
        self._answer(event.ticket, io.Done())

    def _on_exits(self, event: io.Exits) -> None:
        failed: list[tuple[Child, ExitReason]] = []
        for exit_ in event.exits:
            child = self._find(exit_)
            if child is None or child.state is not ChildState.RUNNING:
                self._over(exit_)
            elif needs_restart(child.spec, exit_.reason):
                self._exited(child, exit_.reason, OWN_ACCORD, ChildState.WAITING)
                failed.append((child, exit_.reason))
            else:
                self._exited(child, exit_.reason, OWN_ACCORD, ChildState.REMOVED)
        if failed and self._charge_all(failed):
            for child, _ in failed:
                self._restart_alone(child)

    def _on_timer(self, event: io.TimerFired) -> None:
        child = self._timers.pop(event.key, None)
        if child is not None:
            self._begin_start(child, child.cause)

    def _start_ended(self, child: Child) -> None:
        if child.state is ChildState.RUNNING:
            self._pids.pop(child.last_pid, None)
            self._pids[child.pid] = child
            child.last_pid = child.pid

    def _start_failed(self, child: Child, reason: ExitReason) -> None:
        if child.starter is not None:
            self._not_started(child, reason, ChildState.REMOVED)
            self._refuse_starter(child, io.Refusal.START_FAILED, reason)
            self._settle(child)
            return
        self._not_started(child, reason, ChildState.WAITING)
        if self._charge(child, reason):
            self._restart_alone(child)

    def _is_in_group(self, child: Child) -> bool:  # noqa: ARG002 - there are no groups
        return False

    def _after_stop(self, child: Child) -> ChildState:
        renewed = child.renewer is not None and not child.stoppers and self._closing is None
        return ChildState.WAITING if renewed else ChildState.REMOVED

    def _after_ignore(self, child: Child) -> ChildState:  # noqa: ARG002
        return ChildState.REMOVED

    def _perform(self, call: io.Call) -> None:
        match call:
            case io.StartChildCall():
                self._start_child(call)
            case io.TerminateChildCall():
                self._terminate_child(call)
            case io.RenewChildCall():
                self._renew_child(call)
            case _:
                self._answer(call.ticket, io.Refused(io.Refusal.NOT_SUPPORTED))

    def _start_child(self, call: io.StartChildCall) -> None:
        if len(self._children) >= self.spec.max_children:
            self._answer(call.ticket, io.Refused(io.Refusal.MAX_CHILDREN))
            return
        spec = self._with_extra_arguments(call.spec)
        child = self._add(self._ranks + 1, spec, "start_child", added=True)
        child.starter = call.ticket
        self._begin_start(child, child.cause)

    def _with_extra_arguments(self, spec: ChildSpec) -> ChildSpec:
        extra, start = self.spec.extra_arguments, spec.start
        if not extra or not isinstance(start, LuaStart | TaskStart):
            return spec
        return attrs.evolve(spec, start=attrs.evolve(start, args=(*extra, *start.args)))

    def _terminate_child(self, call: io.TerminateChildCall) -> None:
        child = self._pids.get(call.child)
        if child is None:
            self._answer(call.ticket, io.Refused(io.Refusal.NOT_FOUND))
        elif child.state is ChildState.WAITING:
            self._cancel_timer(child.timer)
            self._report(ev.ChildRemoved, child, "terminate_child")
            self._enter(child, ChildState.REMOVED)
            self._answer(call.ticket, io.Done())
        else:
            child.stoppers += (call.ticket,)
            if child.state is not ChildState.STOPPING:
                self._begin_stop(child, "terminate_child")

    def _enter(self, child: Child, state: ChildState) -> None:
        if self._closing is not None and child.state in ALIVE and state not in ALIVE:
            self._ending -= 1
        super()._enter(child, state)
        if state is ChildState.REMOVED:
            self._pids.pop(child.last_pid, None)

    def _close(self, reason: ExitReason, cause: ev.Cause) -> None:
        """Decide to end: all children are asked to stop at once."""
        if self._closing is not None:
            return
        super()._close(reason, cause)
        stopping = self._records
        for child in self._children.values():
            if child.state in ALIVE:
                self._ending += 1
                if child.state is not ChildState.STOPPING:
                    self._begin_stop(child, stopping)
