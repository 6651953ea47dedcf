"""The workloads as Lua processes on one inline host; the programs are in `lua/bench/`."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import asynccontextmanager
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import _supervise_preemption
from benchmarks import _supervise_restarts as restarts
from benchmarks import _supervise_simulations as simulations
from benchmarks import _supervise_states as states
from benchmarks import _supervise_trees as trees
from benchmarks._timing import Batches, Phases, Samples, SpawnMeter, resident_bytes
from benchmarks._timing import cold_start as time_cold_start
from benchmarks._turns import turns
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


# As for the others: what a crash costs is measured without its log record.
logging.getLogger("supervise").setLevel(logging.CRITICAL + 1)


@asynccontextmanager
async def _open(lua: str = "5.4") -> AsyncIterator[Node]:
    async with open_node(source=SOURCE, hosts=[HostSpec(HOST, lua=lua)]) as node:
        yield node


async def _drive(entry: str, plan: Plan, *args: Any, lua: str = "5.4") -> Samples:  # noqa: ANN401
    """Time the batches of a driver, which answers with the operations it has done."""
    async with _open(lua) as node:
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


async def ping_pong_jit(plan: Plan) -> Samples:
    """The same on LuaJIT."""
    return await _drive("bench:ring", plan, 2, 1, lua="jit")


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


async def _crashes(node: Node, entry: str, children: int, plan: Plan, per: int) -> Samples:
    """Time the batches of a Lua process that crashes the children of a tree."""
    driver = await node.spawn(entry, children, host=HOST)
    async with trees.open_tree(node, children, driver):
        batches = Batches(plan)
        for crashes in batches:
            check_count(await node.call(driver, "run", crashes), crashes)
    return batches.samples(per)


async def restart(plan: Plan) -> Samples:
    """Crash one child again and again: first from Python, then by a Lua process.

    A `round` starts before Python sends the order to crash and ends when a Python process has the
    word of the replacement.
    """
    warm_up, rounds = plan.size // 10, []
    async with _open() as node:
        async with node.open_process() as watcher, trees.open_tree(node, 1, watcher.pid):
            child = str((await watcher.receive()).payload)
            with restarts.timed(node) as alone:
                for _ in range(warm_up + plan.size * plan.batches):
                    started = time.perf_counter()
                    node.send(child, "crash")
                    child = str((await watcher.receive()).payload)
                    rounds.append(time.perf_counter() - started)
        driven = await _crashes(node, "bench:crash_in_turn", 1, plan, plan.size)
    return {"time": alone[warm_up:], "round": rounds[warm_up:], "driven": driven["time"]}


async def crash_all(plan: Plan) -> Samples:
    """Crash all children of a supervisor at once, until the last replacement has begun."""
    async with _open() as node:
        return await _crashes(node, "bench:crash_all", plan.size, plan, per=1)


async def start_stop(plan: Plan) -> Samples:
    """Start a supervisor with many children, wait until all have begun, stop it."""
    async with _open() as node:
        phases = Phases(plan)
        for children in phases:
            driver = await node.spawn("bench:crash_all", children, host=HOST)
            spec = trees.crashing(children, driver)
            with phases.timed("start"):
                tree = await node.start(spec)
            await node.call(driver, "run", 0)
            with phases.timed("stop"):
                await tree.stop()
    return phases.samples(per=1)


async def start_child(plan: Plan) -> Samples:
    """Add children to a dynamic supervisor; the last one answers."""
    async with _open() as node:
        pool = await node.start(trees.POOL)
        batches = Batches(plan)
        for count in batches:
            for _ in range(count):
                last = (await pool.start_child(trees.ECHO)).pid
            await node.call(last, "echo", 1)
        await pool.stop()
    return batches.samples(plan.size)


async def busy_neighbour(plan: Plan) -> Samples:
    """A trio task takes its turns while a Lua process sends to itself without a pause."""
    async with _open() as node:
        await node.spawn("bench:busy", host=HOST)
        return await turns(plan)


async def preemption(plan: Plan) -> Samples:
    """The same messages on a host with preemption and on one without."""
    return await _supervise_preemption.slowdown(plan, SOURCE, HOST)


async def computing(plan: Plan) -> Samples:
    """A trio task sleeps for a moment, again and again, while four processes compute."""
    async with _open() as node:
        for _ in range(4):
            await node.spawn("bench:spin", host=HOST)
        return await _supervise_preemption.naps(plan)


async def across_states(plan: Plan) -> Samples:
    """Many processes in one Lua state send to one in another."""
    return await states.messages(plan, SOURCE, HOST)


async def two_states(plan: Plan) -> Samples:
    """Two processes compute in one Lua state, and in one each."""
    return await states.speedup(plan, SOURCE)


async def private_states(plan: Plan) -> Samples:
    """Spawn processes that have a Lua state each."""
    return await states.private(plan, SOURCE, HOST)


async def crashes(plan: Plan) -> Samples:
    """Crash one child again and again: the memory at the end, as a multiple of that early on."""
    early = min(10_000, plan.size // 10)
    async with _open() as node:
        driver = await node.spawn("bench:crash_in_turn", 1, host=HOST)
        async with trees.open_tree(node, 1, driver):
            resident = []
            for count in (early, plan.size - early):
                check_count(await node.call(driver, "run", count), count)
                resident.append(resident_bytes())
    before, after = resident
    return {"growth": [after / before]} if before and after else {}


def schedules(plan: Plan) -> Samples:
    """Simulate a tree again and again; every simulation is a trio run of its own."""
    seconds = [simulations.simulate_schedules(size) for size in Batches(plan)]
    return {"time": seconds[1:], "step": [simulations.simulate_steps() for _ in seconds[1:]]}


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
