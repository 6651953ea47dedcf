"""The workloads as triotp tasks with mailboxes, inside a triotp application."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version as installed
from typing import Any

import trio
import trio.testing
from triotp import application, gen_server, mailbox, node

from benchmarks import _triotp_trees as trees
from benchmarks._timing import Batches, Samples, SpawnMeter
from benchmarks._timing import cold_start as time_cold_start
from benchmarks._workloads import FAN_OUT, RING, SENDERS, Plan, check_count, leaves_sum

NOT_APPLICABLE = {
    "ping-pong-jit": "nothing is compiled while it runs: as ping-pong",
    "computing": "its processes are trio tasks: as trio",
    "nested": "tasks share the payload, nothing is copied: as ping-pong",
    "busy-neighbour": "its processes are trio tasks: as trio",
}

Work = Callable[[Plan], Awaitable[Samples]]


def version() -> str:
    """What would run."""
    return f"triotp {installed('triotp')}, trio {trio.__version__}, Python {sys.version.split()[0]}"


async def start(job: tuple[Work, Plan, Samples]) -> None:
    """The application's start, by the name that triotp expects."""
    work, plan, samples = job
    samples.update(await work(plan))


def _run(work: Work, plan: Plan) -> Samples:
    samples: Samples = {}
    module = sys.modules[__name__]
    node.run([application.app_spec(module, (work, plan, samples), permanent=False)])
    if not samples:
        raise RuntimeError("the application ended without a result")
    return samples


async def _forward(mid: str, following: str) -> None:
    while True:
        await mailbox.send(following, await mailbox.receive(mid))


async def _spawn(plan: Plan) -> Samples:
    me = mailbox.create()
    async with trio.open_nursery() as nursery:

        async def burst(count: int) -> None:
            for _ in range(count):
                last = mailbox.create()
                nursery.start_soon(trees.echo, last)
            await mailbox.send(last, (me, None))
            await mailbox.receive(me)

        await burst(1)
        meter = SpawnMeter(plan)
        await burst(plan.size)
        samples = meter.stop()
        nursery.cancel_scope.cancel()
    return samples


async def _ring(plan: Plan, members: int) -> Samples:
    me = following = mailbox.create()
    async with trio.open_nursery() as nursery:
        for _ in range(members - 1):
            mid = mailbox.create()
            nursery.start_soon(_forward, mid, following)
            following = mid
        batches = Batches(plan)
        for hops in batches:
            for _ in range(hops // members):
                await mailbox.send(following, 1)
                await mailbox.receive(me)
        nursery.cancel_scope.cancel()
    return batches.samples(plan.size)


async def _ping_pong(plan: Plan) -> Samples:
    return await _ring(plan, 2)


async def _ring_of_many(plan: Plan) -> Samples:
    return await _ring(plan, RING)


async def _fan_in(plan: Plan) -> Samples:
    me = mailbox.create()

    async def burst(mid: str) -> None:
        while True:
            for number in range(await mailbox.receive(mid)):
                await mailbox.send(me, number)

    async with trio.open_nursery() as nursery:
        senders = [mailbox.create() for _ in range(SENDERS)]
        for sender in senders:
            nursery.start_soon(burst, sender)
        batches = Batches(plan)
        for messages in batches:
            for sender in senders:
                await mailbox.send(sender, messages // SENDERS)
            for _ in range(messages):
                await mailbox.receive(me)
        nursery.cancel_scope.cancel()
    return batches.samples(plan.size)


async def _sum_up(parent: str, number: int, leaves: int) -> None:
    if leaves == 1:
        await mailbox.send(parent, number)
        return
    share = leaves // FAN_OUT
    async with mailbox.open() as me, trio.open_nursery() as nursery:
        for child in range(FAN_OUT):
            nursery.start_soon(_sum_up, me, number + child * share, share)
        total = 0
        for _ in range(FAN_OUT):
            total += await mailbox.receive(me)
    await mailbox.send(parent, total)


async def _skynet(plan: Plan) -> Samples:
    me = mailbox.create()
    batches = Batches(plan)
    for leaves in batches:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_sum_up, me, 0, leaves)
            check_count(await mailbox.receive(me), leaves_sum(leaves))
    return batches.samples(per=1)


async def init(_: object) -> None:
    """A generic server's first state, by the name that triotp expects."""


async def handle_call(message: object, _: object, state: None) -> tuple[Any, None]:
    """Answer with what was asked, by the name that triotp expects."""
    return gen_server.Reply(payload=message), state


async def _python_call(plan: Plan) -> Samples:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gen_server.start, sys.modules[__name__], None, "echo")
        await trio.testing.wait_all_tasks_blocked()
        batches = Batches(plan)
        for calls in batches:
            for _ in range(calls):
                await gen_server.call("echo", 1)
        nursery.cancel_scope.cancel()
    return batches.samples(plan.size)


def spawn(plan: Plan) -> Samples:
    """Start tasks that wait at a mailbox; the last one answers."""
    return _run(_spawn, plan)


def ping_pong(plan: Plan) -> Samples:
    """Two tasks, one message back and forth."""
    return _run(_ping_pong, plan)


def ring(plan: Plan) -> Samples:
    """One message round a ring of tasks."""
    return _run(_ring_of_many, plan)


def fan_in(plan: Plan) -> Samples:
    """Many tasks send to one."""
    return _run(_fan_in, plan)


def skynet(plan: Plan) -> Samples:
    """A tree of tasks whose leaves' numbers are summed on the way up."""
    return _run(_skynet, plan)


def python_call(plan: Plan) -> Samples:
    """Call a generic server."""
    return _run(_python_call, plan)


def restart(plan: Plan) -> Samples:
    """Crash one supervised task again and again."""
    return _run(trees.restart, plan)


def crash_all(plan: Plan) -> Samples:
    """Crash all tasks of a supervisor at once, until the last replacement has begun."""
    return _run(trees.crash_all, plan)


def start_stop(plan: Plan) -> Samples:
    """Start a supervisor with many tasks, and cancel it."""
    return _run(trees.start_stop, plan)


def start_child(plan: Plan) -> Samples:
    """Add tasks to a dynamic supervisor; the last one answers."""
    return _run(trees.start_child, plan)


_COLD_START = """
import sys
import trio
import trio.testing
from triotp import application, mailbox, node

async def echo(mid):
    await mailbox.send(*await mailbox.receive(mid))

async def start(_):
    me, it = mailbox.create(), mailbox.create()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo, it)
        await mailbox.send(it, (me, "ready"))
        print(await mailbox.receive(me), flush=True)

node.run([application.app_spec(sys.modules["__main__"], None, permanent=False)])
"""


def cold_start(plan: Plan) -> Samples:
    """A Python that starts a node and an application, and hears back from a task."""
    return time_cold_start([sys.executable, "-c", _COLD_START], plan)
