"""Runs and checks a supervision tree for the command line, and shows what goes on in it."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import AsyncIterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, cast

import click
import trio
from rich.console import Console

from lua_api import LinePrinted
from specs import AnySupervisorSpec, LuaStart, SpecError, SupervisorSpec, TaskStart, check_spec
from supervise._cli_reload import reloading
from supervise._cli_report import FAILED, run_to_exit, text_of
from supervise._draw import render_tree
from supervise._errors import RestartIntensityError
from supervise._lifecycle import LifecycleEvent
from supervise._node import Node
from supervise._open import DEFAULT_HOSTS, open_node
from supervise._reasons import RestartLimitReached
from supervise._run import until_signalled
from supervise._show import News, last_words
from supervise._tree_file import TreeFile, checker, read_tree

INTERRUPTED: Final = 130  # as shells have it: 128 + SIGINT

_DRAW_SIGNAL: Final = getattr(signal, "SIGUSR1", None)
_DRAW_KEY: Final = b"t"
_WIDTH: Final = 160  # of a line that goes to no terminal
_PAUSE: Final = 1.0  # seconds between looks whether we are in the foreground again


def refuse_arguments(args: Sequence[object]) -> None:
    """A tree has no main that takes arguments.

    Raises:
        click.UsageError: There are some.
    """
    if args:
        raise click.UsageError(f"a tree takes no arguments, got {args[0]}")


def run_tree(path: Path, source: Path | None, *, reload: bool = False) -> int:
    """Run the tree of a file until it ends.

    Args:
        path: The file.
        source: The source root, if it is not the one that the file says.
        reload: Whether to watch its Lua files.

    Returns:
        The exit code.

    Raises:
        click.UsageError: The file cannot be read.
    """
    try:
        tree = _read(path, source)
    except SpecError as exc:
        return _show_faults(exc, f"{path}: ")
    return _run(tree, reload=reload)


def run_spec(spec: AnySupervisorSpec, source: Path, *, reload: bool) -> int:
    """Run a tree that was declared in Python until it ends; returns the exit code."""
    try:
        check_spec(spec, checker(source))
    except SpecError as exc:
        return _show_faults(exc)
    return _run(TreeFile(spec, [source], DEFAULT_HOSTS), reload=reload)


def check_tree(path: Path, source: Path | None) -> int:
    """Check the tree of a file, and print what is wrong, a line for each fault.

    Args:
        path: The file.
        source: The source root, if it is not the one that the file says.

    Returns:
        The exit code.

    Raises:
        click.UsageError: The file cannot be read.
    """
    try:
        tree = _read(path, source)
    except SpecError as exc:
        for problem in exc.problems:
            click.echo(f"{path}: {problem}")
        return FAILED
    supervisors, children = _count(tree.spec)
    click.echo(
        f"{supervisors} supervisor{'s' if supervisors != 1 else ''} and "
        f"{children} {'children' if children != 1 else 'child'}: no faults"
    )
    return 0


def _show_faults(exc: SpecError, where: str = "") -> int:
    for problem in exc.problems:
        click.echo(f"supervise: {where}{problem}", err=True)
    return FAILED


def _read(path: Path, source: Path | None) -> TreeFile:
    try:
        return read_tree(path, source)
    except OSError as exc:
        raise click.UsageError(f"cannot read {path}: {exc.strerror}") from None


def _count(spec: AnySupervisorSpec) -> tuple[int, int]:
    """How many supervisors there are, and how many other children."""
    supervisors, children = 1, 0
    for child in spec.children if isinstance(spec, SupervisorSpec) else ():
        if isinstance(child.start, LuaStart | TaskStart):
            children += 1
        else:
            below = _count(child.start)
            supervisors += below[0]
            children += below[1]
    return supervisors, children


def _run(tree: TreeFile, *, reload: bool) -> int:
    log = logging.getLogger("supervise")
    if not log.hasHandlers():
        # What is shown here need not come a second time from Python's handler of last resort; only
        # the log says what the end waits for.
        handler = logging.StreamHandler()
        handler.setLevel(logging.CRITICAL)
        log.addHandler(handler)
    return run_to_exit(_run_until_signalled, tree, reload)


async def _run_until_signalled(tree: TreeFile, reload: bool) -> int:  # noqa: FBT001
    try:
        came = await _run_and_show(tree, reload=reload)
    except RestartIntensityError as exc:
        limit = cast("RestartLimitReached", exc.reason.error)
        click.echo(f"supervise: {last_words(limit)}", err=True)
        return FAILED
    return INTERRUPTED if came == signal.SIGINT else 0


async def _run_and_show(tree: TreeFile, *, reload: bool) -> int | None:
    """Run a tree; returns the number of the signal that ended it, if one did."""
    came: int | None = None
    error: Exception | None = None
    with ExitStack() as subscription:

        async def run() -> None:
            # What is printed is one of the events: there it has its place among the others.
            async with open_node(tree.sources, tree.hosts, output=lambda _pid, _text: None) as node:
                events = subscription.enter_context(node.subscribe())
                showing.start_soon(_show, events)
                watching.start_soon(_draw_on_signal, node)
                watching.start_soon(_draw_on_key, node)
                root = await node.start(tree.spec)
                async with reloading(node, tree.sources, on=reload):
                    await root.wait_ended()

        try:
            # The news outlive the node: the last of them are about its end.
            async with trio.open_nursery() as showing, trio.open_nursery() as watching:
                try:
                    came = await until_signalled(run)
                except Exception as exc:  # noqa: BLE001 - raised below, outside the groups
                    error = exc
                watching.cancel_scope.cancel()
        except* BrokenPipeError as gone:  # whoever read the news has left, and the tree stopped
            error = BrokenPipeError(str(gone))
    if error is not None:
        raise error
    return came


async def _show(events: AsyncIterable[LifecycleEvent]) -> None:
    news = News()
    async for event in events:
        if isinstance(event, LinePrinted):
            click.echo(f"{event.pid} {text_of(event.text)}")
            continue
        text = news.tell(event)
        if text is not None:
            click.echo(text, err=True)


async def _draw_on_signal(node: Node) -> None:
    if _DRAW_SIGNAL is None:
        return
    with trio.open_signal_receiver(_DRAW_SIGNAL) as signals:
        async for _ in signals:
            _draw(node)


async def _draw_on_key(node: Node) -> None:
    if sys.stdin is None or not sys.stdin.isatty() or sys.platform == "win32":
        return
    terminal = sys.stdin.fileno()
    while True:
        await trio.lowlevel.wait_readable(terminal)
        if _is_in_background(terminal):
            # What is typed is for another; to read it would stop us.
            await trio.sleep(_PAUSE)
            continue
        try:
            typed = os.read(terminal, 1024)
        except OSError:  # the terminal is gone
            return
        if not typed:
            return
        if typed.strip() == _DRAW_KEY:
            _draw(node)


def _is_in_background(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) != os.getpgrp()
    except OSError:  # it is not the terminal that controls us
        return False


def _draw(node: Node) -> None:
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    for root in node.trees():
        console.print(render_tree(root, trio.current_time()))
