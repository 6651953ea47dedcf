"""The reference model of a dynamic supervisor: children without ids, each on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from specs import ChildSpec, DynamicSupervisorSpec, ExitReason, LuaStart, TaskStart
from supervise import _events as ev
from supervise._events import ChildState
from supervise._plan_io import Done, Refusal, Refused
from supervise.testing.model.children import (
    ALIVE,
    REMOVED,
    STOPPING,
    WAITING,
    ModelChild,
    Supervision,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class ModelDynamicSupervisor(Supervision):
    """What a dynamic supervisor does (see `Supervision`). Callers name children by pid."""

    def __init__(
        self, spec: DynamicSupervisorSpec, chance: float = 0.5, path: str | None = None
    ) -> None:
        super().__init__(spec, chance, path)
        self.spec = spec
        self.added = 0

    def start(self, ticket: object) -> None:
        """It has no children of its own."""
        self.record(ev.SupervisorStarted, "start")
        self.answers[ticket] = Done()

    def restart(self, failed: Sequence[ModelChild]) -> None:
        """One charge each; all are charged before any is started."""
        if all(self.charge(child) for child in failed):
            for child in failed:
                self.restart_alone(child)

    def start_failed(self, child: ModelChild, reason: ExitReason) -> None:
        """A call hears of it; a restart costs one more charge."""
        if child.asker is not None:
            self.has_not_started(child, reason, REMOVED)
            self.settle(child, Refused(Refusal.START_FAILED, reason=reason))
        else:
            self.has_not_started(child, reason, WAITING)
            if self.charge(child):
                self.restart_alone(child)

    def after_stop(self, child: ModelChild) -> ChildState:
        """Nothing is kept of a child that is not to be started again."""
        renewed = child.renewer is not None and not child.stoppers and self.ending is None
        return WAITING if renewed else REMOVED

    def after_rest(self, _child: ModelChild) -> ChildState:
        """Nothing is kept of it."""
        return REMOVED

    def end(self, reason: ExitReason, cause: ev.Cause) -> None:
        """All are asked at once (32)."""
        if self.ending is None:
            super().end(reason, cause)
            for child in self.children.values():
                if child.state in ALIVE - {STOPPING}:
                    self.begin_stop(child, self.why_ending)

    def go_on(self) -> None:
        """Once nothing is left, it ends."""
        alive = any(child.state in ALIVE for child in self.children.values())
        if self.ending is not None and not alive:
            self.finish()

    def call(self, ticket: object, name: str, about: ChildSpec | object) -> None:
        """`start_child(spec)`, `terminate_child(pid)` or `renew_child(number)`."""
        self._answer_call(ticket, name, about)
        self.go_on()

    def _answer_call(self, ticket: object, name: str, about: ChildSpec | object) -> None:
        if self.refuses(ticket):
            return
        if isinstance(about, ChildSpec):
            self.start_child(ticket, about)
        elif name == "terminate_child":
            self.terminate_child(ticket, about)
        elif name == "renew_child":
            child = next((child for child in self.children.values() if child.key == about), None)
            if child is not None and child.is_busy:
                child.calls.append(lambda: self._answer_call(ticket, name, about))
            else:
                self.renew(ticket, child)
        else:
            self.answers[ticket] = Refused(Refusal.NOT_SUPPORTED)

    def start_child(self, ticket: object, spec: ChildSpec) -> None:
        """Those that are restarting count, too."""
        if len(self.children) >= self.spec.max_children:
            self.answers[ticket] = Refused(Refusal.MAX_CHILDREN)
            return
        if isinstance(spec.start, LuaStart | TaskStart):
            arguments = (*self.spec.extra_arguments, *spec.start.args)
            spec = evolve(spec, start=evolve(spec.start, args=arguments))
        self.added += 1
        child = self.add(self.added, spec, "start_child", added=True)
        child.asker = ticket
        self.begin_start(child, child.cause)

    def terminate_child(self, ticket: object, pid: object) -> None:
        """While it is restarting, by its last pid."""
        child = next((c for c in self.children.values() if c.pid == pid), None)
        if child is None:
            self.answers[ticket] = Refused(Refusal.NOT_FOUND)
        elif child.state in ALIVE:
            child.stoppers.append(ticket)
            if child.state != STOPPING:
                self.begin_stop(child, "terminate_child")
        else:
            self.tell(ev.ChildRemoved, child, "terminate_child")
            self.enter(child, REMOVED)
            self.answers[ticket] = Done()
