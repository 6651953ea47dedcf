"""Supervised triotp tasks that crash when told to. Knows how triotp supervises, not who runs it."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import trio
from triotp import dynamic_supervisor, mailbox, supervisor

from benchmarks._timing import Batches, Phases, Samples

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks._workloads import Plan

_OPTIONS = supervisor.options(max_restarts=10**6, max_seconds=1)


class _Tasks:
    """Children that tell the driver when they begin, each with a mailbox for its orders."""

    def __init__(self, count: int) -> None:
        self.driver = mailbox.create()
        self.orders = [mailbox.create() for _ in range(count)]
        self.crashed = 0.0  # when the last one did

    def specs(self) -> list[supervisor.child_spec]:
        return [supervisor.child_spec(mid, self._run, [mid]) for mid in self.orders]

    async def _run(self, orders: str) -> None:
        await mailbox.send(self.driver, time.perf_counter())
        await mailbox.receive(orders)
        self.crashed = time.perf_counter()
        raise RuntimeError("crash")

    async def begun(self, count: int) -> float:
        """Wait for so many to begin; the time of the last."""
        for _ in range(count):
            latest: float = await mailbox.receive(self.driver)
        return latest

    async def crash(self, count: int) -> float:
        """Crash so many at once and wait for their replacements; the time of the last."""
        for mid in self.orders[:count]:
            await mailbox.send(mid, None)
        return await self.begun(count)


@asynccontextmanager
async def _supervised(count: int) -> AsyncIterator[_Tasks]:
    tasks = _Tasks(count)
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.start, tasks.specs(), _OPTIONS)
        await tasks.begun(count)
        yield tasks
        nursery.cancel_scope.cancel()


async def restart(plan: Plan) -> Samples:
    """Crash one task again and again: each crash alone, then the whole round."""
    async with _supervised(1) as tasks:
        await tasks.crash(1)
        alone = [await tasks.crash(1) - tasks.crashed for _ in range(plan.size * plan.batches)]
        batches = Batches(plan)
        for rounds in batches:
            for _ in range(rounds):
                await tasks.crash(1)
    return {"time": alone, "driven": batches.samples(plan.size)["time"]}


async def crash_all(plan: Plan) -> Samples:
    """Crash all tasks of one supervisor at once."""
    async with _supervised(plan.size) as tasks:
        batches = Batches(plan)
        for crashes in batches:
            await tasks.crash(crashes)
    return batches.samples(per=1)


async def start_stop(plan: Plan) -> Samples:
    """Start a supervisor, wait until all its tasks have begun, cancel it."""
    phases = Phases(plan)
    for count in phases:
        tasks = _Tasks(count)
        specs = tasks.specs()
        async with AsyncExitStack() as stack:
            nursery = await stack.enter_async_context(trio.open_nursery())
            with phases.timed("start"):
                await nursery.start(supervisor.start, specs, _OPTIONS)
            await tasks.begun(count)
            with phases.timed("stop"):
                nursery.cancel_scope.cancel()
                await stack.aclose()
    return phases.samples(per=1)


async def echo(mid: str) -> None:
    """Answer every message with its own payload."""
    while True:
        sender, value = await mailbox.receive(mid)
        await mailbox.send(sender, value)


async def start_child(plan: Plan) -> Samples:
    """Add tasks to a dynamic supervisor, whose call returns before the task has begun."""
    me = mailbox.create()
    async with trio.open_nursery() as nursery:
        pool = await nursery.start(dynamic_supervisor.start, _OPTIONS)
        batches = Batches(plan)
        for count in batches:
            for _ in range(count):
                last = mailbox.create()
                spec = supervisor.child_spec(last, echo, [last])
                await dynamic_supervisor.start_child(pool, spec)
            await mailbox.send(last, (me, None))
            await mailbox.receive(me)
        nursery.cancel_scope.cancel()
    return batches.samples(plan.size)
