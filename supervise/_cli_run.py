"""Runs a Lua entry or a Python module, and shows what happens. Knows no options and no help."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import click

from lua_api import LinePrinted, ProcessExited
from specs import DynamicSupervisorSpec, SupervisorSpec
from supervise._cli_reload import reloading
from supervise._cli_report import FAILED, run_to_exit, show_error, show_fault, text_of
from supervise._cli_tree import refuse_arguments, run_spec
from supervise._lifecycle import LifecycleEvent
from supervise._open import open_node
from supervise._sources import Sources
from supervise._tree_file import entry_fault

_Main: TypeAlias = Callable[..., Awaitable[object]]


def run_entry(entry: str, args: Sequence[Any], source: Path, *, reload: bool) -> int:
    """Run a Lua entry until it ends.

    Args:
        entry: The entry, as `"app.jobs:mail"`.
        args: What its `main` gets.
        source: The source root.
        reload: Whether to watch its files.

    Returns:
        The exit code.

    Raises:
        click.UsageError: There is no such entry.
    """
    fault = entry_fault(Sources([source]), entry)
    if fault is not None:
        raise click.UsageError(fault)
    return run_to_exit(_run_entry, entry, args, source, reload)


async def _run_entry(entry: str, args: Sequence[Any], source: Path, reload: bool) -> int:  # noqa: FBT001
    # What is printed is one of the events: there it has its place among the failures.
    async with open_node(source, output=lambda _pid, _text: None) as node:
        with node.subscribe() as events:
            pid = await node.spawn(entry, *args)
            async with reloading(node, [source], on=reload):
                return await _show(events, until=pid)


async def _show(events: AsyncIterable[LifecycleEvent], until: str) -> int:
    async for event in events:
        if isinstance(event, LinePrinted):
            click.echo(f"{event.pid} {text_of(event.text)}")
        elif isinstance(event, ProcessExited):
            last = event.pid == until
            # Who was ended by others is no news, unless it is the one that was asked for.
            if event.error is not None and (last or event.error.kind != "Canceled"):
                show_fault(f"{event.pid} {event.entry} failed: ", event.error)
            if last:
                return 0 if event.error is None else FAILED
    raise AssertionError("a subscription ends only with its block")


def run_module(name: str, args: Sequence[Any], source: Path, *, reload: bool) -> int:
    """Run the `async def main()` of a Python module under trio, or the tree that is its `SPEC`.

    Args:
        name: The module, as `"app.shop"`.
        args: What its `main` gets.
        source: The folder to import it from, before all others; with the Lua files of its tree.
        reload: Whether to watch the Lua files of its tree.

    Returns:
        The exit code.

    Raises:
        click.UsageError: There is no such module, it has neither, or the function takes other
            arguments or cannot be reloaded.
    """
    sys.path.insert(0, str(source.resolve()))
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            return show_error(exc)  # what is missing is one of its own imports
        raise click.UsageError(
            f"no Python module {name} below {source}; a Lua entry is written as app.jobs:mail"
        ) from None
    except Exception as exc:  # noqa: BLE001 - it is code of the user that runs here
        return show_error(exc)
    main = getattr(module, "main", None)
    if not inspect.iscoroutinefunction(main):
        spec = getattr(module, "SPEC", None)
        if not isinstance(spec, SupervisorSpec | DynamicSupervisorSpec):
            raise click.UsageError(
                f"{module.__file__}: has no `async def main()` to run, and no SPEC of a supervisor"
            )
        refuse_arguments(args)
        return run_spec(spec, source, reload=reload)
    if reload:
        raise click.UsageError(
            f"--reload is for trees and Lua entries; {name} has a main with nodes of its own"
        )
    try:
        inspect.signature(main).bind(*args)
    except TypeError as exc:
        raise click.UsageError(f"{name}.main: {exc}") from None
    return run_to_exit(_run_main, main, args)


async def _run_main(main: _Main, args: Sequence[Any]) -> int:
    await main(*args)
    return 0
