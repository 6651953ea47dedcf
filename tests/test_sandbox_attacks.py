"""Attacks: each ends as an error of its process, or does nothing, and its neighbours keep their pace."""

from __future__ import annotations

import time

import attrs
import pytest
import trio

from specs import DynamicSupervisorSpec, HostSpec
from supervise import open_node
from tests.attacks import ATTACKS
from tests.programs import ENTRIES, lua

# The field of a HostSpec by which it can be told whether hosts have what an attack needs.
FEATURES = {"PREEMPT": "max_run_instructions", "MEMORY": "max_memory", "THREADS": "workers"}
LIMITS = {"PREEMPT": 10_000_000, "MEMORY": 32_000_000, "THREADS": 1}

# How long a trio task may be kept from its turn, in seconds of CPU time. What takes longest runs where
# Lua cannot suspend it, until it is ended.
LONGEST = 3.0

# How often the Lua canary must answer while an attack goes on.
CALLS = 5


class Pace(trio.abc.Instrument):
    """The longest step of any task: for so long all others wait."""

    def __init__(self):
        self.longest = 0.0
        self.began = time.thread_time()

    def before_task_step(self, _task):
        self.began = time.thread_time()

    def after_task_step(self, _task):
        self.longest = max(self.longest, time.thread_time() - self.began)


def host_for(needs):
    """A host with the limits that an attack needs; skips the test if there are none."""
    if needs == "THREADS":
        pytest.skip("it keeps a core busy for ever; test_states has one that lasts a moment")
    fields = attrs.fields_dict(HostSpec)
    if needs and FEATURES[needs] not in fields:
        pytest.skip(f"needs {needs}: a HostSpec has no {FEATURES[needs]}")
    limits = {FEATURES[needs]: LIMITS[needs]} if needs else {}
    return HostSpec("app:processes", **limits)


async def answers(node, canary, count):
    return [await node.call(canary, "n", n) for n in range(count)] == [*range(count)]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_it_hurts_nobody_else(attack):
    entries = {**ENTRIES, "t:attack": lua(attack.body), "t:nothing": lua("")}
    options = {"hosts": [host_for(attack.needs)], "entries": entries, "output": lambda *_: None}
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
