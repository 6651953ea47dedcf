"""Drives a kernel on trio's thread: steps it in short slices and acts on what it reports.

Knows nothing of nodes: what an effect means to them is up to `on_effect`.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from typing import TYPE_CHECKING, NoReturn

import outcome
import trio

from lua_api import Reply
from supervise._bell import Bell
from supervise._errors import NodeClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lua_api import Answer, Effect, Kernel, Step
    from supervise._states import States

# Requests of Lua processes a step: about a millisecond, so that other tasks get their turns.
SLICE = 1000

# What a slice should take at most, in seconds: where requests or instructions are dear, steps get
# shorter, but not shorter than this many requests.
LONGEST = 0.001
SHORTEST_STEP = 50

# Steps a slice: what acting on one step began goes on at once, but not for ever. Most are short.
STEPS = 16


class Driver:
    """Runs one kernel for as long as its task lives.

    Args:
        kernel: The kernel; nobody else steps it.
        on_effect: Called for each effect but the replies, in order. It must not step the kernel.
        on_step: Called after the effects of a step, and held to the same.

    Attributes:
        now: The time on trio's clock, asked directly: that happens several times a step.
        states: The Lua states beside this kernel, if the node has any.
    """

    def __init__(
        self, kernel: Kernel, on_effect: Callable[[Effect], None], on_step: Callable[[], None]
    ) -> None:
        self.now: Callable[[], float] = trio.lowlevel.current_clock().current_time
        self._kernel = kernel
        self._on_effect = on_effect
        self._on_step = on_step
        self.states: States | None = None
        self._later: deque[Callable[[], None]] = deque()
        self._put_off: list[Effect] = []
        # Whether a step would find something to do, and whether one is being acted on.
        self._pending = True
        self._slicing = False
        self._tickets = itertools.count(1)
        self._waiting: dict[int, trio.lowlevel.Task] = {}
        # The request that steps the kernel itself, and its answer if it came within that step.
        self._stepping: int | None = None
        self._early: Answer | None = None
        self._failure: BaseException | None = None
        self._closed = False
        self._wake_at = math.inf
        self._bell = Bell()
        self._budget = SLICE

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> NoReturn:
        """Step the kernel whenever there is something to do. Runs until cancelled.

        Raises:
            BaseException: What acting on an effect raised, whoever stepped the kernel then.
        """
        while True:
            self._bell.still()
            for _ in range(len(self._later)):
                self._later.popleft()()
            if self.states is not None and self._turn_of_states(self.states):
                self._bell.ring()
            # Whoever waited for an answer may have stepped the kernel meanwhile.
            if self._pending or self.now() >= self._wake_at:
                self._slice()
            if self._failure is not None:
                raise self._failure
            wake_at = self._wake_at
            if self.states is not None:
                wake_at = min(wake_at, self.states.wake_at)
            if self._pending or self._later:
                await trio.lowlevel.checkpoint()
            elif wake_at == math.inf:
                await self._bell.wait()
            else:
                with trio.move_on_at(wake_at):
                    await self._bell.wait()

    def close(self) -> None:
        """Refuse every request from now on, those that wait included."""
        self._closed = True
        for task in self._waiting.values():
            trio.lowlevel.reschedule(task, outcome.Error(NodeClosedError()))
        self._waiting.clear()

    def kernel(self) -> Kernel:
        """The kernel, which knows what time it is; between the steps of a slice it stands still.

        Raises:
            NodeClosedError: The driver was closed.
        """
        if self._closed:
            raise NodeClosedError
        if not self._slicing:
            self._kernel.set_time(self.now())
        return self._kernel

    def kick(self) -> None:
        """Have the kernel stepped soon; before others get their turn, if this is its turn."""
        self._pending = True
        if not self._slicing:
            self._bell.ring()

    def call_states(self) -> None:
        """Give the other states their turn soon."""
        self._bell.ring()

    def catch_up(self) -> None:
        """Act on what has happened so far; the kernel tells of it when it is stepped."""
        if self._pending and not self._closed:
            self._step_here()

    def later(self, callback: Callable[[], None]) -> None:
        """Call back once others had their turn."""
        self._later.append(callback)
        self._bell.ring()

    @trio.lowlevel.enable_ki_protection  # an interrupt inside a hook of Lua would be lost
    def _slice(self) -> None:
        """A few steps at most."""
        self._slicing = True
        began = self.now()
        try:
            for _ in range(STEPS):
                step = self._kernel.step(self.now(), self._budget)
                self._take_in(step)
                if step.busy or not self._pending:
                    break
        finally:
            self._slicing = False
        took = self.now() - began
        if took > LONGEST:
            self._budget = max(self._budget // 2, SHORTEST_STEP)
        elif took < LONGEST / 2:
            self._budget = min(self._budget * 2, SLICE)

    def _step_here(self) -> None:
        """Take a slice in the task that calls; the driver's own goes on with what is left."""
        planned = self._wake_at
        self._slice()
        if self._pending or self._wake_at < planned or self._failure is not None:
            self.kick()

    def _take_in(self, step: Step) -> None:
        self._wake_at = math.inf if step.wake_at is None else step.wake_at
        self._pending = step.busy
        effects, self._put_off = [*self._put_off, *step.effects], []
        for effect in effects:
            if isinstance(effect, Reply):
                self._deliver(effect)
            else:
                self.act_on(effect)
        if step.posts and self.states is not None:
            self.states.route(step.posts)
        try:
            self._on_step()
        except BaseException as exc:  # noqa: BLE001 - `run` raises it
            self._failure = self._failure or exc

    def _turn_of_states(self, states: States) -> bool:
        """Returns whether they have more to do."""
        try:
            return states.turn()
        except BaseException as exc:  # noqa: BLE001 - `run` raises it
            self._failure = self._failure or exc
            return False

    def put_off(self, effect: Effect) -> None:
        """Act on an effect with those of the next step, as the first."""
        self._put_off.append(effect)
        self.kick()

    def act_on(self, effect: Effect) -> None:
        """Act on an effect, perhaps of another state."""
        try:
            self._on_effect(effect)
        except BaseException as exc:  # noqa: BLE001 - `run` raises it
            self._failure = self._failure or exc

    def _deliver(self, reply: Reply) -> None:
        task = self._waiting.pop(reply.ticket, None)
        if task is not None:
            trio.lowlevel.reschedule(task, outcome.Value(reply.answer))
        elif reply.ticket == self._stepping:
            self._early = reply.answer

    def request_nowait(
        self,
        pid: str | None,
        name: str,
        payload: bytes | None = None,
        *arguments: str | int | bool,
    ) -> Answer:
        """Make a request that is answered at once (see `Kernel.request`)."""
        answer = self.kernel().request(pid, next(self._tickets), name, payload, *arguments)
        if answer is None:
            raise RuntimeError(f"the kernel did not answer {name} at once")
        self.kick()
        return answer

    async def request(
        self,
        pid: str | None,
        name: str,
        payload: bytes | None = None,
        *arguments: str | int | bool,
    ) -> Answer:
        """Make a request and wait for its answer. Cancelled, it has taken nothing.

        Raises:
            NodeClosedError: The driver was closed, before or while it waited.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        ticket = next(self._tickets)
        answer = self.kernel().request(pid, ticket, name, payload, *arguments)
        if answer is None:
            # Often all it takes is to let Lua run for a moment: no trip through the scheduler then.
            self._stepping, self._early = ticket, None
            self._step_here()
            self._stepping, answer = None, self._early
        else:
            self.kick()
        if answer is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return answer
        return await self._wait(ticket)

    async def _wait(self, ticket: int) -> Answer:
        def abandon(_: object) -> trio.lowlevel.Abort:
            del self._waiting[ticket]
            self._kernel.abandon(ticket)
            self.kick()
            return trio.lowlevel.Abort.SUCCEEDED

        self._waiting[ticket] = trio.lowlevel.current_task()
        answer: Answer = await trio.lowlevel.wait_task_rescheduled(abandon)
        return answer
