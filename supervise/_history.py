"""The last ends of a child. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from specs import ExitReason

KEPT: Final = 10
"""How many ends of a child are remembered."""


class PastExit(Struct, frozen=True):
    """One end of a child, or a start that failed.

    Attributes:
        at: When.
        reason: How it ended, or why it did not start.
        uptime: Seconds it had been up; 0.0 if it never was.
    """

    at: float
    reason: ExitReason
    uptime: float


def remember(past: tuple[PastExit, ...], exit_: PastExit) -> tuple[PastExit, ...]:
    """The history with one more end, oldest first."""
    return (*past[-(KEPT - 1) :], exit_)
