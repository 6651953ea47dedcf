"""Why a supervisor ended: the values that its `ExitReason.error` holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from specs import ExitReason


def described(reason: ExitReason) -> str:
    """An exit reason in words; an exception with its type."""
    error = reason.error
    if isinstance(error, BaseException):
        return f"{reason.kind.value}: {type(error).__name__}: {error}"
    return str(reason)


ChildKey: TypeAlias = str | int
"""What a supervisor calls a child: its id, or its number under a dynamic supervisor."""


class RestartLimitReached(Struct, frozen=True):
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
        last = self.restarts[-1]
        times = ", ".join(f"{last - stamp:.3f}" for stamp in self.restarts)
        return (
            f"{self.supervisor} gave up on {self.child} ({described(self.reason)}): more than "
            f"{self.max_restarts} restarts within {self.max_seconds:g} s, asked for {times} s ago"
        )


class ChildFailedToStart(Struct, frozen=True):
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
        return f"{self.supervisor}/{self.child} failed to start ({described(self.reason)})"


class SignificantChildExited(Struct, frozen=True):
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


class StartTimedOut(Struct, frozen=True):
    """A child had not started when its `start_timeout` was over.

    Attributes:
        seconds: That time.
    """

    seconds: float

    def __str__(self) -> str:
        return f"it had not started within {self.seconds:g} s"


class EndedBeforeStarted(Struct, frozen=True):
    """A child ended normally before it said that it had started."""

    def __str__(self) -> str:
        return "it ended before it said that it had started"


class Unstoppable(Struct, frozen=True):
    """A Python child that swallows cancellation: it was given up, and runs on by itself.

    Attributes:
        stack: Where it was then.
    """

    stack: str

    def __str__(self) -> str:
        return f"it does not stop, and was given up; it is at\n{self.stack}"
