"""What a trace holds: one frozen record for each thing that happened. Knows no kernel.

What supervisors did stands in a trace as the events of `supervise` themselves (`ChildStarted` and
the others), the reasons in them reduced to plain text. What processes did is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from supervise._events import Event

if TYPE_CHECKING:
    from collections.abc import Iterable


class Fact(Struct, frozen=True):
    """Something that happened.

    Attributes:
        at: When, in seconds since the simulation began.
    """

    at: float


class Declared(Fact, frozen=True):
    """What the spec of a supervisor says.

    Attributes:
        supervisor: Its path.
        strategy: Its strategy; `"dynamic"` for a dynamic supervisor.
        max_restarts: Its limit.
        max_seconds: The window of its limit, in seconds.
    """

    supervisor: str
    strategy: str
    max_restarts: int
    max_seconds: float


class Opened(Fact, frozen=True):
    """A process whose code is Python got its pid: a supervisor, a Python child, or a task.

    Attributes:
        pid: Its pid.
        label: The path of a supervisor or a child, otherwise what it is.
        supervisor: Whether it is a supervisor.
    """

    pid: str
    label: str
    supervisor: bool = False


class Spawned(Fact, frozen=True):
    """A Lua process has run its chunk and can be sent to.

    Attributes:
        pid: Its pid.
        entry: What it runs.
        host: Where.
        parent: Who spawned it; the supervisor of a child.
        child: The path of a supervised child, such as `"root/pool/echo"`; None for others.
        incarnation: Which life of that child, counted from 1; 0 for others.
    """

    pid: str
    entry: str
    host: str
    parent: str
    child: str | None = None
    incarnation: int = 0


class Ready(Fact, frozen=True):
    """A process called `process.started(value)`."""

    pid: str
    value: Any = None


class Exited(Fact, frozen=True):
    """A process has ended: it cannot be found any more, its names are free, its watchers were told.

    Attributes:
        pid: Its pid.
        label: The entry it ran; what `Opened` called it if its code was Python.
        error: Why, as text; None after a normal end.
        kind: The kind of the error, such as `"Canceled"`; `""` where there is none.
        forced: Whether others ended it: `"shutdown"`, `"terminated"` or `""`.
        uptime: Seconds.
        result: The first result of `main`, as plain data.
    """

    pid: str
    label: str
    error: str | None = None
    kind: str = ""
    forced: str = ""
    uptime: float = 0.0
    result: Any = None


class Registered(Fact, frozen=True):
    """A process got a name."""

    name: str
    pid: str


class Released(Fact, frozen=True):
    """A name became free; `pid` held it."""

    name: str
    pid: str


class Printed(Fact, frozen=True):
    """A process printed a line."""

    pid: str
    text: str


class Sent(Fact, frozen=True):
    """A message is in the mailbox of `pid`, or was refused.

    Attributes:
        pid: The receiver; as it was addressed if there is none.
        sender: Who sent it; None if nobody is to be answered.
        topic: Its topic.
        payload: What it says, as plain data (see `plain`).
        error: Why it was refused; None if it was delivered.
    """

    pid: str
    sender: str | None
    topic: str
    payload: Any = None
    error: str | None = None


class Received(Fact, frozen=True):
    """A Lua process took a message out of its mailbox.

    Attributes:
        pid: The receiver.
        sender: Who sent it.
        topic: Its topic.
        payload: What it says, as plain data.
    """

    pid: str
    sender: str | None
    topic: str
    payload: Any = None


class Signalled(Fact, frozen=True):
    """An event was put into the mailbox of a process.

    Attributes:
        pid: The receiver.
        kind: `"EXIT"`, `"LINK_DOWN"` or `"CANCEL"`.
        about: The process that ended, or who asks.
        error: Why that one ended; None after a normal end. The reason of a CANCEL.
    """

    pid: str
    kind: str
    about: str
    error: str | None = None


class Linked(Fact, frozen=True):
    """Two processes are linked."""

    pid: str
    other: str


class Unlinked(Fact, frozen=True):
    """Two processes are not linked any more; one of them asked."""

    pid: str
    other: str


class Monitored(Fact, frozen=True):
    """`pid` will get an EXIT when `other` ends."""

    pid: str
    other: str


class Unmonitored(Fact, frozen=True):
    """`pid` does not watch `other` any more; it asked."""

    pid: str
    other: str


class Injected(Fact, frozen=True):
    """A fault was injected.

    Attributes:
        fault: The code of the fault.
        pid: The process that it hit; None if it hits none.
        effect: What it did, in words.
    """

    fault: str
    pid: str | None
    effect: str


class Settled(Fact, frozen=True):
    """The simulated time is over, and the trees are about to be stopped.

    Attributes:
        resting: Whether nothing could go on by itself: no task and no process had a turn to take,
            and no timer was set.
        processes: The pids that were alive.
    """

    resting: bool
    processes: tuple[str, ...] = ()


class Finished(Fact, frozen=True):
    """The node has closed.

    Attributes:
        error: What came out of its block, as text; None if nothing did.
        processes: Lua processes that were left: none, unless something is wrong.
        names: Names that were left.
        timers: Timers that were left.
    """

    error: str | None = None
    processes: int = 0
    names: int = 0
    timers: int = 0


Record: TypeAlias = Fact | Event
"""One entry of a trace."""


def as_records(records: Iterable[Record]) -> tuple[Record, ...]:
    """Any records, as they are kept."""
    return tuple(records)
