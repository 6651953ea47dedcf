"""A child that fails a few times, with a longer pause after each, and then succeeds."""

from __future__ import annotations

from collections.abc import AsyncIterable

import trio

from specs.examples import SOURCE
from supervise import (
    AutoShutdown,
    Backoff,
    ChildExited,
    ChildSpec,
    ExitKind,
    LifecycleEvent,
    Restart,
    RestartDelayed,
    SupervisorExited,
    SupervisorSpec,
    current_process,
    lua,
    open_node,
    task,
)


async def station() -> None:
    """A weather station that is out of order at first."""
    me = current_process()
    answers = [{"error": "out of order"}] * 3 + [{"celsius": 21}]
    for answer in answers:
        message = await me.receive()
        assert message.sender is not None  # noqa: S101 - the poller is a process
        me.send(message.sender, "reply", answer)
    await trio.sleep_forever()


POLLER = ChildSpec(
    "poller",
    lua("app.poller:poll"),
    restart=Restart.TRANSIENT,  # until it ends well
    backoff=Backoff(initial=0.2, factor=2, jitter=0),
    significant=True,
)
WEATHER = SupervisorSpec(
    "weather",
    max_restarts=5,
    max_seconds=60,  # longer than all pauses together
    auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,  # when the poller is done, so is the tree
    children=[ChildSpec("station", task(station), name="station"), POLLER],
)


async def main() -> None:
    """Poll until there is an answer."""
    async with open_node(SOURCE, output=lambda _pid, text: print(text)) as node:
        with node.subscribe() as events:
            begin = trio.current_time()
            await node.start(WEATHER)
            await _tell(events, begin)


async def _tell(events: AsyncIterable[LifecycleEvent], begin: float) -> None:
    async for event in events:
        match event:
            case ChildExited(child="poller", at=at, reason=reason):
                failed = reason.kind is ExitKind.ERROR
                print(f"{at - begin:.1f} s: {reason.error if failed else 'the poller is done'}")
            case RestartDelayed(seconds=seconds):
                print(f"       it is asked again in {seconds:.1f} s")
            case SupervisorExited():
                print("       and with it the tree")
                return
            case _:
                pass
