"""A pool of monitored workers, one of which fails: who is started, what they say, how they end.

The pool, `app.demo:worker_pool`, is Lua and so are its workers. This side is a Python task with a
pid and the name "progress", to which the workers send messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from specs.examples import SOURCE
from supervise import (
    LifecycleEvent,
    LinePrinted,
    ProcessExited,
    ProcessSpawned,
    PythonProcess,
    open_node,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

POOL = "app.demo:worker_pool"

# What the pool starts under this name reports its progress here, and fails at task 3.
ENTRIES = {"app.test.process:task_worker": SOURCE / "app/demo/progress_worker.lua"}


async def main() -> None:
    """Run the pool until it ends."""
    print(
        "A pool gives a task to each of five workers and monitors them. Task 3 is made to fail.\n"
    )
    async with (
        open_node(SOURCE, entries=ENTRIES, output=_shown_as_event) as node,
        node.open_process("progress") as me,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_show_messages, me)
        with node.subscribe() as events:
            pool = await node.spawn(POOL)
            await _show_events(events, until=pool)
        nursery.cancel_scope.cancel()


def _shown_as_event(_pid: str, _text: str) -> None:
    """What is printed is one of the events: there it has its place among the others."""


async def _show_messages(me: PythonProcess) -> None:
    async for message in me.inbox:
        print(f"{message.sender} message  {message.topic}: {message.payload}")


async def _show_events(events: AsyncIterable[LifecycleEvent], until: str) -> None:
    async for event in events:
        match event:
            case ProcessSpawned(pid, entry):
                print(f"{pid} spawned  {entry}")
            case LinePrinted(pid, text):
                print(f"{pid} prints   {text}")
            case ProcessExited(pid, _, result, error):
                print(f"{pid} EXIT     {f'result: {result}' if error is None else error.message}")
                if pid == until:
                    return
            case _:
                pass
