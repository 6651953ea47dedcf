"""Opening a node: checks what it is given, and runs it for as long as a block lasts."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from lua_api import Kernel, check_lua
from specs import Entry, HostSpec, SpecError, check_host
from supervise._node import Node
from supervise._sources import Sources

DEFAULT_HOSTS: Final = (HostSpec("app:processes"),)
"""Where processes run unless a node says otherwise."""


def print_line(pid: str, text: str) -> None:
    """Write a line that a process printed to standard output, with its pid."""
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    sys.stdout.write(f"{pid} {shown}\n")


def _check_hosts(hosts: Sequence[HostSpec]) -> None:
    names = set()
    for host in hosts:
        check_host(host)
        check_lua(host.lua)
        if host.name in names:
            raise SpecError([f"{host.name}: is the name of another host too"])
        names.add(host.name)


@asynccontextmanager
async def open_node(
    source: str | Path | Iterable[str | Path] = (),
    hosts: Sequence[HostSpec] = DEFAULT_HOSTS,
    entries: Mapping[str, Entry | str | Path] | None = None,
    output: Callable[[str, str], None] = print_line,
) -> AsyncGenerator[Node, None]:
    """Run a node for as long as the block lasts.

    At its end all trees are stopped, and all processes ended. Nothing that was started within the
    block outlives it. A Python child that shields itself from its cancellation for ever keeps it
    open, therefore, as it would any nursery: `Supervisor.stop` gives it up and returns, and at the
    end of the block a record of level CRITICAL says which child it is and where it is.

    Args:
        source: The folder, or folders, with the Lua files: entry `"app.jobs:mail"` is the file
            `app/jobs/mail.lua` below one of them.
        hosts: Where processes run.
        entries: Entries whose source is elsewhere; they win over files.
        output: Gets the pid and the text of each line that a process prints.

    Raises:
        SpecError: A host is faulty; nothing was started.
        SourceError: A source root is not a folder.
        SuperviseError: lupa comes without the Lua that a host asks for.

    Example:
        async with open_node("app") as node:
            print(await node.exec("app.math:double", 21))
    """
    _check_hosts(hosts)
    roots = [source] if isinstance(source, str | Path) else source
    sources = Sources(roots, entries or {})
    now = trio.current_time()
    epoch = time.time() - now
    node = Node(Kernel(now, epoch), sources, hosts, output, epoch)
    async with node.running():
        yield node
