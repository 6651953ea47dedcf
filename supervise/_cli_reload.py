"""What `--reload` does to a run: it checks that files can be watched, and watches them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import click
import trio

from supervise import _reload
from supervise._node import Node


def need_watcher() -> None:
    """See to it that files can be watched.

    Raises:
        click.UsageError: They cannot.
    """
    if not _reload.can_watch():
        raise click.UsageError(
            "--reload needs the package watchfiles: pip install 'supervise-lua[reload]'"
        )


@asynccontextmanager
async def reloading(node: Node, roots: Sequence[Path], *, on: bool) -> AsyncGenerator[None, None]:
    """Keep a node up to date with its files for as long as the block lasts, if that is on."""
    if not on:
        yield
        return
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_reload.reload_below, node, roots, _say)
        yield
        nursery.cancel_scope.cancel()


def _say(line: str) -> None:
    click.echo(line, err=True)
