"""Attacks: each ends as an error of its process, or does nothing, and its neighbours keep their pace."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import trio

from specs import DynamicSupervisorSpec, HostSpec
from supervise import open_node
from tests.attacks import ATTACKS
from tests.blocked import BLOCKS, MAX_BLOCK
from tests.pace import Pace
from tests.programs import ENTRIES, lua

# What a host must have for an attack to end.
LIMITS = {
    "": {},
    "PREEMPT": {"max_run_instructions": 10_000_000},
    "MEMORY": {"max_memory": 32_000_000},
}

# How long a trio task may be kept from its turn, in seconds of CPU time. What takes longest runs where
# Lua cannot suspend it, until it is ended.
LONGEST = 3.0

# How often the Lua canary must answer while an attack goes on.
CALLS = 5


async def answers(node, canary, count):
    return [await node.call(canary, "n", n) for n in range(count)] == [*range(count)]


OTHERS = {name: attack for name, attack in ATTACKS.items() if name not in BLOCKS}


@pytest.mark.parametrize("attack", OTHERS.values(), ids=OTHERS)
async def test_it_hurts_nobody_else(attack):
    entries = {**ENTRIES, "t:attack": lua(attack.body), "t:nothing": lua("")}
    hosts = [HostSpec("app:processes", **LIMITS[attack.needs])]
    options = {"hosts": hosts, "entries": entries, "output": lambda *_: None}
    pace = Pace()
    async with open_node(**options) as node, node.open_process() as me:
        await node.start(DynamicSupervisorSpec("pool", name="pool"))
        canary = await me.spawn("t:echo")
        trio.lowlevel.add_instrument(pace)

        attacker = await me.spawn("t:attack", me.pid, canary, monitor=True)
        assert await answers(node, canary, CALLS)
        if attack.goes_on:
            node.terminate(attacker)
        end = await me.events.receive()

        if attack.goes_on:
            assert str(end.error) == "process terminated"
        elif attack.fails:
            assert attack.fails in str(end.error)
        else:
            assert end.error is None, end.error
            assert end.result == attack.gives
        while waiting := [info.mailbox for info in node.processes() if info.pid == me.pid]:
            if not waiting[0]:
                break
            await me.receive()
        assert await answers(node, canary, 1)
    assert pace.longest < LONGEST


@pytest.fixture(scope="module")
def blocked():
    """What became of those that keep a core busy for ever, and of the canary."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.blocked"], stdout=subprocess.PIPE, timeout=60, check=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {facts.pop("name"): facts for facts in found}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_call_into_c_that_never_comes_back_loses_its_state_and_nothing_else(blocked, name):
    facts = blocked[name]
    assert (
        f"is lost: its thread did not come back within max_block, {MAX_BLOCK:g}"
        in (facts["attacker"])
    )
    assert facts["neighbour"] == facts["attacker"]
    assert facts["afterwards"] == 3


def test_calls_into_c_that_never_come_back_keep_nobody_waiting(blocked):
    assert blocked["canary"]["answers"] >= CALLS
    assert blocked["canary"]["longest"] < LONGEST
