"""Brings running processes to the newest code that their node has loaded."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from lua_api import Outdated, ProcessExited, ProcessUpgraded

if TYPE_CHECKING:
    from supervise._lifecycle import LifecycleEvent
    from supervise._node import Node


class Upgraded(Struct, frozen=True):
    """What became of the processes that ran an older version, by their pids.

    Attributes:
        upgraded: They run the new version.
        restarted: Supervised ones that take no part in upgrades: these are their new pids.
        failed: They ended on the way; or their supervisor could not start them again, which is
            for it a failure like any other.
        outdated: They still run the old version: they take no part in upgrades, and nobody
            supervises them, or they are temporary.
    """

    upgraded: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()


class Upgrade:
    """One upgrade of what is outdated, within its block.

    Args:
        node: The node.
        entry: Whose processes; by default all.
    """

    def __init__(self, node: Node, entry: str | None = None) -> None:
        self._node = node
        self._entry = entry
        self._events = ExitStack()
        self._upgraded: list[str] = []
        self._restarted: list[str] = []
        self._failed: list[str] = []
        self._outdated: dict[str, None] = {}

    def __enter__(self) -> Self:
        self._news = self._events.enter_context(self._node.subscribe())
        return self

    def __exit__(self, *_: object) -> None:
        self._events.close()

    async def ask(self) -> None:
        """Ask who takes part. First."""
        self._rows = await self._node.ask_to_upgrade(self._entry)
        self._outdated = dict.fromkeys(row.pid for row in self._rows)
        self._asked = {row.pid for row in self._rows if row.asked}

    async def restart_supervised(self) -> None:
        """Have those restarted, one by one, who take no part and have a supervisor."""
        for row in self._rows:
            if not row.asked and row.ticket is not None:
                await self._restart(row, row.ticket)

    async def wait_for_asked(self) -> None:
        """Wait until those who take part run the new version, or have ended."""
        while self._asked:
            self._take_in(await self._news.receive())

    def result(self) -> Upgraded:
        """How far it has come."""
        upgraded = set(self._upgraded)
        return Upgraded(
            tuple(row.pid for row in self._rows if row.pid in upgraded),
            tuple(self._restarted),
            tuple(self._failed),
            tuple(self._outdated),
        )

    async def _restart(self, row: Outdated, ticket: int) -> None:
        trees = self._node.life.trees
        child = None if trees is None else trees.child(ticket)
        if child is None:
            self._leave(row.pid, self._failed)
            return
        pid = await child.supervisor.renew_child(child.key)
        if pid is not None:
            self._leave(row.pid, self._restarted, pid)
        elif child.over:
            self._leave(row.pid, self._failed)

    def _take_in(self, event: LifecycleEvent) -> None:
        if isinstance(event, ProcessUpgraded | ProcessExited) and event.pid in self._asked:
            self._asked.remove(event.pid)
            done = isinstance(event, ProcessUpgraded)
            self._leave(event.pid, self._upgraded if done else self._failed)

    def _leave(self, pid: str, to: list[str], now: str | None = None) -> None:
        self._outdated.pop(pid, None)
        to.append(now or pid)
