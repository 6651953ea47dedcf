"""A child that is a Lua process. The kernel starts it, ends it and reports its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lua_api import HowEnded, TermError, encode_list
from specs import ExitKind, ExitReason
from supervise._child import KILLED, NORMAL, SHUTDOWN, RunningChild
from supervise._reasons import EndedBeforeStarted

if TYPE_CHECKING:
    from lua_api import ChildDown
    from specs import LuaStart


class LuaChild(RunningChild):
    """A supervised Lua process.

    Most starts and stops are over when the request for them returns.
    """

    __slots__ = ("_ticket",)

    def launch(self) -> None:
        """Start the process; its chunk runs here, its `main` in the next step of the kernel."""
        spec, trees = self.spec, self.supervisor.trees
        start: LuaStart = spec.start  # type: ignore[assignment]  # what makes it a Lua child
        try:
            args = encode_list(start.args, "args") if start.args else None
        except TermError as exc:
            self.down(ExitReason(ExitKind.ERROR, exc))
            return
        self._ticket = ticket = trees.seat(self)
        outcome = self.supervisor.kernel.start_child(
            ticket,
            self.supervisor.pid,
            start.entry,
            start.host or trees.host,
            args=args,
            name=spec.name,
            ready=spec.ready,
        )
        if isinstance(outcome, str):
            self.up(outcome)
        elif outcome is not None:
            trees.vacate(ticket)
            self.down(ExitReason(ExitKind.ERROR, outcome))

    def ask(self) -> None:
        """Send the CANCEL event; most processes have ended when this returns."""
        end = self.supervisor.kernel.stop_child(self._ticket, "shutdown")
        if end is not None:
            self.supervisor.trees.vacate(self._ticket)
            self.ended(end)

    def force(self) -> None:
        """Terminate the process."""
        trees = self.supervisor.trees
        if trees.kernel().kill_child(self._ticket):
            trees.vacate(self._ticket)
            self.down(KILLED)

    def ended(self, end: ChildDown) -> None:
        """The kernel says how it ended; its seat is free."""
        how, error = end.how, end.error
        if how is HowEnded.BY_ITSELF and error is not None:
            self.down(ExitReason(ExitKind.ERROR, error))
        elif how is HowEnded.IGNORED:
            self.ignored()
        elif how is HowEnded.TERMINATED:
            self.down(ExitReason(ExitKind.KILLED, error))
        elif self.stopping or how is HowEnded.SHUT_DOWN:
            self.down(SHUTDOWN)
        elif self.is_up:
            self.down(NORMAL)
        else:
            self.down(ExitReason(ExitKind.ERROR, EndedBeforeStarted()))
