"""The workloads as plain trio tasks with unbounded memory channels, sending without a wait."""

from __future__ import annotations

import math
import sys
from typing import Any

import trio

from benchmarks._timing import Batches, Samples, SpawnMeter
from benchmarks._timing import cold_start as time_cold_start
from benchmarks._turns import turns
from benchmarks._workloads import FAN_OUT, RING, SENDERS, Plan, check_count, leaves_sum

_UNSUPERVISED = "a task that fails cancels its siblings, nothing restarts it"
NOT_APPLICABLE = {
    "ping-pong-jit": "nothing is compiled while it runs: as ping-pong",
    "computing": "a task that computes lets no other run",
    "nested": "tasks share the payload, nothing is copied: as ping-pong",
    "restart": _UNSUPERVISED,
    "crash-1k": _UNSUPERVISED,
    "crash-10k": _UNSUPERVISED,
    "start-stop": _UNSUPERVISED,
    "start-child": _UNSUPERVISED,
}

Send = trio.MemorySendChannel[Any]
Receive = trio.MemoryReceiveChannel[Any]


def version() -> str:
    """What would run."""
    return f"trio {trio.__version__}, Python {sys.version.split()[0]}"


async def _echo(inbox: Receive) -> None:
    async for sender, value in inbox:
        sender.send_nowait(value)


async def _forward(inbox: Receive, following: Send) -> None:
    async for value in inbox:
        following.send_nowait(value)


async def spawn(plan: Plan) -> Samples:
    """Start tasks that wait for a message; the last one answers."""
    replies, answers = trio.open_memory_channel[Any](math.inf)
    async with trio.open_nursery() as nursery:

        async def burst(count: int) -> None:
            for _ in range(count):
                last, inbox = trio.open_memory_channel[Any](math.inf)
                nursery.start_soon(_echo, inbox)
            last.send_nowait((replies, None))
            await answers.receive()

        await burst(1)
        meter = SpawnMeter(plan)
        await burst(plan.size)
        samples = meter.stop()
        nursery.cancel_scope.cancel()
    return samples


async def _ring(plan: Plan, members: int, per: int) -> Samples:
    async with trio.open_nursery() as nursery:
        following, inbox = trio.open_memory_channel[Any](math.inf)
        for _ in range(members - 1):
            send, receive = trio.open_memory_channel[Any](math.inf)
            nursery.start_soon(_forward, receive, following)
            following = send
        batches = Batches(plan)
        for hops in batches:
            for _ in range(hops // members):
                following.send_nowait(1)
                await inbox.receive()
        nursery.cancel_scope.cancel()
    return batches.samples(per)


async def ping_pong(plan: Plan) -> Samples:
    """Two tasks, one message back and forth."""
    return await _ring(plan, 2, plan.size)


async def ring(plan: Plan) -> Samples:
    """One message round a ring of tasks."""
    return await _ring(plan, RING, plan.size)


async def busy_neighbour(plan: Plan) -> Samples:
    """A task takes its turns while another one does nothing but take turns, too."""

    async def spin() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(spin)
        samples = await turns(plan)
        nursery.cancel_scope.cancel()
    return samples


async def python_call(plan: Plan) -> Samples:
    """The measure for a call: one round trip, which is two hops."""
    return await _ring(plan, 2, plan.size // 2)


async def fan_in(plan: Plan) -> Samples:
    """Many tasks send to one."""
    sink, inbox = trio.open_memory_channel[Any](math.inf)

    async def burst(orders: Receive) -> None:
        async for count in orders:
            for number in range(count):
                sink.send_nowait(number)

    async with trio.open_nursery() as nursery:
        senders = []
        for _ in range(SENDERS):
            send, receive = trio.open_memory_channel[Any](math.inf)
            nursery.start_soon(burst, receive)
            senders.append(send)
        batches = Batches(plan)
        for messages in batches:
            for sender in senders:
                sender.send_nowait(messages // SENDERS)
            for _ in range(messages):
                await inbox.receive()
        nursery.cancel_scope.cancel()
    return batches.samples(plan.size)


async def _skynet(parent: Send, number: int, leaves: int) -> None:
    if leaves == 1:
        parent.send_nowait(number)
        return
    send, inbox = trio.open_memory_channel[Any](math.inf)
    share = leaves // FAN_OUT
    async with trio.open_nursery() as nursery:
        for child in range(FAN_OUT):
            nursery.start_soon(_skynet, send, number + child * share, share)
        total = 0
        for _ in range(FAN_OUT):
            total += await inbox.receive()
    parent.send_nowait(total)


async def skynet(plan: Plan) -> Samples:
    """A tree of tasks whose leaves' numbers are summed on the way up."""
    root, inbox = trio.open_memory_channel[Any](math.inf)
    batches = Batches(plan)
    for leaves in batches:
        await _skynet(root, 0, leaves)
        check_count(inbox.receive_nowait(), leaves_sum(leaves))
    return batches.samples(per=1)


def cold_start(plan: Plan) -> Samples:
    """A bare Python that imports trio."""
    script = "import trio; print('ready', flush=True)"
    return time_cold_start([sys.executable, "-c", script], plan)
