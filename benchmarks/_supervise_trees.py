"""The trees of our own benchmarks. Knows how a tree is declared and run, and no workload."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from specs import BRUTAL_KILL, ChildSpec, DynamicSupervisorSpec, SupervisorSpec, lua

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from supervise import Node

_RESTARTS = 10**6  # within the second below: none is ever too many

POOL = DynamicSupervisorSpec("pool", max_restarts=_RESTARTS, max_seconds=1.0)
ECHO = ChildSpec("echo", lua("bench:echo"), shutdown=BRUTAL_KILL)  # it reads no events


def crashing(children: int, watcher: str) -> SupervisorSpec:
    """A supervisor of children that tell `watcher` when they begin, and crash when told to."""
    return SupervisorSpec(
        "top",
        children=[ChildSpec(f"c{i}", lua("bench:child", watcher)) for i in range(children)],
        max_restarts=_RESTARTS,
        max_seconds=1.0,
    )


@asynccontextmanager
async def open_tree(node: Node, children: int, watcher: str) -> AsyncIterator[None]:
    """Run such a supervisor while the block runs."""
    tree = await node.start(crashing(children, watcher))
    yield
    await tree.stop()
