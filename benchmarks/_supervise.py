"""The workloads as Lua processes on one inline host; the programs are in `lua/bench/`."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._timing import Batches, Samples, SpawnMeter
from benchmarks._timing import cold_start as time_cold_start
from benchmarks._workloads import RING, SENDERS, Plan, check_count, leaves_sum, nested_payload
from supervise import HostSpec, open_node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from supervise import Node

NOT_APPLICABLE: dict[str, str] = {}

SOURCE = str(Path(__file__).parent / "lua")
HOST = "bench:host"  # the Lua programs spawn on it, too


def version() -> str:
    """What would run."""
    return f"lupa {installed('lupa')}, Lua 5.4, Python {sys.version.split()[0]}"


@asynccontextmanager
async def _open() -> AsyncIterator[Node]:
    async with open_node(source=SOURCE, hosts=[HostSpec(HOST)]) as node:
        yield node


async def _drive(entry: str, plan: Plan, *args: Any) -> Samples:  # noqa: ANN401
    """Time the batches of a driver, which answers with the operations it has done."""
    async with _open() as node:
        driver = await node.spawn(entry, *args, host=HOST)
        batches = Batches(plan)
        for size in batches:
            check_count(await node.call(driver, "run", size), size)
    return batches.samples(plan.size)


async def spawn(plan: Plan) -> Samples:
    """Spawn processes that wait for a message; the last one answers."""
    async with _open() as node:
        await node.exec("bench:spawn", 1, host=HOST)
        meter = SpawnMeter(plan)
        done = await node.exec("bench:spawn", plan.size, host=HOST)
        samples = meter.stop()
    check_count(done, plan.size)
    return samples


async def ping_pong(plan: Plan) -> Samples:
    """Two processes, one message back and forth."""
    return await _drive("bench:ring", plan, 2, 1)


async def ring(plan: Plan) -> Samples:
    """One message round a ring of processes."""
    return await _drive("bench:ring", plan, RING, 1)


async def nested(plan: Plan) -> Samples:
    """Ping-pong with a table of lists, copied at each hop."""
    return await _drive("bench:ring", plan, 2, nested_payload())


async def fan_in(plan: Plan) -> Samples:
    """Many processes send to one."""
    return await _drive("bench:fan_in", plan, SENDERS)


async def skynet(plan: Plan) -> Samples:
    """A tree of processes whose leaves' numbers are summed on the way up."""
    async with _open() as node:
        batches = Batches(plan)
        for leaves in batches:
            total = await node.exec("bench:skynet", 0, leaves, host=HOST)
            check_count(total, leaves_sum(leaves))
    return batches.samples(per=1)


async def python_call(plan: Plan) -> Samples:
    """Python asks a Lua process and waits for its answer."""
    async with _open() as node:
        echo = await node.spawn("bench:echo", host=HOST)
        batches = Batches(plan)
        for calls in batches:
            for _ in range(calls):
                await node.call(echo, "echo", 1)
    return batches.samples(plan.size)


_COLD_START = f"""
import trio
from supervise import HostSpec, open_node

async def main():
    async with open_node(source={SOURCE!r}, hosts=[HostSpec({HOST!r})]) as node:
        echo = await node.spawn("bench:echo", host={HOST!r})
        print(await node.call(echo, "echo", "ready"), flush=True)

trio.run(main)
"""


def cold_start(plan: Plan) -> Samples:
    """A Python that opens a node, spawns a Lua process and hears back from it."""
    return time_cold_start([sys.executable, "-c", _COLD_START], plan)
