"""The supervision trees of a node: what their supervisors share, their start, and their stop."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import trio

from specs import ExitKind, ExitReason, check_spec
from supervise import _plan_io as io
from supervise._alarm import Alarms
from supervise._calls import Waiter
from supervise._errors import (
    NodeClosedError,
    RestartIntensityError,
    StartError,
    SupervisorFailedError,
)
from supervise._events import ALL_EVENTS
from supervise._log import log_event, log_stray, logged_events
from supervise._lua_calls import perform
from supervise._reasons import RestartLimitReached, described
from supervise._supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from lua_api import ChildDown, ChildUp, Kernel, SupervisorCalled
    from specs import AnySupervisorSpec
    from supervise._events import Event
    from supervise._lua_child import LuaChild
    from supervise._node import Node
    from supervise._process import PythonProcess
    from supervise._task_child import TaskChild

_ORDERLY = (ExitKind.NORMAL, ExitKind.SHUTDOWN)


class Trees:
    """What all supervisors of a node have in common.

    Attributes:
        supervisors: The running ones by pid.
        driver: The node's.
        alarms: The timers of all of them.
        host: Where a Lua child runs that names no host.
        nursery: Where all Python children run.
        rng: The chance in their backoffs.
        strays: Python children that were given up and still run.
        dead: Whether nobody acts any more: the node has ended.
    """

    def __init__(self, node: Node, nursery: trio.Nursery) -> None:
        self._node = node
        self.driver = node.driver
        self.nursery = nursery
        self.alarms = Alarms()
        self.host = node.first_host()
        self.rng = random.Random()  # noqa: S311 - jitter is no secret
        self.supervisors: dict[str, Supervisor] = {}
        self.strays: list[TaskChild] = []
        self.dead = False
        self._closing = False
        self._roots: list[Supervisor] = []
        self._tickets = itertools.count(1)
        self._seats: dict[int, LuaChild] = {}
        self._unsettled: list[Supervisor] = []

    # Trees

    async def start(self, spec: AnySupervisorSpec) -> Supervisor:
        """Start a tree (see `Node.start`)."""
        check_spec(spec)
        return await self.start_checked(spec)

    async def start_checked(self, spec: AnySupervisorSpec) -> Supervisor:
        """Start a tree that is known to have no faults."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._closing:
            raise NodeClosedError
        started: Waiter[io.Result] = Waiter()
        root = self.open_supervisor(spec, spec.id, None, self._root_ended)
        self._roots.append(root)

        def answer(result: io.Result) -> None:
            root.started = isinstance(result, io.Done)
            started(result)

        root.handle(io.Start(answer))
        try:
            result = await root.answer_to(started)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await root.stop()
            raise
        if isinstance(result, io.Refused):
            with trio.CancelScope(shield=True):
                reason = await root.wait_ended()
            raise StartError(root.path, reason)
        return root

    def roots(self) -> list[Supervisor]:
        """The roots of all trees (see `Node.trees`)."""
        return list(self._roots)

    def _root_ended(self, root: Supervisor, reason: ExitReason) -> None:
        self._roots.remove(root)
        if not root.started or reason.kind in _ORDERLY:
            return
        limit = reason.error
        self._node.interrupt(
            RestartIntensityError(limit, reason)
            if isinstance(limit, RestartLimitReached)
            else SupervisorFailedError(root.path, reason)
        )

    async def stop(self) -> None:
        """Stop all trees, the last one first, and let no other start."""
        self._closing = True
        try:
            while self._roots and not self.dead:
                await self._roots[-1].stop()
        finally:
            self.abandon()
        for child in self.strays:
            log_stray(child.supervisor.path, child.key, child.stack())

    def abandon(self) -> None:
        """Nobody can do anything any more."""
        self.dead = self._closing = True
        for supervisor in self.supervisors.values():
            supervisor.abandon()

    # Supervisors

    def open_supervisor(
        self,
        spec: AnySupervisorSpec,
        path: str,
        owner: str | None,
        on_end: Callable[[Supervisor, ExitReason], None],
    ) -> Supervisor:
        """Make a supervisor, known by its name and not started yet.

        Raises:
            NameTakenError: Another process holds its name.
        """
        pid = self.kernel().open_supervisor(path, owner)
        if spec.name is not None:
            try:
                self._node.register(spec.name, pid)
            except ValueError:
                self.kernel().close_port(pid, "its name is taken")
                raise
        supervisor = Supervisor(self, spec, path, pid, on_end)
        self.supervisors[pid] = supervisor
        return supervisor

    def close_supervisor(self, supervisor: Supervisor, reason: ExitReason) -> None:
        """A supervisor has ended."""
        del self.supervisors[supervisor.pid]
        failure = None if reason.kind in _ORDERLY else described(reason)
        self.kernel().close_port(supervisor.pid, failure)

    def settle_later(self, supervisor: Supervisor) -> None:
        """Let a supervisor know when all exits of a step are known."""
        self._unsettled.append(supervisor)
        self.driver.kick()

    def settle(self) -> None:
        """All exits of a step are known."""
        while self._unsettled:
            unsettled, self._unsettled = self._unsettled, []
            for supervisor in unsettled:
                supervisor.settle()

    # For supervisors and children

    def kernel(self) -> Kernel:
        """The kernel, for something that is to be gone on with at once."""
        self.driver.kick()
        return self.driver.kernel()

    def seat(self, child: LuaChild) -> int:
        """A number for the news of a Lua child."""
        ticket = next(self._tickets)
        self._seats[ticket] = child
        return ticket

    def child(self, ticket: int) -> LuaChild | None:
        """The Lua child with this number, until its end."""
        return self._seats.get(ticket)

    def vacate(self, ticket: int) -> None:
        """There will be no news of this child any more."""
        self._seats.pop(ticket, None)

    def on_child_up(self, news: ChildUp) -> None:
        """A Lua child has started."""
        child = self._seats.get(news.ticket)
        if child is not None:
            child.up(news.pid, news.value)

    def on_child_down(self, news: ChildDown) -> None:
        """A Lua child has ended, or did not start."""
        child = self._seats.pop(news.ticket, None)
        if child is not None:
            child.ended(news)

    def on_call(self, call: SupervisorCalled) -> None:
        """A Lua process calls a supervisor."""
        perform(self, call)

    def open_process(self, label: str, owner: str) -> PythonProcess:
        """Give a pid to a Python child."""
        return self._node.open_supervised(label, owner)

    def forget_process(self, process: PythonProcess) -> None:
        """A Python child has ended."""
        self._node.forget(process)

    def ended(self, child: TaskChild) -> None:
        """The task of a Python child is over."""
        if child in self.strays:
            self.strays.remove(child)

    def wanted_events(self) -> frozenset[type[Event]]:
        """The kinds of steps of a supervisor that somebody wants to know of."""
        return ALL_EVENTS if self._node.has_subscribers() else logged_events()

    def publish(self, event: Event) -> None:
        """Let everybody know of a step of a supervisor."""
        self._node.publish(event)
        log_event(event)

    def interrupt(self, error: BaseException) -> None:
        """End the node."""
        self._node.interrupt(error)

    def break_down(self, error: BaseException) -> None:
        """End the node at once: a supervisor cannot go on."""
        self._node.break_down(error)
