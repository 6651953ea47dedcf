"""How many restarts a supervisor may make in how many seconds. Pure: the time is an argument."""

from __future__ import annotations

from collections import deque


class RestartWindow:
    """Counts restarts in the closed window `[now - max_seconds, now]`.

    A restart exactly `max_seconds` ago still counts, as in OTP; unlike there, the window is not
    rounded to whole seconds. Charging costs the same whatever the limit is, and only what is in the
    window is kept.

    Attributes:
        max_restarts: How many restarts the window may hold.
        max_seconds: Its length in seconds.
    """

    def __init__(self, max_restarts: int, max_seconds: float) -> None:
        self.max_restarts = max_restarts
        self.max_seconds = max_seconds
        # Those in the window; with one more than the limit it overflows.
        self._stamps: deque[float] = deque(maxlen=max_restarts + 1)

    def charge(self, now: float) -> bool:
        """Charge one restart; False if it is one too many and must not be performed."""
        stamps = self._stamps
        stamps.append(now)
        # Where the limit is high they would pile up.
        while stamps[0] < now - self.max_seconds:
            stamps.popleft()
        return len(stamps) <= self.max_restarts

    def restarts(self, now: float) -> tuple[float, ...]:
        """When the restarts of the window were charged, oldest first."""
        return tuple(stamp for stamp in self._stamps if stamp >= now - self.max_seconds)
