"""The reference model of what all supervisors share: one child's life, the limit, the backoff.

A supervisor model is told what happens (`up`, `failed`, `exits`, calls, ...), in the words of
supervision.md, and says what is done: `acts` has each start, stop and the end, in order; `records`
what is published; `answers` what callers got; `deadlines` when something goes on by itself. Numbers
in brackets are invariants.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field

from specs import (
    Backoff,
    ChildSpec,
    DynamicSupervisorSpec,
    ExitKind,
    ExitReason,
    LuaStart,
    Restart,
    SupervisorSpec,
    TaskStart,
)
from supervise import _events as ev
from supervise._events import ChildState
from supervise._history import PastExit
from supervise._plan_io import Done, Refusal, Refused
from supervise._reasons import RestartLimitReached

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from supervise._plan_io import Result
    from supervise._reasons import ChildKey

WAITING, STARTING, RUNNING, STOPPING, STOPPED, REMOVED = ChildState
ALIVE: Final = {STARTING, RUNNING, STOPPING}

RESTARTED_AFTER: Final = {
    Restart.PERMANENT: set(ExitKind),
    Restart.TRANSIENT: {ExitKind.ERROR, ExitKind.KILLED},
    Restart.TEMPORARY: set(),
}
"""The table of section 4: after which ends of its own a child of each type is started again."""

RENEWAL: Final = {RUNNING: STOPPING, STOPPING: WAITING, WAITING: STARTING, STARTING: RUNNING}
"""The way of a child that is stopped and started again; one that leaves it is not renewed."""

EXITS_KEPT: Final = 10


@define(eq=False)
class ModelChild:
    """A row of the table.

    Attributes:
        key: Its id, or number.
        spec: What it is.
        added: Whether a call added it.
        state: Where it stands.
        held: Stopped on purpose: group restarts leave it alone.
        failures: In a row, for its backoff.
        up_since: When it last came up; None while it has not.
        starts: How often it was started.
        restarts: How often without being asked to.
        incarnation: Which life of it.
        exits: Its last ends, and starts that failed.
        cause: The record that led to what it is doing.
        asker: Who asked for the start under way.
        stoppers: Who waits for its stop.
        renewer: Who waits until it has been stopped and started again.
        calls: What waits until the start or stop under way is over.
        pid: The last process it had.
    """

    key: ChildKey
    spec: ChildSpec
    added: bool
    state: ChildState = WAITING
    held: bool = False
    failures: int = 0
    up_since: float | None = None
    starts: int = 0
    restarts: int = 0
    incarnation: int = 0
    exits: list[PastExit] = field(factory=list)
    cause: ev.Cause = ""
    asker: object = None
    stoppers: list[object] = field(factory=list)
    renewer: object = None
    calls: list[Callable[[], None]] = field(factory=list)
    pid: object = None

    @property
    def is_busy(self) -> bool:
        """Whether calls about it wait."""
        return self.state == STOPPING or self.asker is not None

    @property
    def was_never_there(self) -> bool:
        """Whether a call adds it just now: if that fails, it is gone again."""
        return self.asker is not None and self.added and self.starts == 1


def without_arguments(spec: ChildSpec) -> ChildSpec:
    """What is kept of a temporary child that a call added: nobody starts it again."""
    if isinstance(spec.start, LuaStart | TaskStart):
        return evolve(spec, start=evolve(spec.start, args=()))
    return spec


def backoff_delay(backoff: Backoff, failures: int, chance: float) -> float:
    """Initial times factor to the failures before, capped, give or take the jitter (72)."""
    delay = min(backoff.maximum, backoff.initial * backoff.factor**failures)
    return delay + delay * backoff.jitter * (2 * chance - 1)


class Supervision(ABC):
    """The table of one supervisor, and how each of its children lives.

    Args:
        spec: The supervisor.
        chance: What decides about jitter: 0 to 1.
        path: Where it stands in its tree.
    """

    def __init__(
        self,
        spec: SupervisorSpec | DynamicSupervisorSpec,
        chance: float = 0.5,
        path: str | None = None,
    ) -> None:
        self.limits, self.chance, self.path = spec, chance, path or spec.id
        self.now = 0.0
        self.incarnations = 0
        self.children: dict[ChildKey, ModelChild] = {}
        self.restarts: list[float] = []
        self.timers: dict[ModelChild | None, float] = {}
        self.ending: ExitReason | None = None
        self.why_ending = 0
        self.ended = False
        self.acts: list[tuple[object, ...]] = []
        self.records: list[ev.Event] = []
        self.answers: dict[object, Result] = {}

    @property
    def table(self) -> list[tuple[ChildKey, ChildState]]:
        """The children in start order, and where they stand."""
        return [(child.key, child.state) for child in self.children.values()]

    @property
    def deadlines(self) -> list[float]:
        """When something goes on by itself."""
        return sorted(self.timers.values())

    # What each kind of supervisor decides for itself.

    @abstractmethod
    def go_on(self) -> None:
        """Take the next step of what is under way."""

    @abstractmethod
    def start_failed(self, child: ModelChild, reason: ExitReason) -> None:
        """A start failed while nobody was stopping the child."""

    @abstractmethod
    def restart(self, failed: Sequence[ModelChild]) -> None:
        """Children that ended together are to be restarted."""

    @abstractmethod
    def after_stop(self, child: ModelChild) -> ChildState:
        """What becomes of a child that was stopped."""

    @abstractmethod
    def after_rest(self, child: ModelChild) -> ChildState:
        """What becomes of a child that ended, or did not start, and is not restarted."""

    # What is published.

    def record(self, kind: type[ev.Event], cause: ev.Cause, *rest: object) -> int:
        """Numbered from 1."""
        number = len(self.records) + 1
        self.records.append(kind(number, self.now, self.path, cause, *rest))
        return number

    def tell(
        self, kind: type[ev.ChildEvent], child: ModelChild, cause: ev.Cause, *rest: object
    ) -> int:
        """A record about a child."""
        return self.record(kind, cause, child.key, child.incarnation, *rest)

    # One child.

    def add(self, key: ChildKey, spec: ChildSpec, cause: str, *, added: bool) -> ModelChild:
        """The last in start order."""
        child = self.children[key] = ModelChild(key, spec, added)
        child.cause = self.tell(ev.ChildAdded, child, cause, spec.restart, spec.is_supervisor)
        return child

    def begin_start(self, child: ModelChild, cause: ev.Cause) -> None:
        """From now on it may be running, in a life with a number of its own."""
        self.incarnations += 1
        child.up_since, child.incarnation = None, self.incarnations
        asked = child.asker is not None or child.renewer is not None
        child.restarts += 1 if child.starts and not asked else 0
        child.starts += 1
        self.timers.pop(child, None)
        child.cause = self.tell(ev.ChildStarting, child, cause)
        self.enter(child, STARTING)
        self.acts.append(("start", child.key, child.incarnation, child.spec))

    def begin_stop(self, child: ModelChild, cause: ev.Cause) -> None:
        """It is asked once (31)."""
        child.cause = self.tell(ev.ChildStopping, child, cause)
        self.enter(child, STOPPING)
        self.acts.append(("stop", child.key, child.incarnation, child.spec))

    def uptime(self, child: ModelChild) -> float:
        """Seconds it has been up; none if it never was in this life."""
        return 0.0 if child.up_since is None else self.now - child.up_since

    def has_ended(
        self, child: ModelChild, reason: ExitReason, cause: ev.Cause, then: ChildState
    ) -> None:
        """It is remembered how."""
        uptime = self.uptime(child)
        child.exits = [*child.exits, PastExit(self.now, reason, uptime)][-EXITS_KEPT:]
        child.cause = self.tell(ev.ChildExited, child, cause, reason, uptime, then)
        self.enter(child, then)

    def has_not_started(self, child: ModelChild, reason: ExitReason, then: ChildState) -> None:
        """That is remembered like an end."""
        child.exits = [*child.exits, PastExit(self.now, reason, 0.0)][-EXITS_KEPT:]
        child.cause = self.tell(ev.ChildStartFailed, child, child.cause, reason, then)
        self.enter(child, then)

    def enter(self, child: ModelChild, state: ChildState) -> None:
        """The removed are in no table; who renews a child hears once it is up, or will not be."""
        before, child.state = child.state, state
        if child.renewer is not None and (state == RUNNING or RENEWAL.get(before) != state):
            renewed = state == RUNNING
            self.answers[child.renewer] = (
                Done(child.pid) if renewed else Refused(Refusal.START_FAILED)
            )
            child.renewer = None
        if state == REMOVED:
            del self.children[child.key]
            self.timers.pop(child, None)

    def settle(self, child: ModelChild, started: Result) -> None:
        """Everybody who waited for the start or stop that is over goes on."""
        if child.asker is not None:
            self.answers[child.asker] = started
            child.asker = None
        for ticket in child.stoppers:
            self.answers[ticket] = Done()
        child.stoppers = []
        if child.renewer is not None and child.state == WAITING and not self.is_in_group(child):
            self.begin_start(child, child.cause)
        calls, child.calls = child.calls, []
        for call in calls:
            call()

    def up(self, key: ChildKey, pid: object = None, info: object = None) -> None:
        """A start ended well; what is being stopped meanwhile does not count as up."""
        child = self.children[key]
        if child.state == STARTING:
            self.tell(ev.ChildStarted, child, child.cause, pid)
            child.held, child.up_since, child.pid = False, self.now, pid
            self.enter(child, RUNNING)
            if child.added and child.spec.restart is Restart.TEMPORARY:
                child.spec = without_arguments(child.spec)
            self.settle(child, Done(pid, info))
        self.go_on()

    def ignored(self, key: ChildKey) -> None:
        """A start ended without a process: no restart, no charge (12)."""
        child = self.children[key]
        was_stopped = child.state == STOPPING
        then = self.after_stop(child) if was_stopped else self.after_rest(child)
        self.tell(ev.ChildIgnored, child, child.cause, then)
        self.enter(child, then)
        child.held = child.held and was_stopped
        self.settle(child, Done())
        self.go_on()

    def failed(self, key: ChildKey, reason: ExitReason) -> None:
        """A start failed."""
        self.over(self.children[key], reason)
        self.go_on()

    def down(self, key: ChildKey, reason: ExitReason) -> None:
        """A stop is done."""
        child = self.children.get(key)
        if child is not None and child.state == STOPPING:
            self.over(child, reason)
        self.go_on()

    def over(self, child: ModelChild, reason: ExitReason) -> None:
        """An end that is not of the child's own accord, or before it was up."""
        if child.state == STARTING and self.ending is None:
            self.start_failed(child, reason)
            return
        if child.state == STARTING:
            self.has_not_started(child, reason, self.after_stop(child))
        else:
            self.has_ended(child, reason, child.cause, self.after_stop(child))
        why = Refusal.START_FAILED if self.ending is None else Refusal.SHUTTING_DOWN
        self.settle(child, Refused(why, reason=reason))

    def exits(self, *ends: tuple[ChildKey, ExitReason]) -> None:
        """Ends that are seen together are handled as one."""
        failed, rested = [], []
        for key, reason in ends:
            child = self.children[key]
            if child.state != RUNNING:
                self.over(child, reason)
            elif reason.kind in RESTARTED_AFTER[child.spec.restart]:
                if not self.only_saved_a_stop(child):
                    failed.append(child)
                then = WAITING if self.ending is None else STOPPED
                self.has_ended(child, reason, "own accord", then)
            else:
                self.has_ended(child, reason, "own accord", self.after_rest(child))
                rested.append(child)
        if self.ending is None and not self.shuts_down_after(rested) and failed:
            self.restart(failed)
        self.go_on()

    def is_in_group(self, _child: ModelChild) -> bool:
        """Whether the child is about to be started as one of a group."""
        return False

    def only_saved_a_stop(self, _child: ModelChild) -> bool:
        """Whether the child was about to be stopped anyway."""
        return False

    def shuts_down_after(self, _rested: Sequence[ModelChild]) -> bool:
        """Whether these ends end the supervisor, which has then begun to."""
        return False

    def renew(self, ticket: object, child: ModelChild | None) -> None:
        """A new life without a failure: no restart is charged, no backoff applies."""
        if child is None:
            self.answers[ticket] = Refused(Refusal.NOT_FOUND)
        elif child.spec.restart is Restart.TEMPORARY:
            self.answers[ticket] = Refused(Refusal.NOT_SUPPORTED)
        elif child.state != RUNNING:
            self.answers[ticket] = Refused(Refusal.RESTARTING)
        else:
            child.renewer = ticket
            self.begin_stop(child, "upgrade")

    # The limit and the backoff.

    def charge(self, child: ModelChild) -> bool:
        """One more restart, unless the closed window is full (23-26, 30): then the end begins."""
        limit, seconds = self.limits.max_restarts, self.limits.max_seconds
        self.restarts = [stamp for stamp in self.restarts if stamp >= self.now - seconds]
        self.restarts.append(self.now)
        if len(self.restarts) <= limit:
            return True
        last, stamps = child.exits[-1].reason, tuple(self.restarts)
        error = RestartLimitReached(self.path, child.key, last, stamps, limit, seconds)
        self.end(ExitReason(ExitKind.ERROR, error), child.cause)
        return False

    def delay(self, child: ModelChild) -> float:
        """Seconds before the next start of a child that failed."""
        backoff = child.spec.backoff
        if backoff is None:
            return 0.0
        failures = 0 if self.uptime(child) >= backoff.stable else child.failures
        child.failures = failures + 1
        seconds = backoff_delay(backoff, failures, self.chance)
        self.tell(ev.RestartDelayed, child, child.cause, seconds)
        return seconds

    def restart_alone(self, child: ModelChild) -> None:
        """Start it again, at once or after its backoff."""
        delay = self.delay(child)
        if delay > 0:
            self.timers[child] = self.now + delay
        else:
            self.begin_start(child, child.cause)

    def due(self) -> None:
        """The earliest deadline has come; of several, the one that was set first."""
        child = min(self.timers, key=lambda child: self.timers[child])
        del self.timers[child]
        self.wait_is_over(child)
        self.go_on()

    def wait_is_over(self, child: ModelChild | None) -> None:
        """A backoff is over: that of a child, or of a group (None)."""
        if child is not None:
            self.begin_start(child, child.cause)

    # The end.

    def end(self, reason: ExitReason, cause: ev.Cause) -> None:
        """Nothing is started from here on (28, 73); the first reason counts (36)."""
        if self.ending is None:
            self.ending = reason
            self.why_ending = self.record(ev.SupervisorStopping, cause, reason)
            self.timers.clear()
            for child in self.children.values():
                if child.state == WAITING:
                    self.enter(child, STOPPED)

    def stop(self, reason: ExitReason) -> None:
        """Somebody wants the supervisor to end."""
        self.end(reason, "stop")
        self.go_on()

    def finish(self) -> None:
        """No descendant is alive (2)."""
        if not self.ended:
            self.ended = True
            self.children.clear()
            self.record(ev.SupervisorExited, "no child is left", self.ending)
            self.acts.append(("exit", self.ending))

    def refuses(self, ticket: object) -> bool:
        """Who ends takes no calls, and says why it ends until it has."""
        if self.ending is not None:
            reason = None if self.ended else self.ending
            self.answers[ticket] = Refused(Refusal.SHUTTING_DOWN, reason=reason)
        return self.ending is not None
