"""The reference model of a dynamic supervisor: children without ids, each on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specs import ChildSpec, DynamicSupervisorSpec, ExitKind
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

    def __init__(self, spec: DynamicSupervisorSpec, chance: float = 0.5) -> None:
        super().__init__(spec, chance)
        self.spec = spec
        self.added = 0

    def start(self, ticket: object) -> None:
        """It has no children of its own."""
        self.answers[ticket] = "done"

    def restart(self, failed: Sequence[ModelChild]) -> None:
        """One charge each; all are charged before any is started."""
        if all(self.charge() for _ in failed):
            for child in failed:
                self.restart_alone(child)

    def start_failed(self, child: ModelChild) -> None:
        """A call hears of it; a restart costs one more charge."""
        if child.asker is not None:
            self.enter(child, REMOVED)
            self.settle(child, "start_failed")
        else:
            child.state = WAITING
            if self.charge():
                self.restart_alone(child)

    def after_stop(self, _child: ModelChild) -> str:
        """Nothing is kept of a child that is not restarted."""
        return REMOVED

    def after_rest(self, _child: ModelChild) -> str:
        """As there."""
        return REMOVED

    def end(self, kind: ExitKind) -> None:
        """All are asked at once (32)."""
        if self.ending is None:
            super().end(kind)
            for child in self.children.values():
                if child.state in ALIVE - {STOPPING}:
                    self.begin_stop(child)

    def go_on(self) -> None:
        """Once nothing is left, it ends."""
        alive = any(child.state in ALIVE for child in self.children.values())
        if self.ending is not None and not alive:
            self.finish()

    def call(self, ticket: object, name: str, about: ChildSpec | object) -> None:
        """`start_child(spec)` or `terminate_child(pid)`; there is nothing to restart or delete."""
        if self.refuses(ticket):
            return
        if isinstance(about, ChildSpec):
            self.start_child(ticket, about)
        elif name == "terminate_child":
            self.terminate_child(ticket, about)
        else:
            self.answers[ticket] = "not_supported"
        self.go_on()

    def start_child(self, ticket: object, spec: ChildSpec) -> None:
        """Those that are restarting count, too."""
        if len(self.children) >= self.spec.max_children:
            self.answers[ticket] = "max_children"
            return
        self.added += 1
        child = self.children[self.added] = ModelChild(self.added, spec, added=True)
        child.asker = ticket
        self.begin_start(child)

    def terminate_child(self, ticket: object, pid: object) -> None:
        """While it is restarting, by its last pid."""
        child = next((c for c in self.children.values() if c.pid == pid), None)
        if child is None:
            self.answers[ticket] = "not_found"
        elif child.state in ALIVE:
            child.stoppers.append(ticket)
            if child.state != STOPPING:
                self.begin_stop(child)
        else:
            self.enter(child, REMOVED)
            self.answers[ticket] = "done"
