"""The reference model of what all supervisors share: one child's life, the limit, the backoff.

A supervisor model is told what happens (`up`, `failed`, `exits`, calls, ...), in the words of
supervision.md, and says what is done: `acts` has each start, stop and the end, in order; `answers`
what callers got; `deadlines` when something goes on by itself. Numbers in brackets are invariants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import define, field

from specs import Backoff, ChildSpec, DynamicSupervisorSpec, ExitKind, Restart, SupervisorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Key: TypeAlias = "str | int"

WAITING, STARTING, RUNNING, STOPPING, STOPPED, REMOVED = (
    "waiting",
    "starting",
    "running",
    "stopping",
    "stopped",
    "removed",
)
ALIVE: Final = {STARTING, RUNNING, STOPPING}

RESTARTED_AFTER: Final = {
    Restart.PERMANENT: set(ExitKind),
    Restart.TRANSIENT: {ExitKind.ERROR, ExitKind.KILLED},
    Restart.TEMPORARY: set(),
}
"""The table of section 4: after which ends of its own a child of each type is started again."""


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
        asker: Who asked for the start under way.
        stoppers: Who waits for its stop.
        calls: What waits until the start or stop under way is over.
        pid: The last process it had.
    """

    key: Key
    spec: ChildSpec
    added: bool
    state: str = WAITING
    held: bool = False
    failures: int = 0
    up_since: float | None = None
    starts: int = 0
    asker: object = None
    stoppers: list[object] = field(factory=list)
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


def backoff_delay(backoff: Backoff, failures: int, chance: float) -> float:
    """Initial times factor to the failures before, capped, give or take the jitter (72)."""
    delay = min(backoff.maximum, backoff.initial * backoff.factor**failures)
    return delay + delay * backoff.jitter * (2 * chance - 1)


