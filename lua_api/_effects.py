"""What the kernel reports to the outside: one frozen record for each kind of row. Knows no trio."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from lua_api._terms import Term
    from lua_api._values import Fault


class Reply(Struct, frozen=True):
    """The answer to a request that had to wait.

    Attributes:
        ticket: The number of the request.
        answer: What `Kernel.request` would have returned at once.
    """

    ticket: int
    answer: Answer


class Answer(Struct, frozen=True):
    """The answer to a request of a Python process.

    Attributes:
        value: The value, or None.
        second: What goes with it: an error object (the request was refused), or for a receive
            True (a value), False (the channel is closed) or the topic of a message.
        sender: The pid that sent the message, or None.
        index: Which of several channels it came from, counted from 1; 0 if nothing was there.
    """

    value: Term
    second: Fault | bool | str | None
    sender: str | None
    index: int | None


class Need(Struct, frozen=True):
    """The kernel waits for something only the outside has.

    Attributes:
        kind: `"entry"`, `"module"` or `"zone"`; `"upgrade"` for newer versions of an entry and of
            its modules, where there are any.
        name: The name of it.
    """

    kind: str
    name: str


class ModuleRequired(Struct, frozen=True):
    """A process has loaded a module, the first one of this version of its entry.

    Attributes:
        entry: The entry it runs.
        module: The name of the module.
    """

    entry: str
    module: str


class HowEnded(Enum):
    """How a process ended."""

    BY_ITSELF = 0
    SHUT_DOWN = 1
    """It was asked to stop and could not hear it."""
    TERMINATED = 2
    IGNORED = 3
    """It asked its supervisor to ignore its start."""


class PortEnded(Struct, frozen=True):
    """A Python process was ended by a link or by terminate."""

    pid: str
    error: Fault
    how: HowEnded


class LinePrinted(Struct, frozen=True):
    """A process printed a line."""

    pid: str
    text: str


class ProcessSpawned(Struct, frozen=True):
    """A Lua process has started."""

    pid: str
    entry: str
    host: str
    parent: str


class ProcessExited(Struct, frozen=True):
    """A Lua process has ended.

    Attributes:
        result: The first result of `main`; None after a failure.
        error: None after a normal end.
        at: Unix time in seconds.
        uptime: Seconds.
    """

    pid: str
    entry: str
    result: Term
    error: Fault | None
    at: float
    uptime: float


class NameRegistered(Struct, frozen=True):
    """A process got a name."""

    name: str
    pid: str


class NameReleased(Struct, frozen=True):
    """A name became free."""

    name: str
    pid: str


class ProcessStarted(Struct, frozen=True):
    """A process called `process.started(value)`."""

    pid: str
    value: Term


class ProcessUpgraded(Struct, frozen=True):
    """A process goes on with new code.

    Attributes:
        pid: Its pid, which is the same.
        entry: The entry it runs now.
    """

    pid: str
    entry: str


class ChildUp(Struct, frozen=True):
    """A supervised process has started.

    Attributes:
        ticket: The number of its start.
        pid: Its pid.
        value: What it gave to `process.started`.
    """

    ticket: int
    pid: str
    value: Term


class ChildDown(Struct, frozen=True):
    """A supervised process has ended, or did not start.

    Attributes:
        ticket: The number of its start.
        error: None after a normal end.
        how: How it ended.
    """

    ticket: int
    error: Fault | None
    how: HowEnded


class SupervisorCalled(Struct, frozen=True):
    """A Lua process calls a supervisor, and waits.

    Attributes:
        ticket: The number of the call, for `Kernel.answer_call`.
        supervisor: The pid of the supervisor.
        verb: What it is to do.
        argument: With what.
    """

    ticket: int
    supervisor: str
    verb: str
    argument: Term


class StateNeeded(Struct, frozen=True):
    """A process of a private host waits for a Lua state of its own.

    Attributes:
        host: The name of the host.
    """

    host: str


class StateDone(Struct, frozen=True):
    """The process of a private host has ended: its Lua state is of no more use.

    Attributes:
        number: The number of the state.
    """

    number: int


LifecycleEffect = (
    ProcessSpawned
    | ProcessStarted
    | ProcessUpgraded
    | ProcessExited
    | NameRegistered
    | NameReleased
    | LinePrinted
)
"""What everybody may be told of, and what nothing else comes of."""

Effect = (
    LifecycleEffect
    | Reply
    | Need
    | PortEnded
    | ChildUp
    | ChildDown
    | SupervisorCalled
    | StateNeeded
    | StateDone
    | ModuleRequired
)
