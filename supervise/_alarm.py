"""Calls back at set times, for all supervisors of a node. Knows only the clock of trio."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from typing import NoReturn

import trio

from supervise._bell import Bell

# Cancelled alarms are dropped together once they are more than this, and more than the others.
_TOLERATED = 64


class Alarm:
    """One time at which something is to be called. Made by `Alarms.set`."""

    __slots__ = ("_alarms", "at", "callback", "serial")

    def __init__(
        self, alarms: Alarms, at: float, serial: int, callback: Callable[[], None]
    ) -> None:
        self._alarms = alarms
        self.at = at
        self.serial = serial
        self.callback: Callable[[], None] | None = callback

    def __lt__(self, other: Alarm) -> bool:
        return (self.at, self.serial) < (other.at, other.serial)

    def cancel(self) -> None:
        """Forget it; nothing happens if it went off."""
        if self.callback is not None:
            self.callback = None
            self._alarms.count_cancelled()


class Alarms:
    """All alarms, which go off in order for as long as the task of `run` lives."""

    def __init__(self) -> None:
        self._heap: list[Alarm] = []
        self._serials = itertools.count()
        self._cancelled = 0
        self._bell = Bell()

    def set(self, at: float, callback: Callable[[], None]) -> Alarm:
        """Call back at this time, soon if it is past."""
        alarm = Alarm(self, at, next(self._serials), callback)
        heapq.heappush(self._heap, alarm)
        if self._heap[0] is alarm:
            self._bell.ring()
        return alarm

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def count_cancelled(self) -> None:
        """One more alarm was cancelled."""
        self._cancelled += 1
        if self._cancelled > _TOLERATED and self._cancelled > len(self._heap) // 2:
            self._heap = [alarm for alarm in self._heap if alarm.callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> NoReturn:
        """Let the alarms go off. Runs until cancelled."""
        while True:
            self._bell.still()
            self._ring()
            deadline = self._heap[0].at if self._heap else math.inf
            with trio.move_on_at(deadline):
                await self._bell.wait()

    def _ring(self) -> None:
        now = trio.current_time()
        while self._heap and (self._heap[0].callback is None or self._heap[0].at <= now):
            alarm = heapq.heappop(self._heap)
            callback, alarm.callback = alarm.callback, None
            if callback is None:
                self._cancelled -= 1
            else:
                callback()