class Supervision:
    """The table of one supervisor, and how each of its children lives.

    Args:
        spec: The supervisor.
        chance: What decides about jitter: 0 to 1.
    """

    def __init__(self, spec: SupervisorSpec | DynamicSupervisorSpec, chance: float = 0.5) -> None:
        self.limits, self.chance = spec, chance
        self.now = 0.0
        self.children: dict[Key, ModelChild] = {}
        self.restarts: list[float] = []
        self.timers: dict[ModelChild | None, float] = {}
        self.ending: ExitKind | None = None
        self.ended = False
        self.acts: list[tuple[str, object]] = []
        self.answers: dict[object, str] = {}

    @property
    def table(self) -> list[tuple[Key, str]]:
        """The children in start order, and where they stand."""
        return [(child.key, child.state) for child in self.children.values()]

    @property
    def deadlines(self) -> list[float]:
        """When something goes on by itself."""
        return sorted(self.timers.values())

    # What each kind of supervisor decides for itself.

    def go_on(self) -> None:
        """Take the next step of what is under way."""
        raise NotImplementedError

    def start_failed(self, child: ModelChild) -> None:
        """A start failed while nobody was stopping the child."""
        raise NotImplementedError

    def restart(self, failed: Sequence[ModelChild]) -> None:
        """Children that ended together are to be restarted."""
        raise NotImplementedError

    def after_stop(self, child: ModelChild) -> str:
        """What becomes of a child that was stopped."""
        raise NotImplementedError

    def after_rest(self, child: ModelChild) -> str:
        """What becomes of a child that ended, or did not start, and is not restarted."""
        raise NotImplementedError

    # One child.

    def begin_start(self, child: ModelChild) -> None:
        """From now on it may be running."""
        child.state, child.up_since = STARTING, None
        child.starts += 1
        self.timers.pop(child, None)
        self.acts.append(("start", child.key))

    def begin_stop(self, child: ModelChild) -> None:
        """It is asked once (31)."""
        child.state = STOPPING
        self.acts.append(("stop", child.key))

    def enter(self, child: ModelChild, state: str) -> None:
        """The removed are in no table."""
        child.state = state
        if state == REMOVED:
            del self.children[child.key]
            self.timers.pop(child, None)

    def settle(self, child: ModelChild, refusal: str | None = None) -> None:
        """Everybody who waited for the start or stop that is over goes on."""
        if child.asker is not None:
            self.answers[child.asker] = refusal or "done"
            child.asker = None
        for ticket in child.stoppers:
            self.answers[ticket] = "done"
        child.stoppers = []
        calls, child.calls = child.calls, []
        for call in calls:
            call()

    def up(self, key: Key, pid: object = None) -> None:
        """A start ended well; what is being stopped meanwhile does not count as up."""
        child = self.children[key]
        if child.state == STARTING:
            child.state, child.held, child.up_since, child.pid = RUNNING, False, self.now, pid
            self.settle(child)
        self.go_on()

    def ignored(self, key: Key) -> None:
        """A start ended without a process: no restart, no charge (12)."""
        child = self.children[key]
        was_stopped = child.state == STOPPING
        self.enter(child, self.after_stop(child) if was_stopped else self.after_rest(child))
        child.held = child.held and was_stopped
        self.settle(child)
        self.go_on()

    def failed(self, key: Key) -> None:
        """A start failed."""
        self.over(self.children[key])
        self.go_on()

    def down(self, key: Key) -> None:
        """A stop is done."""
        child = self.children.get(key)
        if child is not None and child.state == STOPPING:
            self.over(child)
        self.go_on()

    def over(self, child: ModelChild) -> None:
        """An end that is not of the child's own accord, or before it was up."""
        if child.state == STARTING and self.ending is None:
            self.start_failed(child)
        else:
            self.enter(child, self.after_stop(child))
            self.settle(child, "start_failed" if self.ending is None else "shutting_down")

    def exits(self, *ends: tuple[Key, ExitKind]) -> None:
        """Ends that are seen together are handled as one."""
        failed, rested = [], []
        for key, kind in ends:
            child = self.children[key]
            if child.state != RUNNING:
                self.over(child)
            elif kind in RESTARTED_AFTER[child.spec.restart]:
                if not self.only_saved_a_stop(child):
                    failed.append(child)
                self.enter(child, WAITING if self.ending is None else STOPPED)
            else:
                self.enter(child, self.after_rest(child))
                rested.append(child)
        if self.ending is None and self.shuts_down_after(rested):
            self.end(ExitKind.SHUTDOWN)
        elif self.ending is None and failed:
            self.restart(failed)
        self.go_on()

    def only_saved_a_stop(self, _child: ModelChild) -> bool:
        """Whether the child was about to be stopped anyway."""
        return False

    def shuts_down_after(self, _rested: Sequence[ModelChild]) -> bool:
        """Whether these ends end the supervisor."""
        return False

    # The limit and the backoff.

    def charge(self) -> bool:
        """One more restart, unless the closed window is full (23-26, 30): then the end begins."""
        since = self.now - self.limits.max_seconds
        allowed = sum(stamp >= since for stamp in self.restarts) < self.limits.max_restarts
        if allowed:
            self.restarts.append(self.now)
        else:
            self.end(ExitKind.ERROR)
        return allowed

    def delay(self, child: ModelChild) -> float:
        """Seconds before the next start of a child that failed."""
        backoff = child.spec.backoff
        if backoff is None:
            return 0.0
        uptime = 0.0 if child.up_since is None else self.now - child.up_since
        failures = 0 if uptime >= backoff.stable else child.failures
        child.failures = failures + 1
        return backoff_delay(backoff, failures, self.chance)

    def restart_alone(self, child: ModelChild) -> None:
        """Start it again, at once or after its backoff."""
        delay = self.delay(child)
        if delay > 0:
            self.timers[child] = self.now + delay
        else:
            self.begin_start(child)

    def due(self) -> None:
        """The earliest deadline has come; of several, the one that was set first."""
        child = min(self.timers, key=lambda child: self.timers[child])
        del self.timers[child]
        self.wait_is_over(child)
        self.go_on()

    def wait_is_over(self, child: ModelChild | None) -> None:
        """A backoff is over: that of a child, or of a group (None)."""
        if child is not None:
            self.begin_start(child)

    # The end.

    def end(self, kind: ExitKind) -> None:
        """Nothing is started from here on (28, 73); the first reason counts (36)."""
        if self.ending is None:
            self.ending = kind
            self.timers.clear()
            for child in self.children.values():
                if child.state == WAITING:
                    child.state = STOPPED

    def stop(self, kind: ExitKind) -> None:
        """Somebody wants the supervisor to end."""
        self.end(kind)
        self.go_on()

    def finish(self) -> None:
        """No descendant is alive (2)."""
        if not self.ended:
            self.ended = True
            self.children.clear()
            self.acts.append(("exit", self.ending))

    def refuses(self, ticket: object) -> bool:
        """Who ends takes no calls."""
        if self.ending is not None:
            self.answers[ticket] = "shutting_down"
        return self.ending is not None
