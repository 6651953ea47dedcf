"""Drives a kernel on trio's thread: steps it in short slices and acts on what it reports.

Knows nothing of nodes: what an effect means to them is up to `on_effect`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import NoReturn

import outcome
import trio

from lua_api import Answer, Effect, Kernel, Reply

# Requests of Lua processes a slice: about a millisecond, so that other tasks get their turns.
SLICE = 1000


class Driver:
    """Runs one kernel for as long as its task lives.

    Args:
        kernel: The kernel; nobody else steps it.
        on_effect: Called for each effect but the replies, in order. It must not step the kernel.
    """

    def __init__(self, kernel: Kernel, on_effect: Callable[[Effect], None]) -> None:
        self._kernel = kernel
        self._on_effect = on_effect
        self._tickets = itertools.count(1)
        self._waiting: dict[int, trio.lowlevel.Task] = {}
        self._early: dict[int, Answer] = {}
        self._wake_at = math.inf
        self._work = trio.Event()

    async def run(self) -> NoReturn:
        """Step the kernel whenever there is something to do. Runs until cancelled."""
        while True:
            if self._work.is_set():
                self._work = trio.Event()
            if self._slice():
                await trio.lowlevel.checkpoint()
            else:
                with trio.move_on_at(self._wake_at):
                    await self._work.wait()

    def kick(self) -> None:
        """Have the kernel stepped soon."""
        self._work.set()

    def _slice(self) -> bool:
        """One step; returns whether there is more to run."""
        step = self._kernel.step(trio.current_time(), SLICE)
        self._wake_at = math.inf if step.wake_at is None else step.wake_at
        for effect in step.effects:
            if isinstance(effect, Reply):
                self._deliver(effect)
            else:
                self._on_effect(effect)
        return step.busy

    def _deliver(self, reply: Reply) -> None:
        task = self._waiting.pop(reply.ticket, None)
        if task is None:
            self._early[reply.ticket] = reply.answer
        else:
            trio.lowlevel.reschedule(task, outcome.Value(reply.answer))

    def request_nowait(
        self,
        pid: str | None,
        name: str,
        payload: bytes | None = None,
        *arguments: str | int | bool | None,
    ) -> Answer:
        """Make a request that is answered at once (see `Kernel.request`)."""
        answer = self._kernel.request(pid, next(self._tickets), name, payload, *arguments)
        if answer is None:
            raise RuntimeError(f"the kernel did not answer {name} at once")
        self.kick()
        return answer

    async def request(
        self,
        pid: str | None,
        name: str,
        payload: bytes | None = None,
        *arguments: str | int | bool | None,
    ) -> Answer:
        """Make a request and wait for its answer. Cancelled, it has taken nothing."""
        await trio.lowlevel.checkpoint_if_cancelled()
        ticket = next(self._tickets)
        answer = self._kernel.request(pid, ticket, name, payload, *arguments)
        if answer is None:
            # Often all it takes is to let Lua run for a moment: no trip through the scheduler then.
            planned = self._wake_at
            if self._slice() or self._wake_at < planned:
                self.kick()
            answer = self._early.pop(ticket, None)
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
