"""Runs a Lua entry or a Python module, and shows what happens. Knows no options and no help."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
import traceback
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import click
import trio

from lua_api import Fault, LinePrinted, ProcessExited
from specs import SuperviseError
from supervise._errors import fault_text
from supervise._open import open_node
from supervise._sources import SourceError, Sources
from supervise._subscribers import LifecycleEvent

FAILED = 1

_Main: TypeAlias = Callable[..., Awaitable[object]]
_OURS = (
    str(Path(__file__).parent),
    str(Path(trio.__file__).parent),
    str(Path(importlib.__file__).parent),
    "<frozen importlib",
)


def run_entry(entry: str, args: Sequence[Any], source: Path) -> int:
    """Run a Lua entry until it ends.

    Args:
        entry: The entry, as `"app.jobs:mail"`.
        args: What its `main` gets.
        source: The source root.

    Returns:
        The exit code.

    Raises:
        click.UsageError: There is no such entry.
    """
    sources = Sources([source])
    try:
        sources.entry(entry)
    except SourceError as exc:
        near = difflib.get_close_matches(entry, sources.entries(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise click.UsageError(f"{exc}{hint}") from None
    return _run(_run_entry, entry, args, source)


async def _run_entry(entry: str, args: Sequence[Any], source: Path) -> int:
    # What is printed is one of the events: there it has its place among the failures.
    async with open_node(source, output=lambda _pid, _text: None) as node:
        with node.subscribe() as events:
            pid = await node.spawn(entry, *args)
            return await _show(events, until=pid)


async def _show(events: AsyncIterable[LifecycleEvent], until: str) -> int:
    async for event in events:
        if isinstance(event, LinePrinted):
            click.echo(f"{event.pid} {_as_text(event.text)}")
        elif isinstance(event, ProcessExited):
            last = event.pid == until
            # Who was ended by others is no news, unless it is the one that was asked for.
            if event.error is not None and (last or event.error.kind != "Canceled"):
                _show_fault(f"{event.pid} {event.entry} failed: ", event.error)
            if last:
                return 0 if event.error is None else FAILED
    raise AssertionError("a subscription ends only with its block")


def _as_text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def _show_fault(label: str, fault: Fault) -> None:
    click.echo(label + fault_text(fault), err=True)
    if fault.stack:
        click.echo(fault.stack, err=True)


def run_module(name: str, args: Sequence[Any], source: Path) -> int:
    """Run the `async def main()` of a Python module under trio.

    Args:
        name: The module, as `"app.shop"`.
        args: What its `main` gets.
        source: The folder to import it from, before all others.

    Returns:
        The exit code.

    Raises:
        click.UsageError: There is no such module, it has no such function, or the function takes
            other arguments.
    """
    sys.path.insert(0, str(source.resolve()))
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            return _show_error(exc)  # what is missing is one of its own imports
        raise click.UsageError(
            f"no Python module {name} below {source}; a Lua entry is written as app.jobs:mail"
        ) from None
    except Exception as exc:  # noqa: BLE001 - it is code of the user that runs here
        return _show_error(exc)
    main = getattr(module, "main", None)
    if not inspect.iscoroutinefunction(main):
        raise click.UsageError(f"{module.__file__}: has no `async def main()` to run")
    try:
        inspect.signature(main).bind(*args)
    except TypeError as exc:
        raise click.UsageError(f"{name}.main: {exc}") from None
    return _run(_run_main, main, args)


async def _run_main(main: _Main, args: Sequence[Any]) -> int:
    await main(*args)
    return 0


def _run(function: Callable[..., Awaitable[int]], *args: Any) -> int:  # noqa: ANN401
    try:
        return trio.run(function, *args)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is not None:
            raise KeyboardInterrupt from None
        if group.subgroup(lambda exc: not isinstance(exc, Exception)) is not None:
            raise
        return _show_error(group)
    except BrokenPipeError:
        raise
    except Exception as exc:  # noqa: BLE001 - it is code of the user that runs here
        return _show_error(exc)


def _show_error(exc: BaseException) -> int:
    """Show what ended a run: our errors as a line and what Lua says, others as Python does."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    if not isinstance(exc, SuperviseError):
        traceback.print_exception(exc.with_traceback(_of_user(exc.__traceback__)))
        return FAILED
    click.echo(f"supervise: {exc}", err=True)
    fault = getattr(exc, "fault", None)
    if isinstance(fault, Fault) and fault.stack:
        click.echo(fault.stack, err=True)
    return FAILED


def _of_user(frames: TracebackType | None) -> TracebackType | None:
    """The frames from the first one that is neither ours nor trio's."""
    first = frames
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_OURS):
        first = first.tb_next
    return first or frames
