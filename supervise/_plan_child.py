"""What a planner knows of one child. Mutable, owned by one planner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
from msgspec import Struct

from specs import ChildSpec, LuaStart, TaskStart
from supervise._events import Cause, ChildRow, ChildState

if TYPE_CHECKING:
    from supervise._history import PastExit
    from supervise._plan_io import Call, Ticket
    from supervise._reasons import ChildKey

ALIVE: Final = (ChildState.STARTING, ChildState.RUNNING, ChildState.STOPPING)
"""Something of the child may be running."""

ACTIVE: Final = (*ALIVE, ChildState.WAITING)
"""The child is up, or will be without being asked for."""


class Child(Struct, eq=False):
    """One entry of a supervisor's table.

    Attributes:
        key: What the supervisor calls it.
        rank: Its place in start order; never changes, never used twice.
        spec: What it is.
        added: Whether it was added by `start_child`.
        state: Where it stands.
        held: Stopped on purpose: only `restart_child` brings it back.
        pid: Its process while there is one.
        last_pid: The process by which callers know it under a dynamic supervisor.
        incarnation: Which life of it.
        starts: How often it was started.
        restarts: How often its supervisor started it again without being asked to, starts that
            failed included; `restart_child` and upgrades do not count, here as for the limit.
        started_at: When it was last up from; None before.
        failures: Failures in a row, for its backoff.
        timer: The key of its last backoff's timer; 0 before there was one.
        exits: Its last ends.
        cause: The record that led to what it is doing.
        starter: Who waits for the start under way.
        stoppers: Who waits for the stop under way.
        renewer: Who waits until it has been stopped and started again.
        queue: Calls that wait until the start or stop under way is done.
    """

    key: ChildKey
    rank: int
    spec: ChildSpec
    added: bool
    state: ChildState = ChildState.WAITING
    held: bool = False
    pid: object = None
    last_pid: object = None
    incarnation: int = 0
    starts: int = 0
    restarts: int = 0
    started_at: float | None = None
    failures: int = 0
    timer: int = 0
    exits: tuple[PastExit, ...] = ()
    cause: Cause = ""
    starter: Ticket | None = None
    stoppers: tuple[Ticket, ...] = ()
    renewer: Ticket | None = None
    queue: tuple[Call, ...] = ()

    @property
    def is_busy(self) -> bool:
        """Whether calls about it must wait for what another call, or a stop, is doing."""
        return self.state is ChildState.STOPPING or self.starter is not None

    def row(self) -> ChildRow:
        """The child as the supervisor's table shows it."""
        spec = self.spec
        return ChildRow(
            self.key, self.state, self.pid, self.incarnation, spec.restart, spec.is_supervisor
        )

    def forget_arguments(self) -> None:
        """Let go of arguments that no restart will need."""
        start = self.spec.start
        if isinstance(start, LuaStart | TaskStart) and start.args:
            self.spec = attrs.evolve(self.spec, start=attrs.evolve(start, args=()))
