"""What preemption costs those who do not need it, and what it gives to the others."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import trio

from benchmarks._stats import percentile
from benchmarks._workloads import RING, SENDERS, check_count
from supervise import HostSpec, open_node

if TYPE_CHECKING:
    from benchmarks._timing import Samples
    from benchmarks._workloads import Plan
    from supervise import Node

_DRIVERS = {
    "ping_pong": ("bench:ring", 2, 1),
    "ring": ("bench:ring", RING, 1),
    "fan_in": ("bench:fan_in", SENDERS),
}
_ROUNDS = 50
_NAP = 0.01  # seconds


async def slowdown(plan: Plan, source: str, host: str) -> Samples:
    """CPU time of small batches on a node with preemption, divided by that without.

    The batches take turns, and the shortest one counts on either side: what disturbs one of them
    disturbs its neighbours, and no batch is disturbed into being short.
    """
    rounds = _ROUNDS if plan.seconds else 1
    samples: Samples = {}
    async with AsyncExitStack() as nodes:
        on, off = [
            await nodes.enter_async_context(
                open_node(source=source, hosts=[HostSpec(host, preempt=preempt)])
            )
            for preempt in (True, False)
        ]
        for metric, (entry, *args) in _DRIVERS.items():
            drivers = [(node, await node.spawn(entry, *args)) for node in (on, off)]
            seconds = [
                [await _batch(node, driver, plan.size) for node, driver in drivers]
                for _ in range(1 + rounds)
            ]
            with_it, without = map(min, zip(*seconds[1:], strict=True))
            samples[metric] = [with_it / without]
    return samples


async def _batch(node: Node, driver: str, size: int) -> float:
    started = time.process_time()
    check_count(await node.call(driver, "run", size), size)
    return time.process_time() - started


async def naps(plan: Plan) -> Samples:
    """By how much a task oversleeps: the 99th percentile of many short sleeps."""
    late = []
    for _ in range(plan.size):
        started = time.perf_counter()
        await trio.sleep(_NAP)
        late.append(time.perf_counter() - started - _NAP)
    return {"p99": [percentile(late, 99)]}
