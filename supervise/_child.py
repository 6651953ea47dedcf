"""One life of one child: what Lua processes, Python tasks and supervisors have in common.

A supervisor starts and stops it; how it goes, and within which times, is said here once.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from specs import BRUTAL_KILL, ExitKind, ExitReason
from supervise import _plan_io as io
from supervise._reasons import StartTimedOut

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervise._alarm import Alarm
    from supervise._supervisor import Supervisor

NORMAL: Final = ExitReason(ExitKind.NORMAL)
SHUTDOWN: Final = ExitReason(ExitKind.SHUTDOWN)
KILLED: Final = ExitReason(ExitKind.KILLED)


class RunningChild(ABC):
    """One incarnation of a child, from its start to its end.

    Args:
        supervisor: Who runs it.
        order: What the planner asked for.

    Attributes:
        key: What the supervisor calls it.
        stopping: Whether it was asked to stop.
        over: Whether it has ended; whatever comes later is about nobody.
    """

    __slots__ = (
        "_alarm",
        "_timed_out",
        "_up",
        "incarnation",
        "key",
        "over",
        "spec",
        "stopping",
        "supervisor",
    )

    def __init__(self, supervisor: Supervisor, order: io.StartChild) -> None:
        self.supervisor = supervisor
        self.key, self.incarnation, self.spec = order.child, order.incarnation, order.spec
        self.stopping = self.over = False
        self._up = self._timed_out = False
        self._alarm: Alarm | None = None

    # What differs.

    @abstractmethod
    def launch(self) -> None:
        """Start it; `up` or `down` is called, now or later."""

    @abstractmethod
    def ask(self) -> None:
        """Ask it to stop; `down` is called, now or later."""

    @abstractmethod
    def force(self) -> None:
        """End it by force; `down` is called, now or soon."""

    # What the supervisor does.

    def start(self) -> None:
        """Start it, within its `start_timeout`."""
        self.launch()
        if not (self._up or self.over):
            self.set_alarm(self.spec.start_timeout, self._time_out)

    def stop(self) -> None:
        """Stop it as its `shutdown` says, or cut its start short."""
        if self.over:
            return
        self.stopping = True
        self._drop_alarm()
        grace = self.spec.shutdown
        if grace is BRUTAL_KILL or self.supervisor.killed:
            self.force()
        else:
            self.ask()
            if not self.over:
                self.set_alarm(grace, self.force)

    def _time_out(self) -> None:
        self._timed_out = True
        self.force()

    # What it reports.

    def up(self, pid: str, info: object = None) -> None:
        """It has started."""
        if self._timed_out or self.over:
            return
        self._up = True
        if not self.stopping:
            if self._alarm is not None:
                self._drop_alarm()
            self.supervisor.handle(io.StartSucceeded(self.key, self.incarnation, pid, info))

    def ignored(self) -> None:
        """It has ended before it started, on purpose."""
        if self.over:
            return
        if self.stopping or self._timed_out:
            self.down(SHUTDOWN)
            return
        self.over = True
        self._drop_alarm()
        self.supervisor.ended(self, io.StartIgnored(self.key, self.incarnation))

    def down(self, reason: ExitReason) -> None:
        """It has ended, or it did not start."""
        if self.over:
            return
        self.over = True
        if self._alarm is not None:
            self._drop_alarm()
        key, incarnation = self.key, self.incarnation
        if self.stopping:
            self.supervisor.ended(self, io.StopFinished(key, incarnation, reason))
        elif self._up:
            self.supervisor.exited(self, io.Exit(key, incarnation, reason))
        else:
            if self._timed_out:
                reason = ExitReason(ExitKind.ERROR, StartTimedOut(self.spec.start_timeout))
            self.supervisor.ended(self, io.StartFailed(key, incarnation, reason))

    # Small change.

    @property
    def is_up(self) -> bool:
        """Whether it has started."""
        return self._up

    def set_alarm(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back unless it ends within these seconds."""
        self._drop_alarm()
        if seconds < math.inf:
            trees = self.supervisor.trees
            self._alarm = trees.alarms.set(trees.driver.now() + seconds, callback)

    def _drop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
