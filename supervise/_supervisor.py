"""A running supervisor: does what its planner says, there and then. Decides nothing itself."""

from __future__ import annotations

import weakref
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from specs import ChildSpec, DynamicSupervisorSpec, LuaStart, TaskStart, check_child
from supervise import _plan_io as io
from supervise._calls import StartedChild, Waiter, refusal_error
from supervise._child import KILLED, SHUTDOWN
from supervise._errors import ChildNotFoundError, SupervisorStoppedError
from supervise._events import ChildCounts, Table, count
from supervise._lua_child import LuaChild
from supervise._plan import Planner
from supervise._plan_dynamic import DynamicPlanner
from supervise._supervisor_child import SupervisorChild
from supervise._task_child import TaskChild

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lua_api import Kernel
    from specs import AnySupervisorSpec, ExitReason
    from supervise._alarm import Alarm
    from supervise._child import RunningChild
    from supervise._plan_child import Child
    from supervise._reasons import ChildKey
    from supervise._tree import Trees

_KINDS: Final[Mapping[type[Any], type[RunningChild]]] = {LuaStart: LuaChild, TaskStart: TaskChild}

# Actions in a row before others get their turn: about a millisecond.
_TURN = 32


class Supervisor:
    """A running supervisor. Made by `Node.start`, or by the supervisor above.

    Calls are answered one after the other. Cancelling a caller never undoes what it asked for: it
    has happened, or it will, or nothing was asked.

    Attributes:
        spec: As it was declared.
        path: The ids from the root of its tree down to it, with slashes between.
        pid: Its pid, for monitors; it takes no messages.
        opened_at: When its start began, on trio's clock.
        started: Whether its first start is done; kept for the root of a tree.
        killed: Whether it was ended by force: its children are not asked any more.
        kernel: The kernel, which knows the time of the turn under way.
    """

    kernel: Kernel

    def __init__(
        self,
        trees: Trees,
        spec: AnySupervisorSpec,
        path: str,
        pid: str,
        on_end: Callable[[Supervisor, ExitReason], None],
    ) -> None:
        self.trees = trees
        self.spec, self.path, self.pid = spec, path, pid
        self.opened_at = trio.current_time()
        self.started = self.killed = False
        self._on_end = on_end
        self._planner: Planner | DynamicPlanner = (
            DynamicPlanner(spec, trees.rng, path)
            if isinstance(spec, DynamicSupervisorSpec)
            else Planner(spec, trees.rng, path)
        )
        self._children: dict[ChildKey, RunningChild] = {}
        self._alarms: dict[int, Alarm] = {}
        self._callers: set[Waiter[io.Result]] = set()
        self._inputs: deque[io.Input] = deque()
        self._actions: deque[io.Action] = deque()
        self._exits: list[io.Exit] = []
        self._acts: Mapping[type[Any], Callable[[Any], None]] = {
            io.StartChild: self._start_child,
            io.StopChild: self._stop_child,
            io.SetTimer: self._set_timer,
            io.CancelTimer: self._cancel_timer,
            io.Answer: self._answer,
            io.Report: self._report,
            io.Finish: self._finish,
        }
        self._checked: Callable[[], ChildSpec | None] = lambda: None
        self._busy = False
        self._reason: ExitReason | None = None
        self._over = trio.Event()
        self._when_ended: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<Supervisor {self.path} {self.pid}>"

    # Calls

    async def start_child(self, spec: ChildSpec) -> StartedChild:
        """Add a child and start it; it is the last in order.

        Args:
            spec: The child. Under a dynamic supervisor its id need not be unique.

        Returns:
            Its pid, and what it said when it had started; or that its start was ignored.

        Raises:
            SpecError: The spec is faulty; nothing was started.
            StartError: It did not start, and was dropped.
            ChildExistsError: There is a child with this id.
            TooManyChildrenError: There are `max_children`.
            SupervisorStoppedError: The supervisor ends.
        """
        self._check(spec)
        return await self._call(io.StartChildCall, spec, spec.id)

    async def terminate_child(self, child: str) -> None:
        """Stop a child, and leave it stopped until `restart_child`.

        Args:
            child: Its id; under a dynamic supervisor its pid.

        Raises:
            ChildNotFoundError: There is none.
            SupervisorStoppedError: The supervisor ends.
        """
        await self._call(io.TerminateChildCall, child, child)

    async def restart_child(self, child: str) -> StartedChild:
        """Start a child that is stopped.

        Returns:
            As `start_child`; a child whose start was ignored is still stopped.

        Raises:
            ChildNotFoundError: There is none.
            ChildRunningError: It is running, or about to.
            StartError: It did not start, and is still stopped.
            NotSupportedError: The supervisor is dynamic.
            SupervisorStoppedError: The supervisor ends.
        """
        return await self._call(io.RestartChildCall, child, child)

    async def delete_child(self, child: str) -> None:
        """Forget a child that is stopped.

        Raises:
            ChildNotFoundError: There is none.
            ChildRunningError: It is running, or about to.
            NotSupportedError: The supervisor is dynamic.
            SupervisorStoppedError: The supervisor ends.
        """
        await self._call(io.DeleteChildCall, child, child)

    async def renew_child(self, key: ChildKey) -> str | None:
        """Stop a running child and start it again, as if by `terminate_child` and `restart_child`.

        It counts for no limit and concerns no sibling.

        Args:
            key: What `which_children` calls it.

        Returns:
            Its new pid once it has started; None if there is none: it is temporary or does not
            run, or the new life did not start, which is then a failure like any other.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.trees.dead:
            return None
        waiter: Waiter[io.Result] = Waiter()
        self.handle(io.RenewChildCall(waiter, key))
        result = await self.answer_to(waiter)
        return str(result.pid) if isinstance(result, io.Done) else None

    async def stop(self) -> None:
        """Stop all children in reverse order, and then the supervisor. It may be called by a child.

        Under another supervisor this is an end like any other, after which that one may start it
        anew: use `terminate_child` there.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        self.handle(io.Stop(SHUTDOWN))
        await self._over.wait()

    async def wait_ended(self) -> ExitReason:
        """Wait until the supervisor has ended; returns why."""
        await self._over.wait()
        assert self._reason is not None  # noqa: S101 - set before the event
        return self._reason

    def which_children(self) -> Table:
        """The children as they are now, in start order."""
        return self._planner.table()

    def count_children(self) -> ChildCounts:
        """How many children there are now."""
        return count(self._planner.table())

    def get_child_spec(self, child: str) -> ChildSpec:
        """The spec of a child.

        Args:
            child: Its id; under a dynamic supervisor its pid.

        Raises:
            ChildNotFoundError: There is none.
        """
        planner = self._planner
        key = planner.number_of(child) if isinstance(planner, DynamicPlanner) else child
        found = None if key is None else planner.child(key)
        if found is None:
            raise ChildNotFoundError(self.path, child)
        return found.spec

    def _check(self, spec: ChildSpec) -> None:
        # A pool often starts one spec again and again. It never changes; it must not be kept alive.
        if spec is not self._checked():
            check_child(spec, self.spec)
            self._checked = weakref.ref(spec)

    async def _call(
        self, call: Callable[[io.Ticket, Any], io.Call], argument: object, child: str
    ) -> StartedChild:
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.trees.dead:
            raise SupervisorStoppedError(self.path, None)
        waiter: Waiter[io.Result] = Waiter()
        self.handle(call(waiter, argument))
        result = await self.answer_to(waiter)
        if isinstance(result, io.Refused):
            raise refusal_error(result, self.path, child)
        return StartedChild(result.pid, result.info)  # type: ignore[arg-type]

    async def answer_to(self, waiter: Waiter[io.Result]) -> io.Result:
        """Wait for an answer, which comes even if the node breaks down."""
        if waiter.is_answered:
            return await waiter.wait()
        self._callers.add(waiter)
        try:
            return await waiter.wait()
        finally:
            self._callers.discard(waiter)

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Call back once the supervisor has ended; at once if it has."""
        if self._over.is_set():
            callback()
        else:
            self._when_ended.append(callback)

    # For whoever draws the tree.

    def child(self, key: ChildKey) -> Child | None:
        """What is known of one child, to look at only."""
        return self._planner.child(key)

    def below(self, key: ChildKey) -> Supervisor | None:
        """The supervisor that a child is; None while it is not running, or if it is none."""
        running = self._children.get(key)
        return running.below if isinstance(running, SupervisorChild) else None

    # Inside: what happened goes in, what the planner says is done.

    @trio.lowlevel.enable_ki_protection
    def handle(self, event: io.Input) -> None:
        """Take in what happened and act on it, unless that is under way: then it is next."""
        self._inputs.append(event)
        if not self._busy:
            self._work()

    def _work(self) -> None:
        if self.trees.dead:
            return
        self._busy = True
        try:
            self._act()
        except BaseException as exc:  # noqa: BLE001 - raised out of the node's block
            self.trees.break_down(exc)

    def _act(self) -> None:
        self.kernel = self.trees.kernel()
        inputs, actions, now = self._inputs, self._actions, self.trees.driver.now()
        wanted, plan, acts = self.trees.wanted_events(), self._planner.handle, self._acts
        left = _TURN
        while left:
            if actions:
                action = actions.popleft()
                acts[type(action)](action)
                left -= 1
            elif inputs:
                actions += plan(inputs.popleft(), now, wanted)
            else:
                self._busy = False
                return
        self.trees.driver.later(self._work)

    def exited(self, child: RunningChild, exit_: io.Exit) -> None:
        """A child that was up has ended; what ends in one step of the kernel is one input."""
        self._forget(child)
        if not self._exits:
            self.trees.settle_later(self)
        self._exits.append(exit_)

    def settle(self) -> None:
        """All exits of a step are known."""
        exits, self._exits = tuple(self._exits), []
        self.handle(io.Exits(exits))

    def ended(
        self, child: RunningChild, event: io.StartFailed | io.StartIgnored | io.StopFinished
    ) -> None:
        """A child was stopped or did not start."""
        self._forget(child)
        self.handle(event)

    def kill(self) -> None:
        """End by force: no child is asked any more."""
        self.killed = True
        for child in list(self._children.values()):
            if child.stopping:
                child.force()
        self.handle(io.Stop(KILLED))

    def abandon(self) -> None:
        """Nobody acts any more: let go of those who wait."""
        self._reason = self._reason or KILLED
        self._over.set()
        callers, self._callers = self._callers, set()
        for waiter in callers:
            waiter(io.Refused(io.Refusal.SHUTTING_DOWN, reason=self._reason))

    def _forget(self, child: RunningChild) -> None:
        if self._children.get(child.key) is child:
            del self._children[child.key]

    def _start_child(self, action: io.StartChild) -> None:
        kind = _KINDS.get(type(action.spec.start), SupervisorChild)
        child = self._children[action.child] = kind(self, action)
        child.start()

    def _stop_child(self, action: io.StopChild) -> None:
        child = self._children.get(action.child)
        # Otherwise it has ended, and its exit is waiting to be handled.
        if child is not None:
            child.stop()

    def _set_timer(self, action: io.SetTimer) -> None:
        key = action.key
        self._alarms[key] = self.trees.alarms.set(action.at, partial(self._fire, key))

    def _fire(self, key: int) -> None:
        del self._alarms[key]
        self.handle(io.TimerFired(key))

    def _cancel_timer(self, action: io.CancelTimer) -> None:
        alarm = self._alarms.pop(action.key, None)
        if alarm is not None:
            alarm.cancel()

    def _report(self, action: io.Report) -> None:
        self.trees.publish(action.event)

    def _answer(self, action: io.Answer) -> None:
        action.ticket(action.result)  # type: ignore[operator]

    def _finish(self, action: io.Finish) -> None:
        reason = KILLED if self.killed else action.reason
        self._reason = reason
        self.trees.close_supervisor(self, reason)
        self._over.set()
        for callback in self._when_ended:
            callback()
        self._on_end(self, reason)
