"""Attacks that keep a core busy for ever: they need a program of their own, which ends them.

Run by itself it lets all of them loose on one node, writes what became of each as a line of JSON, and
ends, with its threads still in their endless calls.
"""

from __future__ import annotations

import json
import os
import sys

import trio

from supervise import Exit, HostSpec, Node, open_node
from tests.attacks import ATTACKS
from tests.pace import Pace
from tests.programs import ENTRIES, lua

BLOCKS = {name: attack for name, attack in ATTACKS.items() if attack.needs == "THREADS"}
MAX_BLOCK = 0.4


def _line(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


async def _attack(node: Node, name: str, host: str) -> None:
    async with node.open_process() as me:
        attacker, neighbour = [
            await me.spawn(entry, host=host, monitor=True) for entry in (f"t:{host}", "t:wait")
        ]
        me.send(attacker, "go")
        ends = [await me.events.receive() for _ in range(2)]
    errors = {end.pid: str(end.error) for end in ends if isinstance(end, Exit)}
    afterwards = await node.exec("t:add", 1, 2, host=host)
    _line(name=name, attacker=errors[attacker], neighbour=errors[neighbour], afterwards=afterwards)


async def main() -> None:
    """Let them loose."""
    hosts = [HostSpec("hub")]
    entries = dict(ENTRIES)
    places = {name: f"h{n}" for n, name in enumerate(BLOCKS)}
    for name, host in places.items():
        hosts.append(HostSpec(host, workers=1, max_block=MAX_BLOCK))
        entries[f"t:{host}"] = lua(f"process.inbox():receive() {BLOCKS[name].body}")
    pace, answers = Pace(), 0
    async with open_node(hosts=hosts, entries=entries) as node:
        canary = await node.spawn("t:echo", host="hub")
        trio.lowlevel.add_instrument(pace)
        async with trio.open_nursery() as attacks:
            for name, host in places.items():
                attacks.start_soon(_attack, node, name, host)
            while attacks.child_tasks:
                answers += await node.call(canary, "n", answers) == answers
                await trio.sleep(MAX_BLOCK / 10)
        _line(name="canary", answers=answers, longest=pace.longest)
        os._exit(0)


if __name__ == "__main__":
    trio.run(main)
