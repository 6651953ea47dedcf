"""Wakes the one task that waits for it. A `trio.Event` serves once, and has room for many tasks."""

from __future__ import annotations

import trio


class Bell:
    """Can be rung and waited for again and again."""

    __slots__ = ("_rung", "_task")

    def __init__(self) -> None:
        self._rung = False
        self._task: trio.lowlevel.Task | None = None

    def ring(self) -> None:
        """Wake who waits; if nobody does, the next wait is over at once."""
        task, self._task = self._task, None
        if task is None:
            self._rung = True
        else:
            trio.lowlevel.reschedule(task)

    def still(self) -> None:
        """Forget that it was rung."""
        self._rung = False

    async def wait(self) -> None:
        """Wait until it is rung."""
        if self._rung:
            self._rung = False
            await trio.lowlevel.checkpoint()
        else:
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED
