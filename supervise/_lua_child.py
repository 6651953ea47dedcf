"""A child that is a Lua process. The kernel starts it, ends it and reports its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lua_api import ChildDown, ChildUp, Fault, HowEnded, TermError, encode_list
from specs import ExitKind, ExitReason
from supervise._child import KILLED, NORMAL, SHUTDOWN, RunningChild
from supervise._reasons import EndedBeforeStarted

if TYPE_CHECKING:
    from specs import LuaStart


class LuaChild(RunningChild):
    """A supervised Lua process.

    Most starts and stops are over when the request for them returns.
    """

    __slots__ = ("_ticket",)

    def launch(self) -> None:
        """Start the process; its chunk runs here, its `main` in the next step of the kernel."""
        spec, trees = self.spec, self.supervisor.trees
        start = cast("LuaStart", spec.start)
        try:
            args = encode_list(start.args, "args") if start.args else None
        except TermError as exc:
            self.down(ExitReason(ExitKind.ERROR, exc))
            return
        self._ticket = trees.seat(self)
        outcome = self.supervisor.kernel.start_child(
            self._ticket,
            self.supervisor.pid,
            start.entry,
            trees.host(start.host),
            args=args,
            name=spec.name,
            ready=spec.ready,
        )
        if isinstance(outcome, str):
            self.up(outcome)
        elif outcome is not None:
            self._leave(ExitReason(ExitKind.ERROR, outcome))

    def ask(self) -> None:
        """Send the CANCEL event; most processes have ended when this returns."""
        end = self.supervisor.kernel.stop_child(self._ticket, "shutdown")
        if end is not None:
            self._ended(end)

    def force(self) -> None:
        """Terminate the process."""
        if self.supervisor.trees.kernel().kill_child(self._ticket):
            self._leave(KILLED)

    def on_effect(self, effect: ChildUp | ChildDown) -> None:
        """The kernel has news of it."""
        if isinstance(effect, ChildUp):
            self.up(effect.pid, effect.value)
        else:
            self._ended(effect)

    def _ended(self, end: ChildDown) -> None:
        if end.how is HowEnded.IGNORED:
            self.supervisor.trees.vacate(self._ticket)
            self.ignored()
        else:
            self._leave(self._reason(end.error, end.how))

    def _reason(self, error: Fault | None, how: HowEnded) -> ExitReason:
        if how is HowEnded.TERMINATED:
            return ExitReason(ExitKind.KILLED, error)
        if how is HowEnded.SHUT_DOWN:
            return SHUTDOWN
        if error is not None:
            return ExitReason(ExitKind.ERROR, error)
        if self.stopping:
            return SHUTDOWN
        return NORMAL if self.is_up else ExitReason(ExitKind.ERROR, EndedBeforeStarted())

    def _leave(self, reason: ExitReason) -> None:
        self.supervisor.trees.vacate(self._ticket)
        self.down(reason)
