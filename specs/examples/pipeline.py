"""Three stages under rest_for_one: who fails is restarted with all that come after it."""

from __future__ import annotations

import trio

from specs.examples import SOURCE
from supervise import ChildSpec, Strategy, SupervisorSpec, lua, open_node

STAGES = ("reader", "parser", "adder")
PIPELINE = SupervisorSpec(
    "pipeline",
    strategy=Strategy.REST_FOR_ONE,
    children=[ChildSpec(stage, lua(f"app.pipeline:{stage}"), name=stage) for stage in STAGES],
)


async def main() -> None:
    """Send lines through the stages; the third one is faulty."""
    async with open_node(SOURCE, output=lambda _pid, text: print(text)) as node:
        print("Five lines go through; the third is no number, and crashes the parser.\n")
        await node.start(PIPELINE)
        before = {stage: node.whereis(stage) for stage in STAGES}
        for line in ("5", "7", "seven", "30", "12"):
            node.send("reader", "line", line)
            await trio.sleep(0.1)
        print()
        for stage in STAGES:
            same = node.whereis(stage) == before[stage]
            print(f"{stage}: {'the same process as before' if same else 'a new process'}")
