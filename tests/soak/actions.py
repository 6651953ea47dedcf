"""What may happen to the tree: each action is one thing of many, and sees that what it asked is so.

A `SuperviseError` is an answer: whoever is asked may be gone, full or refuse. Anything else that an
action raises, and an action that does not come to an end, is what the soak looks for.
"""

from __future__ import annotations

from contextlib import suppress

import trio

from supervise import (
    ChildSpec,
    Exit,
    LinkDown,
    Node,
    NoProcessError,
    ProcessExitedError,
    Restart,
    SpawnError,
    SubscriberTooSlowError,
    lua,
    task,
)
from tests.soak.tree import CHILDREN, HOSTS, MAX_BLOCK, PLAIN, PYTHON, SUPERVISORS, WORKERS, clerk

ACTIONS = {}

# Lua 5.4 that is neither capped nor small: what a job needs is there.
ROOMY = ["inline", "crew", "guests", "cells"]

# `demand` of the jobs in Lua says so: what must not be has happened.
VIOLATED = "Invalid"

# How long, as a count, a pattern is that takes clearly longer than MAX_BLOCK and ends all the same.
STUCK = 23

PAYLOADS = [None, True, -7, 2.5, "text", "", [1, [2, [3]]], {"a": {"b": [None, "c"]}}, b"\xff\x00"]


class BrokenPromiseError(AssertionError):
    """Something is not as it was promised."""


def action(weight):
    """A function that is one thing that happens, this often."""

    def known(function):
        ACTIONS[function.__name__] = weight, function
        return function

    return known


def demand(ok, what):
    """See that something is so."""
    if not ok:
        raise BrokenPromiseError(what)


async def job(node: Node, chance, *arguments, host=None):
    """Run a job in Lua; returns its result, None if it was ended."""
    try:
        return await node.exec("soak:job", *arguments, host=host or chance.choice(ROOMY))
    except ProcessExitedError as exc:
        demand(exc.fault.kind != VIOLATED, exc.fault.message)
        raise


# Ends


@action(8)
async def crash(soak, chance):
    soak.node.send(chance.choice(CHILDREN), "crash")


@action(3)
async def end(soak, chance):
    soak.node.send(chance.choice(CHILDREN), chance.choice(["done", "refuse"]))


@action(4)
async def kill(soak, chance):
    soak.node.terminate(chance.choice(CHILDREN))


@action(2)
async def ask_to_end(soak, chance):
    soak.node.cancel(chance.choice(CHILDREN), "soak")


@action(0.3)
async def kill_supervisor(soak, chance):
    soak.node.terminate(chance.choice(SUPERVISORS))


@action(0.3)
async def crash_loop(soak, chance):
    """More often than its supervisor allows."""
    name = chance.choice(CHILDREN)
    for _ in range(60):
        if soak.node.whereis(name):
            soak.node.send(name, "crash")
        await trio.sleep(0.005)


# Messages


@action(30)
async def ask(soak, chance):
    payload = chance.choice(PAYLOADS)
    name = chance.choice([*WORKERS, *PLAIN, *PYTHON])
    answer = await soak.node.call(name, "echo", payload)
    demand(answer == payload, f"{name} was sent {payload!r} and answered {answer!r}")


@action(10)
async def ask_from_lua(soak, chance):
    await job(soak.node, chance, "ask", chance.choice([*WORKERS, *PLAIN, *PYTHON]), 20)


@action(1)
async def flood(soak, chance):
    for n in range(1000):
        soak.node.send(chance.choice(["sink", "bob", "dan"]), "flood", n)


@action(2)
async def flood_from_lua(soak, chance):
    sent = await job(soak.node, chance, "flood", chance.choice(["sink", "gus", "hal"]), 100)
    demand(0 <= sent <= 100, f"{sent} of 100 messages were sent")


@action(5)
async def keep_order(soak, chance):
    await job(soak.node, chance, "order", chance.choice(ROOMY), chance.randrange(1, 60))


