"""A node for one test: its events are kept, and at its end nothing may be left over."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from lua_api import ProcessSpawned
from specs import SuperviseError
from supervise._errors import NoProcessError
from supervise._events import ChildStarted
from supervise._open import DEFAULT_HOSTS, open_node, print_line
from supervise.testing import _inside
from supervise.testing._wait import AwaitedInVainError
from supervise.testing.helpers import run_until_idle
from supervise.testing.seeding import current_seed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from specs import Entry, HostSpec
    from supervise._lifecycle import LifecycleEvent
    from supervise._node import Node

LEAKS: Final = ("processes", "names", "timers", "threads", "memory")
"""The sorts of leaks, as `allow_leaks` has them."""

LUA_MEMORY: Final = 1 << 20
"""Bytes by which the Lua state may grow: loaded sources stay in it."""

# Trio keeps its threads for a while, for whoever needs one next; these are their names then.
_IDLE_THREAD: Final = "Trio thread "

# Real seconds that a thread has to come to the end that it was about to reach.
_THREAD_GRACE: Final = 0.2


class LeakError(SuperviseError, AssertionError):
    """A test has left something over.

    Attributes:
        leaks: A line for each thing.
    """

    def __init__(self, leaks: Sequence[str]) -> None:
        self.leaks = tuple(leaks)
        super().__init__(
            "left over after the trees had stopped and what the test spawned was terminated:\n"
            + "\n".join(f"  {leak}" for leak in leaks)
            + "\nEnd it with its owner, for instance by a link, or allow it: allow_leaks=[...] of "
            + ", ".join(LEAKS)
        )


@asynccontextmanager
async def open_test_node(
    source: str | Path | Iterable[str | Path] = (),
    hosts: Sequence[HostSpec] = DEFAULT_HOSTS,
    entries: Mapping[str, Entry | str | Path] | None = None,
    output: Callable[[str, str], None] = print_line,
    *,
    allow_leaks: Collection[str] = (),
    lua_memory: int = LUA_MEMORY,
    events: list[LifecycleEvent] | None = None,
) -> AsyncGenerator[Node, None]:
    """Run a node for as long as the block lasts, and see that nothing is left over at its end.

    Then the trees stop, and what Python code outside the trees spawned is terminated; nothing else
    may live on or have been kept. After a failure of the block nothing is checked.

    Args:
        source: See `open_node`.
        hosts: See `open_node`.
        entries: See `open_node`.
        output: See `open_node`.
        allow_leaks: Sorts of leaks that are no failure: some of `LEAKS`.
        lua_memory: Bytes by which the Lua state may grow.
        events: Gets every lifecycle event of the node.

    Raises:
        LeakError: Something was left over.
        ValueError: `allow_leaks` names no sort of leaks.
        RuntimeError: The caller does not run under trio.

    Example:
        @given(programs())
        async def test_it_never_forgets(program):
            async with open_test_node("app") as node:
                ...
    """
    __tracebackhide__ = True
    if not trio.lowlevel.in_trio_run():
        raise RuntimeError(
            "open_test_node, and the fixture `node`, work under trio only: run the test without "
            "another plugin for async tests, or with trio as its backend"
        )
    unknown = sorted(set(allow_leaks) - set(LEAKS))
    if unknown:
        raise ValueError(f"allow_leaks: {unknown[0]!r} is none of {', '.join(LEAKS)}")
    seen: list[LifecycleEvent] = [] if events is None else events
    threads = set(threading.enumerate())
    async with open_node(source, hosts, entries, output) as node:
        seed = current_seed()
        if seed is not None:
            _inside.backoff_chance(node).seed(seed)
        memory = _inside.lua_bytes(node)
        with node.listen(seen.append):
            yield node
            await _end_all(node, seen)
            found = {
                **_leaks_in(node, seen),
                "memory": _memory_besides(node, memory + lua_memory),
            }
    found["threads"] = _threads_besides(threads)
    leaks = [leak for sort in LEAKS if sort not in allow_leaks for leak in found[sort]]
    if leaks:
        raise LeakError(leaks)


async def _end_all(node: Node, seen: Sequence[LifecycleEvent]) -> None:
    """Stop the trees, and terminate what the test itself spawned."""
    while roots := node.trees():
        await roots[-1].stop()
    spawned = {event.pid: event.parent for event in seen if isinstance(event, ProcessSpawned)}
    supervised = {event.pid for event in seen if isinstance(event, ChildStarted)}
    for pid, parent in spawned.items():
        if parent not in spawned and parent not in supervised:
            try:
                node.terminate(pid)
            except NoProcessError:
                continue
    try:
        await run_until_idle(node)
    except AwaitedInVainError:
        return  # what never waits lives, and so is among the leaks


def _leaks_in(node: Node, seen: Sequence[LifecycleEvent]) -> dict[str, list[str]]:
    parents = {event.pid: event.parent for event in seen if isinstance(event, ProcessSpawned)}
    alive = node.processes()
    timers = node.statistics().timers + _inside.alarm_count(node)
    return {
        "processes": [
            f"process {info.pid} {info.entry}, {info.state}"
            + (f", spawned by {parents[info.pid]}" if info.pid in parents else "")
            for info in alive
        ],
        "names": [f'name "{name}" of {info.pid}' for info in alive for name in info.names],
        "timers": [f"timers that have not gone off: {timers}"] if timers else [],
    }


def _threads_besides(before: Collection[threading.Thread]) -> list[str]:
    others = []
    for thread in threading.enumerate():
        if thread not in before and not thread.name.startswith(_IDLE_THREAD):
            thread.join(_THREAD_GRACE)
            if thread.is_alive() and not thread.name.startswith(_IDLE_THREAD):
                others.append(f"thread {thread.name}")
    return others


def _memory_besides(node: Node, most: int) -> list[str]:
    more = _inside.lua_bytes(node) - most
    return [f"Lua memory: {more:,} bytes more than allowed"] if more > 0 else []
