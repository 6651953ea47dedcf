"""A child that is a supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from specs import ExitKind, ExitReason
from supervise import _plan_io as io
from supervise._child import SHUTDOWN, RunningChild
from supervise._errors import NameTakenError

if TYPE_CHECKING:
    from specs import AnySupervisorSpec
    from supervise._supervisor import Supervisor


class SupervisorChild(RunningChild):
    """A supervisor under another: it has a planner and children of its own."""

    below: Supervisor

    def launch(self) -> None:
        """Start the supervisor; it has started when all of its children have."""
        above = self.supervisor
        spec = cast("AnySupervisorSpec", self.spec.start)
        try:
            self.below = above.trees.open_supervisor(
                spec, f"{above.path}/{self.key}", above.pid, self._ended
            )
        except NameTakenError as exc:
            self.down(ExitReason(ExitKind.ERROR, exc))
            return
        self.below.handle(io.Start(self._answered))

    def _answered(self, result: io.Result) -> None:
        # A start that was refused ends the supervisor, which says more.
        if isinstance(result, io.Done):
            self.up(self.below.pid)

    def _ended(self, _: Supervisor, reason: ExitReason) -> None:
        self.down(reason)

    def ask(self) -> None:
        """Have it stop its children in order."""
        self.below.handle(io.Stop(SHUTDOWN))

    def force(self) -> None:
        """Have it end its children without asking."""
        self.below.kill()