@action(3)
async def receive_in_order(soak, chance):
    """As a Python process."""
    count = chance.randrange(1, 60)
    async with soak.node.open_process() as me:
        pid = await me.spawn("soak:numbers", me.pid, count, host=chance.choice(ROOMY), monitor=True)
        event = await me.events.receive()
        numbers = []
        with_all = range(1, count + 1)
        while True:
            try:
                numbers.append(me.receive_nowait(me.inbox).payload)
            except trio.WouldBlock:
                break
    complete = numbers == [*with_all] or (event.error and numbers == [*with_all[: len(numbers)]])
    demand(complete, f"{pid} sent 1 to {count}, ended {event.error}, and {numbers} came")


@action(3)
async def keep_busy(soak, chance):
    topic, payload = chance.choice([("busy", 100_000), ("sleep", "5ms"), ("timers", 20)])
    soak.node.send(chance.choice(WORKERS), topic, payload)


# Processes


@action(4)
async def fan_out(soak, chance):
    await job(soak.node, chance, "fan", ROOMY, chance.randrange(1, 20))


@action(2)
async def burst(soak, chance):
    await job(soak.node, chance, "burst", ROOMY, chance.randrange(1, 20))


@action(2)
async def chain(soak, chance):
    hosts = chance.sample(ROOMY, 3)
    await job(soak.node, chance, "chain", hosts, chance.randrange(1, 8))


@action(4)
async def watch(soak, chance):
    """One EXIT for each monitor, one LINK_DOWN for each link that breaks."""
    async with soak.node.open_process() as me:
        me.set_trap_links(True)
        waits = {}
        for _ in range(chance.randrange(1, 6)):
            host = chance.choice(ROOMY)
            pid = await me.spawn("soak:plain", host=host, link=True, monitor=True)
            waits[pid] = {Exit, LinkDown}
        for pid in waits:
            # It may have been lost with its state.
            with suppress(NoProcessError):
                me.send(pid, "crash")
        while any(waits.values()):
            event = await me.events.receive()
            expected = type(event) in waits[event.pid]
            demand(expected, f"one more {type(event).__name__} of {event.pid}")
            waits[event.pid].remove(type(event))


@action(4)
async def watch_children(soak, chance):
    """Monitors and links of others that come and go."""
    async with soak.node.open_process() as me:
        me.set_trap_links(True)
        for name in chance.sample(CHILDREN, 4):
            pid = soak.node.whereis(name)
            if pid:
                me.monitor(pid)
                me.link(pid)
        await trio.sleep(chance.random() * 0.05)


# Names and timers


@action(4)
async def names(soak, chance):
    node = soak.node
    name = f"soak {chance.randrange(20)}"
    node.register(name, node.whereis(chance.choice(CHILDREN)) or "")
    await trio.sleep(chance.random() * 0.01)
    node.unregister(name)


@action(4)
async def names_from_lua(soak, chance):
    await job(soak.node, chance, "names", 10)


@action(1)
async def contest_names(soak, chance):
    soak.node.send(chance.choice(WORKERS), "names", 10)


@action(2)
async def hold_name(soak, chance):
    """As a Python process."""
    name = f"held {chance.randrange(5)}"
    async with soak.node.open_process(name) as me:
        demand(soak.node.whereis(name) == me.pid, f"{me.pid} does not hold the name {name}")
        await trio.sleep(chance.random() * 0.02)


@action(4)
async def timers(soak, chance):
    await job(soak.node, chance, "timers", 20)


# Calls to supervisors


@action(6)
async def grow_pool(soak, chance):
    pool = soak.node.supervisor("pool")
    start = chance.choice(
        [lua("soak:worker", host=host) for host in ROOMY]
        + [lua("soak:plain", host=host) for host in ROOMY]
        + [task(clerk)]
    )
    spec = ChildSpec("member", start, restart=chance.choice(list(Restart)))
    started = await pool.start_child(spec)
    await trio.sleep(chance.random() * 0.5)
    if chance.random() < 0.3:
        soak.node.send(started.pid, "crash")
    await pool.terminate_child(started.pid)


