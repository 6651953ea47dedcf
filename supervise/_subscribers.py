"""Who gets the lifecycle events of a node. Knows no kernel."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import trio

from supervise._errors import SubscriberTooSlowError

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
    def subscribe(
        self, max_events: int
    ) -> Generator[trio.MemoryReceiveChannel[LifecycleEvent], None, None]:
        """Receive every event from now on, in order, until the block ends.

        Raises:
            SubscriberTooSlowError: More than `max_events` events waited at some moment.
        """
        send, receive = trio.open_memory_channel["LifecycleEvent"](max_events)
        too_slow = False

        def give(event: LifecycleEvent) -> None:
            nonlocal too_slow
            # Whoever closed the receiving end has had enough; so has everybody once the node ends.
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                try:
                    send.send_nowait(event)
                except trio.WouldBlock:
                    too_slow = True
                    send.close()

        self._channels.append(send)
        try:
            with self.listen(give), receive:
                yield receive
        finally:
            send.close()
            self._channels.remove(send)
        if too_slow:
            raise SubscriberTooSlowError(max_events)

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
