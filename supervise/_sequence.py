"""An ordered walk over a supervisor's children: stop from the last, then start from the first."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from supervise._events import Cause, ChildState
from supervise._plan_child import ALIVE, Child

if TYPE_CHECKING:
    from collections.abc import Iterable


class Phase(Enum):
    """How far a sequence has come."""

    STOPPING = auto()
    WAITING = auto()
    """All is stopped; a backoff runs."""
    STARTING = auto()


class Sequence:
    """The children from one rank on, stopped in reverse and started in order.

    It looks at each child once a phase, so that a sequence costs as much as it has children.

    Attributes:
        initial: Whether this is the supervisor's own start, where a failure is final.
        cause: What led to it.
        first: The rank from which on children are in scope.
        phase: How far it has come.
        timer: The key of the timer that holds back its starts; 0 for none.
        deadline: When that timer is due.
        held_by: The child whose backoff that is.
    """

    def __init__(self, cause: Cause, *, initial: bool = False) -> None:
        self.initial = initial
        self.cause = cause
        self.first = 0
        self.phase = Phase.STOPPING
        self.timer = 0
        self.deadline = 0.0
        self.held_by: Child | None = None
        self._order: list[Child] = []
        self._at = 0

    def begin_stopping(self, children: Iterable[Child], first: int) -> None:
        """Start over with the children from this rank on."""
        self.first = first
        self.phase = Phase.STOPPING
        self._order = list(children)
        self._at = len(self._order) - 1

    def begin_starting(self) -> None:
        """Go on to the starts."""
        self.phase = Phase.STARTING
        self._at = 0

    def covers(self, child: Child) -> bool:
        """Whether the child is in scope."""
        return child.rank >= self.first

    def to_stop(self) -> Child | None:
        """The last child in scope of which something is left; None when all are stopped."""
        while self._at >= 0:
            child = self._order[self._at]
            if child.rank < self.first:
                break
            if child.state in ALIVE:
                return child
            self._at -= 1
        return None

    def to_start(self) -> Child | None:
        """The next child in scope to be started, or being started; None when all are up."""
        while self._at < len(self._order):
            child = self._order[self._at]
            if child.rank >= self.first and self._wants(child):
                return child
            self._at += 1
        return None

    def is_starting(self, child: Child) -> bool:
        """Whether the start under way of this child is a step of the sequence."""
        return (
            self.phase is Phase.STARTING
            and self._at < len(self._order)
            and self._order[self._at] is child
        )

    def skip(self, child: Child) -> None:
        """Go past a child that is not to be tried again."""
        if self.is_starting(child):
            self._at += 1

    @staticmethod
    def _wants(child: Child) -> bool:
        return child.state in (ChildState.WAITING, ChildState.STARTING) or (
            child.state is ChildState.STOPPED and not child.held
        )
