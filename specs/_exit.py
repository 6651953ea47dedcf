"""How a process ended: four kinds and what there is to say. Knows nothing of who runs it."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class ExitKind(Enum):
    """What sort of end it was; this alone decides about a restart."""

    NORMAL = "normal"
    """It returned without an error."""
    SHUTDOWN = "shutdown"
    """It ended because it was asked to stop."""
    ERROR = "error"
    """It ended in any other way of its own."""
    KILLED = "killed"
    """It was ended by force."""


@frozen
class ExitReason:
    """Why a process ended.

    Attributes:
        kind: The sort of end.
        error: What went wrong, or who asked for the stop; None where there is nothing to say.
            An exception, a frozen value that prints readably, or plain data.
    """

    kind: ExitKind
    error: object = None

    def __str__(self) -> str:
        return self.kind.value if self.error is None else f"{self.kind.value}: {self.error}"
