"""Brings a node up to date whenever Lua files change, and tells in a line what came of it."""

from __future__ import annotations

import importlib.util
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import trio

from supervise._upgrade import Upgrade, Upgraded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
    from pathlib import Path

    from supervise._node import Node

PATIENCE: Final = 2.0
"""Seconds for which a line waits for processes that were asked to upgrade."""

_SHOWN: Final = 3
_GRAIN: Final = 200  # milliseconds after which a watcher sees that it is cancelled


def can_watch() -> bool:
    """Whether there is what `watch` needs."""
    return importlib.util.find_spec("watchfiles") is not None


async def watch(roots: Iterable[Path]) -> AsyncGenerator[None, None]:
    """Yield whenever Lua files below these folders have changed."""
    # Only who reloads needs it.
    from watchfiles import awatch  # noqa: PLC0415

    changes = awatch(
        *roots, watch_filter=lambda _, path: path.endswith(".lua"), rust_timeout=_GRAIN
    )
    async with aclosing(changes):
        async for _ in changes:
            yield


async def reload_below(node: Node, roots: Iterable[Path], tell: Callable[[str], None]) -> None:
    """Watch the Lua files below these folders, for `reload_on_change`."""
    async with aclosing(watch(roots)) as changes:
        await reload_on_change(node, changes, tell)


async def reload_on_change(
    node: Node, changes: AsyncIterable[object], tell: Callable[[str], None]
) -> None:
    """Load what is new whenever something changes, until the changes end.

    Args:
        node: The node.
        changes: Says that files may have changed; which, is found out here.
        tell: Gets a line for what was loaded, and one for each fault.
    """
    async for _ in changes:
        refresh = node.code.refresh()
        for fault in refresh.faults:
            tell(f"not reloaded: {fault}; the old version runs on")
        if refresh.loaded:
            with Upgrade(node) as upgrade:
                await upgrade.ask()
                await upgrade.restart_supervised()
                with trio.move_on_after(PATIENCE):
                    await upgrade.wait_for_asked()
            tell(f"reloaded {', '.join(refresh.loaded)}: {_in_words(upgrade.result())}")


def _in_words(done: Upgraded) -> str:
    counted = [
        f"{len(pids)} {what}"
        for pids, what in (
            (done.upgraded, "upgraded"),
            (done.restarted, "restarted"),
            (done.failed, "failed"),
        )
        if pids
    ]
    if done.outdated:
        shown = ", ".join(done.outdated[:_SHOWN])
        more = ", ..." if len(done.outdated) > _SHOWN else ""
        verb = "runs" if len(done.outdated) == 1 else "run"
        counted.append(f"{len(done.outdated)} still {verb} the old version ({shown}{more})")
    return ", ".join(counted) or "nothing ran it"
