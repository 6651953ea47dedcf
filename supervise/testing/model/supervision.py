"""The reference model of a supervisor with ordered children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

from specs import (
    AutoShutdown,
    ChildSpec,
    ExitKind,
    ExitReason,
    Restart,
    Strategy,
    SupervisorSpec,
)
from supervise import _events as ev
from supervise._events import ChildState
from supervise._plan_io import Done, Refusal, Refused
from supervise._reasons import ChildFailedToStart, SignificantChildExited
from supervise.testing.model.children import (
    ALIVE,
    REMOVED,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    WAITING,
    ModelChild,
    Supervision,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from supervise._plan_io import Result


@define(eq=False)
class Walk:
    """Children in start order: all are stopped, from the last, then started, from the first.

    Attributes:
        scope: The children.
        cause: What led to it.
        initial: Whether this is the supervisor's own start, where a failure is final.
        phase: `"stop"`, `"wait"` (for a backoff) or `"start"`.
        at: In the start phase, how many children have been looked at; each is, once.
        held_by: Whose backoff holds back the starts, if one does.
    """

    scope: list[ModelChild]
    cause: ev.Cause
    initial: bool = False
    phase: str = "stop"
    at: int = 0
    held_by: ModelChild | None = None

    @property
    def next_to_stop(self) -> ModelChild | None:
        """The last one of which something is left (14)."""
        return next((child for child in reversed(self.scope) if child.state in ALIVE), None)

    def next_to_start(self) -> ModelChild | None:
        """The first one not looked at yet that is to be up (13, 22); the held are not."""
        while self.at < len(self.scope):
            child = self.scope[self.at]
            if child.state in {WAITING, STARTING} or (child.state == STOPPED and not child.held):
                return child
            self.at += 1
        return None

    def is_starting(self, child: ModelChild) -> bool:
        """Whether the start of this child is a step of the walk."""
        return self.phase == "start" and self.at < len(self.scope) and self.scope[self.at] is child


class ModelSupervisor(Supervision):
    """What a static supervisor does (see `Supervision`)."""

    def __init__(self, spec: SupervisorSpec, chance: float = 0.5, path: str | None = None) -> None:
        super().__init__(spec, chance, path)
        self.spec = spec
        self.walk: Walk | None = None
        self.starter: object = None
        self.later: list[Callable[[], None]] = []

    def start(self, ticket: object) -> None:
        """All children in order; the answer comes when the last one is up."""
        self.starter = ticket
        for spec in self.spec.children:
            self.add(spec.id, spec, "start", added=False)
        self.walk = Walk(list(self.children.values()), "start", initial=True)
        self.go_on()

    def wait_is_over(self, child: ModelChild | None) -> None:
        """A child waits alone, a walk for whose failure began it."""
        if child is None and self.walk is not None:
            self.release(self.walk)
        else:
            super().wait_is_over(child)

    def scope_from(self, child: ModelChild) -> list[ModelChild]:
        """The child and all after it."""
        table = list(self.children.values())
        return table[table.index(child) :]

    # Restarts

    def only_saved_a_stop(self, child: ModelChild) -> bool:
        """Whether the child was about to be stopped anyway (38)."""
        walk = self.walk
        return walk is not None and walk.phase == "stop" and child in walk.scope

    def is_in_group(self, child: ModelChild) -> bool:
        """It is started in its turn."""
        return self.walk is not None and child in self.remaining(self.walk)

    def shuts_down_after(self, rested: Sequence[ModelChild]) -> bool:
        """Section 7: ends of significant children, of their own accord (39-41)."""
        first = next((child for child in rested if child.spec.significant), None)
        if first is None:
            return False
        active = [c for c in self.children.values() if c.spec.significant and c.state != STOPPED]
        shuts_down = {
            AutoShutdown.NEVER: False,
            AutoShutdown.ANY_SIGNIFICANT: True,
            AutoShutdown.ALL_SIGNIFICANT: not active,
        }[self.spec.auto_shutdown]
        if shuts_down:
            error = SignificantChildExited(self.path, first.key, first.exits[-1].reason)
            self.end(ExitReason(ExitKind.SHUTDOWN, error), first.cause)
        return shuts_down

    def restart(self, failed: Sequence[ModelChild]) -> None:
        """Alone: one charge each. As a group: one charge, whoever else failed with it (26)."""
        if self.spec.strategy is Strategy.ONE_FOR_ONE:
            if all(self.charge(child) for child in failed):
                for child in failed:
                    self.restart_alone(child)
            return
        first = next(child for child in self.children.values() if child in failed)
        offender = first if self.spec.strategy is Strategy.REST_FOR_ONE else failed[0]
        if self.charge(offender):
            self.restart_group(offender)

    def restart_group(self, offender: ModelChild) -> None:
        """Stop and start all, or the offender and those after it (15, 17, 18, 20)."""
        everybody = list(self.children.values())
        rest = self.scope_from(offender)
        scope = everybody if self.spec.strategy is Strategy.ONE_FOR_ALL else rest
        walk = self.walk
        if walk is None:
            walk = self.walk = Walk(scope, offender.cause)
        elif walk.phase != "start":  # what was to be restarted still is
            scope = max(scope, self.remaining(walk), key=len)
        walk.scope, walk.phase, walk.at, walk.cause = scope, "stop", 0, offender.cause
        until = self.now + self.delay(offender)
        if until > self.timers.get(None, self.now):
            self.timers.pop(None, None)
            self.timers[None], walk.held_by = until, offender

    def remaining(self, walk: Walk) -> list[ModelChild]:
        """The walk's scope as the table is now: those it had, and those added after them."""
        had = [child for child in self.children.values() if child in walk.scope]
        return self.scope_from(had[0]) if had else []

    def release(self, walk: Walk) -> None:
        """The backoff is over, or nobody waits for it any more."""
        self.timers.pop(None, None)
        walk.held_by = None
        walk.scope, walk.phase, walk.at = self.remaining(walk), "stop", 0

    def start_failed(self, child: ModelChild, reason: ExitReason) -> None:
        """A call hears of it; the first start is final (19); any other costs one charge (25)."""
        walk = self.walk
        if child.asker is not None:
            then = REMOVED if child.was_never_there else STOPPED
            self.has_not_started(child, reason, then)
            self.settle(child, Refused(Refusal.START_FAILED, reason=reason))
        elif walk is not None and walk.is_starting(child):
            self.has_not_started(child, reason, STOPPED if walk.initial else WAITING)
            if walk.initial:
                error = ChildFailedToStart(self.path, child.key, reason)
                self.end(ExitReason(ExitKind.ERROR, error), child.cause)
            elif self.charge(child):
                self.restart_group(child)
        else:
            self.has_not_started(child, reason, WAITING)
            if self.charge(child):
                self.restart_alone(child)

    def settle(self, child: ModelChild, started: Result) -> None:
        """A walk does not come back to a child whose start is over."""
        if self.walk is not None and self.walk.is_starting(child):
            self.walk.at += 1
        super().settle(child, started)

    def after_stop(self, child: ModelChild) -> ChildState:
        """The temporary are gone; what a group or nobody wants comes back later, or not."""
        if child.was_never_there or child.spec.restart is Restart.TEMPORARY:
            return REMOVED
        return STOPPED if child.held or self.ending is not None else WAITING

    def after_rest(self, child: ModelChild) -> ChildState:
        """The temporary are gone (7)."""
        return REMOVED if child.spec.restart is Restart.TEMPORARY else STOPPED

    # Steps

    @property
    def is_acting(self) -> bool:
        """Whether a start asked for now would come between the steps of a walk."""
        return self.walk is not None and self.walk.phase != "wait"

    def go_on(self) -> None:
        """One stop or start at a time."""
        if self.ending is not None:
            self._go_on_ending()
        elif self.walk is not None:
            self._go_on_walking(self.walk)

    def _go_on_ending(self) -> None:
        last = Walk(list(self.children.values()), self.why_ending).next_to_stop
        if last is None:
            if self.starter is not None:
                self.answers[self.starter] = Refused(Refusal.START_FAILED, reason=self.ending)
                self.starter = None
            self.finish()
        elif last.state != STOPPING:
            self.begin_stop(last, self.why_ending)

    def _go_on_walking(self, walk: Walk) -> None:
        if walk.phase == "stop":
            child = walk.next_to_stop
            if child is not None:
                if child.state != STOPPING and child.asker is None:
                    self.begin_stop(child, walk.cause)
                return
            walk.phase = "start" if walk.held_by is None else "wait"
            if walk.phase == "wait":
                self._take_up_calls()
        if walk.phase == "start":
            child = walk.next_to_start()
            if child is None:
                self._end_walk()
            elif child.state != STARTING:
                self.begin_start(child, walk.cause)

    def _end_walk(self) -> None:
        self.walk = None
        if self.starter is not None:
            self.record(ev.SupervisorStarted, "start")
            self.answers[self.starter] = Done()
            self.starter = None
        self._take_up_calls()

    def end(self, reason: ExitReason, cause: ev.Cause) -> None:
        """Calls that waited are refused, the walk is over."""
        if self.ending is None:
            super().end(reason, cause)
            self.walk = None
            self._take_up_calls()

    def _take_up_calls(self) -> None:
        later, self.later = self.later, []
        for call in later:
            call()

    # Calls: the table of section 8, by the state of the child.

    def call(self, ticket: object, name: str, about: ChildSpec | str) -> None:
        """`start_child(spec)`, or one of the other calls about an id."""
        self._answer_call(ticket, name, about)
        self.go_on()

    def _answer_call(self, ticket: object, name: str, about: ChildSpec | str) -> None:
        if self.refuses(ticket):
            return
        key = about if isinstance(about, str) else about.id
        child = self.children.get(key)
        again = lambda: self._answer_call(ticket, name, about)  # noqa: E731 - what the call is when it is taken up
        if name == "terminate_child":
            self.terminate_child(ticket, child)
        elif name == "renew_child" and self.is_acting:
            self.later.append(again)
        elif child is not None and child.is_busy:
            child.calls.append(again)
        elif name == "renew_child":
            self.renew(ticket, child)
        else:
            self._change_table(ticket, name, about, child, again)

    def _change_table(
        self,
        ticket: object,
        name: str,
        about: ChildSpec | str,
        child: ModelChild | None,
        again: Callable[[], None],
    ) -> None:
        if child is not None and child.state in ANSWERS[name]:
            pid = child.pid if child.state == RUNNING else None
            self.answers[ticket] = Refused(ANSWERS[name][child.state], pid)
        elif child is None and not isinstance(about, ChildSpec):
            self.answers[ticket] = Refused(Refusal.NOT_FOUND)
        elif name == "delete_child" and child is not None:
            self.tell(ev.ChildRemoved, child, name)
            self.enter(child, REMOVED)
            self.answers[ticket] = Done()
        elif self.is_acting:
            self.later.append(again)
        else:
            cause: ev.Cause = name
            if child is None and isinstance(about, ChildSpec):
                child = self.add(about.id, about, name, added=True)
                cause = child.cause
            if child is not None:
                child.asker = ticket
                self.begin_start(child, cause)

    def terminate_child(self, ticket: object, child: ModelChild | None) -> None:
        """It stays stopped until `restart_child` (6 of Annex D)."""
        if child is None:
            self.answers[ticket] = Refused(Refusal.NOT_FOUND)
            return
        child.held = True
        if child.state in ALIVE:
            child.stoppers.append(ticket)
            if child.state != STOPPING:
                self.begin_stop(child, "terminate_child")
            return
        if child.state == WAITING:
            child.cause = self.tell(ev.ChildStopped, child, "terminate_child")
        self.enter(child, STOPPED)
        self.timers.pop(child, None)
        self.answers[ticket] = Done()
        if self.walk is not None and self.walk.held_by is child:
            self.release(self.walk)


BUSY: Final = {
    RUNNING: Refusal.RUNNING,
    WAITING: Refusal.RESTARTING,
    STARTING: Refusal.RESTARTING,
}
ANSWERS: Final = {
    "start_child": {
        RUNNING: Refusal.ALREADY_STARTED,
        STOPPED: Refusal.ALREADY_PRESENT,
        WAITING: Refusal.ALREADY_PRESENT,
        STARTING: Refusal.ALREADY_PRESENT,
    },
    "restart_child": BUSY,
    "delete_child": BUSY,
}
"""What calls are answered at once, by the state of the child."""