@action(2)
async def pool_from_lua(soak, chance):
    await job(soak.node, chance, "pool", chance.choice(ROOMY), 3)


@action(2)
async def stop_and_restart(soak, chance):
    above = soak.node.supervisor(chance.choice(SUPERVISORS[:-1]))
    key = chance.choice(list(above.which_children()))
    await above.terminate_child(key)
    await trio.sleep(chance.random() * 0.05)
    await above.restart_child(key)


@action(2)
async def add_and_delete(soak, chance):
    above = soak.node.supervisor(chance.choice(SUPERVISORS[:-1]))
    spec = ChildSpec("extra", lua("soak:plain", host=chance.choice(ROOMY)))
    await above.start_child(spec)
    await above.terminate_child("extra")
    await above.delete_child("extra")


@action(4)
async def look(soak, chance):
    node = soak.node
    above = node.supervisor(chance.choice(SUPERVISORS))
    counts = above.count_children()
    demand(counts.active <= counts.specs, f"{above}: {counts}")
    demand(len(above.which_children()) == counts.specs, f"{above}: {counts}")
    pids = [info.pid for info in node.processes()]
    demand(len(pids) == len(set(pids)), "a process is listed twice")


@action(3)
async def give_up(soak, chance):
    """Cancel a caller, at any moment."""
    calls = [ask, ask_from_lua, fan_out, grow_pool, stop_and_restart, timers, chain, upgrade]
    with trio.move_on_after(chance.random() * 0.02):
        await chance.choice(calls)(soak, chance)


@action(0.5)
async def subscribe(soak, chance):
    """And be too slow."""
    try:
        with soak.node.subscribe(max_events=chance.randrange(1, 50)):
            await trio.sleep(chance.random() * 0.1)
    except SubscriberTooSlowError:
        pass


# Code


@action(0.6)
async def upgrade(soak, chance):
    async with soak.code:
        entry = chance.choice(["worker", "plain"])
        soak.files.write_next(entry)
        with trio.move_on_after(5):
            await soak.node.upgrade(f"soak:{entry}")
        name = chance.choice(["ann", "cay"] if entry == "worker" else ["bob", "gus"])
        version, newest = await soak.node.call(name, "version"), soak.files.version(entry)
        demand(version == newest, f"{name} runs version {version} after an upgrade to {newest}")


@action(0.3)
async def upgrade_badly(soak, chance):
    async with soak.code:
        entry = chance.choice(["worker", "plain"])
        with soak.files.broken(entry):
            try:
                await soak.node.upgrade(f"soak:{entry}")
            except SpawnError:
                return
            demand(False, f"a faulty version of {entry} was not refused")


@action(0.3)
async def reload(soak, chance):
    async with soak.code:
        soak.files.write_next(chance.choice(["worker", "plain"]))
        await soak.reload()


# States


@action(0.3)
async def lose_state(soak, chance):
    """A state breaks in its next turn: its kernel has no such method."""
    states = [state for state in soak.states() if state.host.name != "jit"]
    chance.choice(states).tell("break_down")


@action(0.1)
async def block_thread(soak, chance):
    """Longer than a thread may."""
    soak.node.send(chance.choice(["dan", "eve", "fay"]), "stuck", STUCK)
    await trio.sleep(MAX_BLOCK)


@action(0.5)
async def exhaust_memory(soak, chance):
    soak.node.send("kay", "hog")


@action(0.2)
async def exhaust_kernel(soak, chance):
    """A message that finds no room: what Python puts in is not refused."""
    limit = next(host.max_memory for host in HOSTS if host.name == "capped")
    soak.node.send("kay", "echo", bytes(2 * limit))
