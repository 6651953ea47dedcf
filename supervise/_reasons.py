"""Why a supervisor ended: the values that its `ExitReason.error` holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from specs import ExitReason

ChildKey: TypeAlias = str | int
"""What a supervisor calls a child: its id, or its number under a dynamic supervisor."""


@frozen
class RestartLimitReached:
    """A child needed a restart that would have been one too many.

    Attributes:
        supervisor: The path of the supervisor that gave up.
        child: The child.
        reason: How it ended, or why it did not start, the last time.
        restarts: When restarts were charged within the window, oldest first, this one included.
        max_restarts: The limit.
        max_seconds: The window in seconds.
    """

    supervisor: str
    child: ChildKey
    reason: ExitReason
    restarts: tuple[float, ...]
    max_restarts: int
    max_seconds: float

    def __str__(self) -> str:
        times = ", ".join(f"{stamp:.3f}" for stamp in self.restarts)
        return (
            f"{self.supervisor} gave up on {self.child} ({self.reason}): more than "
            f"{self.max_restarts} restarts within {self.max_seconds:g} s, at {times}"
        )


@frozen
class ChildFailedToStart:
    """A child did not start, so its supervisor did not either.

    Attributes:
        supervisor: The path of the supervisor.
        child: The child.
        reason: Why it did not start.
    """

    supervisor: str
    child: ChildKey
    reason: ExitReason

    def __str__(self) -> str:
        return f"{self.supervisor}/{self.child} failed to start ({self.reason})"


@frozen
class SignificantChildExited:
    """The end of a significant child ended its supervisor, as `auto_shutdown` says.

    Attributes:
        supervisor: The path of the supervisor.
        child: The child.
        reason: How it ended.
    """

    supervisor: str
    child: ChildKey
    reason: ExitReason

    def __str__(self) -> str:
        return f"{self.supervisor} shut down after its significant child {self.child} ended"
