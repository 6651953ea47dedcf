"""Runs a program that is only a tree, until the tree ends or a signal stops it."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import trio

from specs import AnySupervisorSpec, Entry, HostSpec
from supervise._node import Node
from supervise._open import DEFAULT_HOSTS, open_node, print_line


def run(
    spec: AnySupervisorSpec,
    *,
    source: str | Path | Iterable[str | Path] = (),
    hosts: Sequence[HostSpec] = DEFAULT_HOSTS,
    entries: Mapping[str, Entry | str | Path] | None = None,
    output: Callable[[str, str], None] = print_line,
) -> None:
    """Run a tree until it ends. SIGINT and SIGTERM stop it in order, a second one at once.

    Args:
        spec: The root of the tree.
        source: As for `open_node`.
        hosts: As for `open_node`.
        entries: As for `open_node`.
        output: As for `open_node`.

    Raises:
        SpecError: The tree is faulty; nothing was started.
        StartError: A child did not start.
        RestartIntensityError: The tree gave up.

    Example:
        supervise.run(SupervisorSpec("shop", children=[...]), source="app")
    """
    trio.run(_run, spec, partial(open_node, source, hosts, entries, output))


async def _run(
    spec: AnySupervisorSpec, open_it: Callable[[], AbstractAsyncContextManager[Node]]
) -> None:
    async def run_tree() -> None:
        async with open_it() as node:
            tree = await node.start(spec)
            await tree.wait_ended()

    await until_signalled(run_tree)


async def until_signalled(body: Callable[[], Awaitable[None]]) -> int | None:
    """Run something that SIGINT and SIGTERM cancel; a second one ends the program at once.

    Returns:
        The number of the signal that came; None if none did.
    """
    error: Exception | None = None
    came: list[int] = []
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            stop = trio.CancelScope()
            nursery.start_soon(_obey, signals, stop, came)
            try:
                with stop:
                    await body()
            except Exception as exc:  # noqa: BLE001 - raised below, outside the nursery's group
                error = exc
            nursery.cancel_scope.cancel()
    if error is not None:
        raise error
    return came[0] if came else None


async def _obey(signals: AsyncIterator[int], stop: trio.CancelScope, came: list[int]) -> None:
    async for number in signals:
        if stop.cancel_called:
            # Nothing may be left to wait for: end as the signal does by itself.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        came.append(number)
        stop.cancel()
