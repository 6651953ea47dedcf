"""What goes into a planner and what comes out of it. Frozen values, nothing else."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from specs import ChildSpec, ExitReason
    from supervise._events import Event
    from supervise._reasons import ChildKey

Ticket: TypeAlias = object
"""Names one caller who waits for one answer; the planner only hands it back."""


# Inputs: what the shell saw.


class Start(Struct, frozen=True):
    """Start the supervisor; the answer comes when every child has started."""

    ticket: Ticket


class Stop(Struct, frozen=True):
    """Stop all children in order, then finish with this reason. The first one counts."""

    reason: ExitReason


class StartSucceeded(Struct, frozen=True):
    """A `StartChild` ended well.

    Attributes:
        child: As in the action.
        incarnation: As in the action.
        pid: The process.
        info: Handed to whoever asked for the start.
    """

    child: ChildKey
    incarnation: int
    pid: object
    info: object = None


class StartFailed(Struct, frozen=True):
    """A `StartChild` failed, and nothing of it is left running."""

    child: ChildKey
    incarnation: int
    reason: ExitReason


class StartIgnored(Struct, frozen=True):
    """A `StartChild` ended well without a process."""

    child: ChildKey
    incarnation: int


class Exit(Struct, frozen=True):
    """One child ended."""

    child: ChildKey
    incarnation: int
    reason: ExitReason


class Exits(Struct, frozen=True):
    """Children ended; all that were seen together, since they are handled as one."""

    exits: tuple[Exit, ...]


class StopFinished(Struct, frozen=True):
    """A `StopChild` is done: the child ended, or is reported as unstoppable."""

    child: ChildKey
    incarnation: int
    reason: ExitReason


class TimerFired(Struct, frozen=True):
    """The time of a `SetTimer` came; a stale key is dropped."""

    key: int


class StartChildCall(Struct, frozen=True):
    """Add a child, already checked, and start it."""

    ticket: Ticket
    spec: ChildSpec


class TerminateChildCall(Struct, frozen=True):
    """Stop a child and keep it stopped. `child` is an id; under a dynamic supervisor, a pid."""

    ticket: Ticket
    child: object


class RestartChildCall(Struct, frozen=True):
    """Start a stopped child."""

    ticket: Ticket
    child: object


class DeleteChildCall(Struct, frozen=True):
    """Forget a stopped child."""

    ticket: Ticket
    child: object


class RenewChildCall(Struct, frozen=True):
    """Stop a running child and start it again, without a charge; answered when it is up.

    `child` is what the planner calls it, under every supervisor.
    """

    ticket: Ticket
    child: ChildKey


Call: TypeAlias = (
    StartChildCall | TerminateChildCall | RestartChildCall | DeleteChildCall | RenewChildCall
)
Input: TypeAlias = (
    Start
    | Stop
    | StartSucceeded
    | StartFailed
    | StartIgnored
    | Exits
    | StopFinished
    | TimerFired
    | Call
)


# Answers to calls.


class Done(Struct, frozen=True):
    """The call did what it says.

    Attributes:
        pid: The process that was started; None if the start was ignored or nothing was started.
        info: What the start function had to say.
    """

    pid: object = None
    info: object = None


class Refusal(Enum):
    """Why a call did nothing."""

    NOT_FOUND = "not_found"
    ALREADY_STARTED = "already_started"
    ALREADY_PRESENT = "already_present"
    RUNNING = "running"
    RESTARTING = "restarting"
    MAX_CHILDREN = "max_children"
    START_FAILED = "start_failed"
    SHUTTING_DOWN = "shutting_down"
    NOT_SUPPORTED = "not_supported"


class Refused(Struct, frozen=True):
    """The call changed nothing.

    Attributes:
        why: In a word.
        pid: The process that is running already.
        reason: Why a start failed, or the supervisor ends.
    """

    why: Refusal
    pid: object = None
    reason: ExitReason | None = None


Result: TypeAlias = Done | Refused


# Actions: what the shell is to do, in this order.


class StartChild(Struct, frozen=True):
    """Start a child; report `StartSucceeded`, `StartFailed` or `StartIgnored`.

    Once it has started, report its end in `Exits`, or in `StopFinished` after a `StopChild`.
    """

    child: ChildKey
    incarnation: int
    spec: ChildSpec


class StopChild(Struct, frozen=True):
    """Stop a child by its spec's shutdown rule, or cut its start short; report `StopFinished`."""

    child: ChildKey
    incarnation: int
    spec: ChildSpec


class SetTimer(Struct, frozen=True):
    """Report `TimerFired` at this time."""

    key: int
    at: float


class CancelTimer(Struct, frozen=True):
    """Forget a timer."""

    key: int


class Answer(Struct, frozen=True):
    """Tell a caller. Every ticket is answered once."""

    ticket: Ticket
    result: Result


class Report(Struct, frozen=True):
    """Publish what happened."""

    event: Event


class Finish(Struct, frozen=True):
    """The supervisor ended; no action follows."""

    reason: ExitReason


Action: TypeAlias = StartChild | StopChild | SetTimer | CancelTimer | Answer | Report | Finish
