"""Who gets the lifecycle events of a node. Knows no kernel."""

from __future__ import annotations

import math
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from supervise._lifecycle import LifecycleEvent


class Subscribers:
    """Everybody who subscribed.

    Args:
        watch: Called with whether there are any, when one comes or goes.
    """

    def __init__(self, watch: Callable[[bool], None]) -> None:
        self._watch = watch
        self._channels: list[trio.MemorySendChannel[LifecycleEvent]] = []
        self._listeners: list[Callable[[LifecycleEvent], object]] = []

    @contextmanager
    def subscribe(self) -> Generator[trio.MemoryReceiveChannel[LifecycleEvent], None, None]:
        """Receive every event from now on, in order, until the block ends."""
        send, receive = trio.open_memory_channel["LifecycleEvent"](math.inf)

        def give(event: LifecycleEvent) -> None:
            # Whoever closed the receiving end has had enough; so has everybody once the node ends.
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                send.send_nowait(event)

        self._channels.append(send)
        try:
            with self.listen(give), receive:
                yield receive
        finally:
            send.close()
            self._channels.remove(send)

    @contextmanager
    def listen(self, listener: Callable[[LifecycleEvent], object]) -> Generator[None, None, None]:
        """Call back with every event from now on, in order, until the block ends."""
        self._listeners.append(listener)
        self._watch(True)
        try:
            yield
        finally:
            self._listeners.remove(listener)
            self._watch(bool(self._listeners))

    def __len__(self) -> int:
        return len(self._listeners)

    def publish(self, event: LifecycleEvent) -> None:
        """Give an event to everybody."""
        for listener in self._listeners:
            listener(event)

    def close(self) -> None:
        """Let everybody see the end of the channel."""
        for channel in self._channels:
            channel.close()
