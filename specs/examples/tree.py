"""A tree whose children crash, restart, take others along, escalate, and stop in order.

What is shown is what `node.subscribe()` gives: one typed event for each step of a supervisor.
"""

from __future__ import annotations

from collections.abc import AsyncIterable

import trio

from specs.examples import SOURCE
from supervise import (
    ChildEvent,
    ChildExited,
    ChildSpec,
    ChildStarted,
    ChildStopping,
    Event,
    ExitKind,
    ExitReason,
    LifecycleEvent,
    Node,
    RestartLimitReached,
    Strategy,
    SupervisorExited,
    SupervisorSpec,
    SupervisorStopping,
    lua,
    open_node,
    task,
)

PAUSE = 0.5  # seconds, so that one can follow


async def door() -> None:
    """A child in Python: it waits until it is cancelled, as trio tasks are."""
    await trio.sleep_forever()


def worker(name: str) -> ChildSpec:
    """A child in Lua, registered under its name."""
    return ChildSpec(name, lua("app.tree:worker"), name=name)


KITCHEN = SupervisorSpec(
    "kitchen",
    strategy=Strategy.ONE_FOR_ALL,  # an oven is of no use without a cook
    max_restarts=1,
    children=[worker("oven"), worker("cook")],
)
BAKERY = SupervisorSpec(
    "bakery",
    children=[worker("till"), KITCHEN, ChildSpec("door", task(door))],
)


async def main() -> None:
    """Run the tree through its troubles, and stop it."""
    async with open_node(SOURCE) as node:
        with node.subscribe() as events:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_tell, events, trio.current_time())
                await _run(node)


async def _run(node: Node) -> None:
    print("Children start in order, each when the one before is up.")
    bakery = await node.start(BAKERY)
    await trio.sleep(PAUSE)

    print("\nThe till crashes: it alone is restarted.")
    await _fail(node, "till", "no change left")

    print("\nThe cook crashes: in a one_for_all kitchen, the oven is restarted, too.")
    await _fail(node, "cook", "burnt a finger")

    print("\nOnce more, where one restart is allowed: the kitchen gives up, and the bakery,")
    print("for which that is a crash like any other, starts a new kitchen.")
    await _fail(node, "cook", "burnt another one")

    print("\nStop: in reverse order, and whoever listens has time to tidy up.")
    await bakery.stop()


async def _fail(node: Node, name: str, why: str) -> None:
    node.send(name, "fail", why)
    await trio.sleep(PAUSE)


async def _tell(events: AsyncIterable[LifecycleEvent], begin: float) -> None:
    async for event in events:
        if isinstance(event, Event) and (said := _words(event)):
            where = event.supervisor
            if isinstance(event, ChildEvent):
                where += f"/{event.child}"
            print(f"{event.at - begin:5.1f} s  {where:20} {said}")
        if isinstance(event, SupervisorExited) and event.supervisor == BAKERY.id:
            return


def _words(event: Event) -> str | None:
    words = None
    match event:
        case ChildStarted(pid=pid):
            words = f"is up: {pid}"
        case ChildExited(reason=ExitReason(error=RestartLimitReached())):
            words = "CRASHED: it gave up"
        case ChildExited(reason=ExitReason(ExitKind.ERROR, error)):
            words = f"CRASHED: {error}"
        case ChildExited(uptime=uptime):
            words = f"has stopped, after {uptime:.1f} s"
        case ChildStopping():
            words = "is asked to stop"
        case SupervisorStopping(reason=ExitReason(error=RestartLimitReached(child=child))):
            words = f"gives up on its {child}"
        case SupervisorExited(supervisor=BAKERY.id):
            words = "has stopped"
        case _:
            pass
    return words
