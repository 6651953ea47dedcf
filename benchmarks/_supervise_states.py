"""What several Lua states cost and bring. Knows how hosts are declared, and no workload."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import trio

from benchmarks._timing import Batches, SpawnMeter
from benchmarks._workloads import SENDERS, check_count
from supervise import HostSpec, open_node

if TYPE_CHECKING:
    from benchmarks._timing import Samples
    from benchmarks._workloads import Plan
    from supervise import Node

_COMPUTING = 2  # processes: one for each core
_ROUNDS = 5


async def messages(plan: Plan, source: str, senders: str) -> Samples:
    """Many senders in one state, one receiver in another, which is where the driver runs."""
    hosts = [HostSpec("bench:sink", workers=1), HostSpec(senders, workers=1)]
    async with open_node(source=source, hosts=hosts) as node:
        driver = await node.spawn("bench:fan_in", SENDERS, host="bench:sink")
        batches = Batches(plan)
        for size in batches:
            check_count(await node.call(driver, "run", size), size)
    return batches.samples(plan.size)


async def speedup(plan: Plan, source: str) -> Samples:
    """How much sooner two states have computed the same as one.

    As they take turns, what disturbs one disturbs the other, and the shortest run of each counts.
    """
    async with AsyncExitStack() as nodes:
        one, two = [
            await nodes.enter_async_context(
                open_node(source=source, hosts=[HostSpec("bench:workers", workers=workers)])
            )
            for workers in (1, 2)
        ]
        for node in (one, two):
            await _compute(node, plan.size // 10)
        seconds = [
            [await _compute(node, plan.size) for node in (one, two)]
            for _ in range(_ROUNDS if plan.seconds else 1)
        ]
    alone, both = map(min, zip(*seconds, strict=True))
    return {"ratio": [alone / both]}


async def _compute(node: Node, rounds: int) -> float:
    started = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(_COMPUTING):
            nursery.start_soon(node.exec, "bench:compute", rounds)
    return time.perf_counter() - started


async def private(plan: Plan, source: str, host: str) -> Samples:
    """Spawn processes that each have a state of their own; the last one answers."""
    hosts = [HostSpec("bench:inline"), HostSpec(host, isolation="private")]
    async with open_node(source=source, hosts=hosts) as node:
        await node.exec("bench:spawn", 1, host="bench:inline")
        meter = SpawnMeter(plan)
        done = await node.exec("bench:spawn", plan.size, host="bench:inline")
        samples = meter.stop()
    check_count(done, plan.size)
    return samples
