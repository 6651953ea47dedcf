"""How long a helper waits, on any clock, and what it says when that was in vain."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import trio
from trio.testing import MockClock

from specs import SuperviseError
from supervise.testing._tree_text import describe

if TYPE_CHECKING:
    from collections.abc import Generator

    from supervise._node import Node

PATIENCE: Final = 10.0
"""Seconds that a helper waits on a real clock, or while a virtual one stands still."""

VIRTUAL_PATIENCE: Final = 86_400.0
"""Seconds that a helper waits on a virtual clock, where they cost nothing."""


class AwaitedInVainError(SuperviseError, AssertionError):
    """What a helper waited for did not come.

    Attributes:
        awaited: What it waited for.
    """

    def __init__(self, awaited: str, why: str, node: Node) -> None:
        self.awaited = awaited
        super().__init__(f"waited for {awaited}, in vain: {why}\n{describe(node)}")


class _StandstillGuard(trio.abc.Instrument):
    """Cancels a scope when tasks keep running and a virtual clock does not move."""

    def __init__(self, scope: trio.CancelScope) -> None:
        self._scope = scope
        self._moved_at, self._time = time.monotonic(), trio.current_time()
        self.stood_still = False

    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - as trio has it
        if trio.current_time() != self._time:
            self._moved_at, self._time = time.monotonic(), trio.current_time()
        elif time.monotonic() - self._moved_at > PATIENCE:
            self.stood_still = True
            self._scope.cancel()


@contextmanager
def awaiting(node: Node, what: str) -> Generator[None, None, None]:
    """Give up on the block when the helpers' patience is over. Cancel scopes outside are sooner.

    Args:
        node: The node it is about; the error shows its trees and processes.
        what: What the block waits for, in words.

    Raises:
        AwaitedInVainError: It was over.
    """
    virtual = isinstance(trio.lowlevel.current_clock(), MockClock)
    seconds = VIRTUAL_PATIENCE if virtual else PATIENCE
    with trio.move_on_after(seconds) as scope:
        guard = _StandstillGuard(scope)
        trio.lowlevel.add_instrument(guard)
        try:
            yield
        finally:
            trio.lowlevel.remove_instrument(guard)
    if scope.cancelled_caught:
        why = f"it did not come within {seconds:g} s" + (" of virtual time" if virtual else "")
        if guard.stood_still:
            why = f"something ran for {PATIENCE:g} s without ever waiting"
        raise AwaitedInVainError(what, why, node)
