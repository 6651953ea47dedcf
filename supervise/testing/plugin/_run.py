"""Runs async tests under trio: opens their fixtures, seeds the scheduler."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import trio
from trio.abc import Clock
from trio.testing import MockClock

from supervise.testing import SeedingError, seeded_scheduler
from supervise.testing.plugin._items import Promise

_OPTIONS: Final = ("source", "hosts", "entries", "output", "allow_leaks", "lua_memory")


def run_item(item: pytest.Function, seed: int, *, must_seed: bool) -> None:
    """Run an async test.

    Args:
        item: The test; its fixtures are set up, the async ones promised.
        seed: Of trio's scheduler.
        must_seed: Whether a trio that cannot be seeded is an error.
    """
    wanted = {name: item.funcargs[name] for name in item._fixtureinfo.argnames}
    run = partial(_run_once, item.funcargs, seed, must_seed)
    if not hasattr(item.obj, "hypothesis"):
        run(item.obj, **wanted)
        return
    from supervise.testing.plugin import _hypothesis  # noqa: PLC0415 - it may not be there

    with _hypothesis.inner_test_replaced(item.obj, run):
        item.obj(**wanted)


def _run_once(
    funcargs: Mapping[str, object],
    seed: int,
    must_seed: bool,  # noqa: FBT001 - what follows it belongs to the test
    func: Callable[..., Awaitable[None]],
    /,
    *args: object,
    **kwargs: object,
) -> None:
    """Run an async test in a trio run with fixtures of its own. Its arguments may have any name.

    Args:
        funcargs: All fixtures of the test, those that it does not name included.
        seed: Of trio's scheduler.
        must_seed: Whether a trio that cannot be seeded is an error.
        func: The test function.
        args: What it is called with.
        kwargs: What it is called with, promises among it.
    """
    clock, kwargs = _fresh_clock(funcargs, kwargs)

    async def run() -> None:
        async with AsyncExitStack() as stack:
            fixtures = _Fixtures(stack)
            for value in funcargs.values():
                await fixtures.kept(value)
            await func(
                *args, **{name: await fixtures.kept(value) for name, value in kwargs.items()}
            )

    try:
        with seeded_scheduler(seed):
            trio.run(run, clock=clock)
    except SeedingError:
        if must_seed:
            raise
        trio.run(run, clock=clock)


def _fresh_clock(
    funcargs: Mapping[str, object], kwargs: dict[str, object]
) -> tuple[Clock | None, dict[str, object]]:
    """The clock of a run, which begins anew, and the arguments with this clock."""
    clocks = {id(value): value for value in funcargs.values() if isinstance(value, Clock)}
    if len(clocks) > 1:
        pytest.fail(f"the test has {len(clocks)} clocks; it can run on one", pytrace=False)
    if not clocks:
        return None, kwargs
    (clock,) = clocks.values()
    fresh = clock
    if isinstance(clock, MockClock):
        fresh = MockClock(clock.rate, clock.autojump_threshold)
    return fresh, {name: fresh if value is clock else value for name, value in kwargs.items()}


class _Fixtures:
    """The async fixtures of one run, each opened once."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._values: dict[int, object] = {}

    async def kept(self, value: object) -> object:
        """What a promise becomes; any other value is itself."""
        if not isinstance(value, Promise):
            return value
        if id(value) not in self._values:
            self._values[id(value)] = await self._open(value)
        return self._values[id(value)]

    async def _open(self, promise: Promise) -> object:
        arguments = {name: await self.kept(value) for name, value in promise.arguments.items()}
        if inspect.iscoroutinefunction(promise.func):
            return await promise.func(**arguments)
        # What ends the test, and a cancellation, is raised at the `yield` of the fixture.
        opened = asynccontextmanager(promise.func)(**arguments)
        return await self._stack.enter_async_context(opened)


def node_options(item: pytest.Item) -> dict[str, Any]:
    """What the `supervise` markers of a test say; the nearer one wins, and adds to the entries."""
    options: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("supervise"))):
        unknown = [*map(repr, mark.args), *sorted(set(mark.kwargs) - set(_OPTIONS))]
        if unknown:
            pytest.fail(
                f"{item.nodeid}: @pytest.mark.supervise does not know {unknown[0]}; "
                f"give by name some of {', '.join(_OPTIONS)}",
                pytrace=False,
            )
        entries = {**options.get("entries", {}), **mark.kwargs.get("entries", {})}
        options.update(mark.kwargs, entries=entries)
    if "source" in options:
        source = options["source"]
        roots = [source] if isinstance(source, str | Path) else source
        options["source"] = [item.config.rootpath / root for root in roots]
    return options
