"""The life of a node: what runs in its background, its trees, and how its block ends."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn

import trio

from supervise._errors import NodeClosedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from supervise._node import Node
    from supervise._tree import Trees


class Life:
    """From the beginning of a node's block to its end.

    Attributes:
        trees: The node's supervision trees; None as long as it never had any.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._body = trio.CancelScope()
        self._background = trio.CancelScope(shield=True)
        self._opened = trio.Event()
        self._nursery: trio.Nursery | None = None
        self._failure: BaseException | None = None
        self.trees: Trees | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Live. However the block ends, first the trees stop, in order."""
        error: BaseException | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_background)
            try:
                with trio.CancelScope(shield=True):
                    await self._opened.wait()
                with self._body:
                    yield
            except BaseException as exc:  # noqa: BLE001 - raised below, outside the nursery's group
                error = exc
            try:
                with trio.CancelScope(shield=True):
                    await self._stop_trees()
            except BaseException as exc:  # noqa: BLE001 - an interrupt: nothing is stopped in order
                error = exc
            self._node.close()
            self._background.cancel()
        if self._failure is not None:
            raise self._failure from self._failure.__cause__ or error
        if error is not None:
            raise error

    async def _run_background(self) -> None:
        """The driver and all Python children: they end after the trees, however the block ends."""
        with self._background:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._run_for_good, self._node.driver.run)
                if self._node.states is not None and self._node.states.has_threads:
                    self._nursery.start_soon(self._run_for_good, self._node.states.watch_threads)
                self._opened.set()

    async def _run_for_good(self, run: Callable[[], Awaitable[NoReturn]]) -> None:
        try:
            await run()
        except trio.Cancelled:
            raise
        except BaseException as exc:  # noqa: BLE001 - raised out of the node's block
            self.break_down(exc)

    def break_down(self, error: BaseException) -> None:
        """End the node's block with this error, and everything else at once.

        Something that the supervisors rely on has failed: nothing can be done in order any more.
        """
        self._nursery = None
        if self.trees is not None:
            self.trees.abandon()
        self.interrupt(error)
        self._node.close()
        self._background.cancel()

    def interrupt(self, error: BaseException) -> None:
        """End the node's block with this error; the first one counts."""
        if self._failure is None:
            self._failure = error
            self._body.cancel()

    def need_trees(self) -> Trees:
        """The node's trees.

        Raises:
            NodeClosedError: It never had any, and cannot have any more.
        """
        if self.trees is None:
            if self._nursery is None:
                raise NodeClosedError
            # Half of this package is there for supervisors: who has none does not wait for it.
            from supervise._tree import Trees  # noqa: PLC0415

            self.trees = Trees(self._node, self._nursery)
            self._nursery.start_soon(self._run_for_good, self.trees.alarms.run)
        return self.trees

    async def _stop_trees(self) -> None:
        if self.trees is not None:
            await self.trees.stop()
        self._nursery = None
