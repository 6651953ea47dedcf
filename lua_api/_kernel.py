"""The kernel for Python: typed requests in, effects out. Knows no clock and no trio."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from lua_api import _terms, _zones
from lua_api._effects import (
    Answer,
    ChildDown,
    ChildUp,
    Effect,
    HowEnded,
    LinePrinted,
    ModuleRequired,
    NameRegistered,
    NameReleased,
    Need,
    PortEnded,
    ProcessExited,
    ProcessSpawned,
    ProcessStarted,
    ProcessUpgraded,
    Reply,
    StateDone,
    StateNeeded,
    SupervisorCalled,
)
from lua_api._runtime import new_kernel_state
from lua_api._state import LuaState
from lua_api._terms import as_text
from lua_api._values import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lua_api._runtime import NewState
    from lua_api._terms import Term

NANOSECONDS = 1_000_000_000


class Step(Struct, frozen=True):
    """What a step brought.

    Attributes:
        busy: Whether something could go on at once.
        wake_at: When the next timer goes off, in seconds on the clock given to `step`, or None.
        effects: What the outside must do or may want to know, in order.
        posts: What other states are to `receive`: the number of each, and the bytes for it.
    """

    busy: bool
    wake_at: float | None
    effects: list[Effect]
    posts: tuple[tuple[int, bytes], ...] = ()


class Statistics(Struct, frozen=True):
    """What a kernel holds.

    Attributes:
        processes: Live processes, those of Python included.
        names: NameRegistered names.
        timers: Timers that have not gone off.
        lua_bytes: Memory of the Lua state.
        max_memory: Its cap in bytes; infinity if it has none.
    """

    processes: int
    names: int
    timers: int
    lua_bytes: int
    max_memory: float


class ProcessInfo(Struct, frozen=True):
    """A live process.

    Attributes:
        pid: Its pid.
        entry: The entry it runs.
        host: The host it runs on.
        state: `"loading"`, `"ready"` (it has something to do), `"waiting"`, or `"python"`.
        mailbox: Messages that nobody received yet.
        uptime: Seconds since it was spawned.
        names: Its registered names.
    """

    pid: str
    entry: str
    host: str
    state: str
    mailbox: int
    uptime: float
    names: tuple[str, ...]


class Outdated(Struct, frozen=True):
    """A live process that runs an older version of its code than the kernel has.

    Attributes:
        pid: Its pid.
        entry: The entry it runs.
        asked: Whether it takes part in upgrades, and has been asked to upgrade.
        ticket: The number of its start, if it is supervised.
    """

    pid: str
    entry: str
    asked: bool
    ticket: int | None


# What the kernel wrote for this module, which knows its form.
_rows = cast("Callable[[bytes], list[Any]]", _terms.decode)


def _answer(fields: list[Any]) -> Answer:
    value, second, sender, index = fields
    return Answer(value, as_text(second) if isinstance(second, bytes) else second, sender, index)


def _reply(ticket: int, answer: list[Any]) -> Reply:
    return Reply(ticket, _answer(answer))


def _need(kind: str, name: str | bytes) -> Need:
    return Need(kind, as_text(name))


def _printed(pid: str, text: str | bytes) -> LinePrinted:
    return LinePrinted(pid, as_text(text))


def _registered(name: str | bytes, pid: str) -> NameRegistered:
    return NameRegistered(as_text(name), pid)


def _released(name: str | bytes, pid: str) -> NameReleased:
    return NameReleased(as_text(name), pid)


def _exited(  # noqa: PLR0917 - the fields of a row
    pid: str, entry: str, result: Term, error: Fault | None, at: float, uptime: int
) -> ProcessExited:
    return ProcessExited(pid, entry, result, error, at, uptime / NANOSECONDS)


# By their numbers.
_HOW_ENDED = tuple(HowEnded)


def _port_ended(pid: str, error: Fault, how: int | None) -> PortEnded:
    return PortEnded(pid, error, _HOW_ENDED[how or 0])


def _child_down(
    ticket: int,
    how: int | None,
    error: Fault | str | bytes | None = None,
    kind: str | bytes = "",
    stack: str | bytes | None = None,
) -> ChildDown:
    if isinstance(error, str | bytes):
        # A fault that is nothing but texts, which are UTF-8 as a rule.
        stack = as_text(stack) if isinstance(stack, bytes) else stack
        error = Fault(as_text(error), as_text(kind), stack=stack)
    return ChildDown(ticket, error, _HOW_ENDED[how or 0])


def _module_required(entry: str | bytes, module: str | bytes) -> ModuleRequired:
    return ModuleRequired(as_text(entry), as_text(module))


def _state_needed(host: str | bytes) -> StateNeeded:
    return StateNeeded(as_text(host))


# In the order of the kinds in lua/kernel/outbox.lua.
_RECORDS: tuple[Callable[..., Effect], ...] = (
    _reply,
    _need,
    _port_ended,
    _printed,
    ProcessSpawned,
    _exited,
    _registered,
    _released,
    ProcessStarted,
    ChildUp,
    _child_down,
    SupervisorCalled,
    ProcessUpgraded,
    _state_needed,
    StateDone,
    _module_required,
)


def _text(value: str) -> bytes:
    """Text for the kernel; bytes that came from Lua as surrogate escapes go back as they were."""
    return value.encode("utf-8", "surrogateescape")


# For the few that come with every child: supervisors, entries, hosts.
_recurring_text = functools.lru_cache(maxsize=256)(_text)


def _argument(request: str, value: object) -> bytes | int:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return value
    raise TypeError(f"{request}: must be a str, got {value!r}")


def _seconds(nanoseconds: float) -> float:
    """The first moment in seconds that is not before this one."""
    seconds = nanoseconds / NANOSECONDS
    if math.isinf(seconds):
        return seconds
    while round(seconds * NANOSECONDS) < nanoseconds:
        seconds = math.nextafter(seconds, math.inf)
    return seconds


@functools.lru_cache(maxsize=8)
def _encoded_zone(name: str) -> bytes:
    return _terms.encode(_zones.transitions(name) or [(0, 0, "UTC")])


def _effects(rows: bytes | None) -> list[Effect]:
    return [] if rows is None else [_RECORDS[kind](*row) for kind, *row in _rows(rows)]


class Kernel:
    """One Lua state with its processes.

    A node may have several: number 0, the hub, has the processes of Python and the names; others
    post to each other and to it (see `Step.posts`).

    Args:
        now: What the clock of `step` shows now, in seconds.
        epoch: The unix time in seconds at which it showed 0.
        max_memory: How many bytes the Lua state may take while processes run. What Python puts in
            is not refused, but counts.
        number: Its number; no state of the node ever had it.
        lua: Which Lua it is: `"5.4"`, `"5.5"` or `"jit"`.
        new_state: Makes the Lua state (see `new_kernel_state`).

    Attributes:
        lua: As given.

    Raises:
        SuperviseError: lupa comes without this Lua.
    """

    def __init__(  # noqa: PLR0917 - a state has these
        self,
        now: float = 0.0,
        epoch: float = 0.0,
        max_memory: float = math.inf,
        number: int = 0,
        lua: str = "5.4",
        new_state: NewState = new_kernel_state,
    ) -> None:
        zone = _encoded_zone(_zones.local_zone_name())
        self._state = LuaState(zone, max_memory, lua, new_state)
        self.lua = lua
        self._step = self._state.step
        self._use(self._state.kernel)
        self._lua.set_state(number)
        self._lua.set_clock(round(now * NANOSECONDS), round(epoch * NANOSECONDS))

    def _use(self, lua: Any) -> None:  # noqa: ANN401 - a Lua table
        """Look up once what is called often."""
        self._lua = lua
        self._request = lua.request
        self._abandon = lua.abandon
        self._set_time = lua.set_time
        self._start_child = lua.start_child
        self._stop_child = lua.stop_child
        self._kill_child = lua.kill_child

    def add_host(
        self,
        name: str,
        *,
        max_processes: int,
        max_mailbox: int,
        max_timers: int = 100_000,
        preempt: bool = True,
        max_instructions: float = math.inf,
        max_run_instructions: float = math.inf,
        shared: bool = False,
    ) -> None:
        """Declare a host: where processes run.

        Args:
            name: Its name.
            max_processes: How many processes it runs at once.
            max_mailbox: How many messages may wait for one of them.
            max_timers: How many timers one of them may wait for.
            preempt: Whether those that compute without a wait are stopped for others.
            max_instructions: How many instructions of Lua one may run in its life.
            max_run_instructions: How many it may run from one wait to the next.
            shared: Whether other states run it too; the hub then chooses one for each process.
        """
        if preempt:
            self._state.warn_of_limits(name)
        self._lua.add_host(
            _text(name),
            max_processes,
            max_mailbox,
            max_timers,
            preempt,
            max_instructions,
            max_run_instructions,
            shared,
        )

    def add_remote_host(self, name: str, *, max_processes: int, private: bool) -> None:
        """In the hub: declare a host that has states of its own, one a process if `private`."""
        self._lua.add_remote_host(_text(name), max_processes, private)

    def open_state(self, host: str, number: int) -> None:
        """In the hub: a state runs this host from now on."""
        self._lua.open_state(_text(host), number)

    def step(self, now: float, budget: int) -> Step:
        """Let time be `now` (seconds) and run for about `budget` requests of processes.

        Raises:
            StateLostError: Memory ran out in a way that no process can pay for: the state cannot
                go on.
        """
        posts: list[Any]
        busy, wake_at, rows, *posts = self._step(round(now * NANOSECONDS), budget)
        effects = _effects(rows)
        due = None if wake_at is None else _seconds(wake_at)
        if posts:
            return Step(busy, due, effects, tuple(zip(posts[::2], posts[1::2], strict=True)))
        return Step(busy, due, effects)

    def take_effects(self) -> list[Effect]:
        """What has happened since the last step; the next one does not bring it again."""
        return _effects(self._lua.take_rows())

    def receive(self, bytes_: bytes) -> None:
        """Take in what another state posted to this one; the next step goes on with it."""
        self._lua.receive(bytes_)

    def refuse(self, bytes_: bytes) -> None:
        """In the hub: answer what was posted to a state that is no more."""
        self._lua.refuse(bytes_)

    def lose_state(self, number: int, message: str) -> None:
        """Another state is no more: all its processes have ended with this message."""
        self._lua.lose_state(number, _text(message))

    def set_time(self, now: float) -> None:
        """Let time be `now` (seconds) for the requests that follow; `step` does so too."""
        self._set_time(round(now * NANOSECONDS))

    def open_port(
        self, label: str = "python", owner: str | None = None, max_mailbox: int | None = None
    ) -> str:
        """Open a process whose code is Python; returns its pid. It ends when its owner does."""
        pid: bytes = self._lua.open_port(_text(label), owner and owner.encode(), max_mailbox)
        return pid.decode()

    def open_supervisor(self, label: str, owner: str | None = None) -> str:
        """Open a supervisor: a process that owns others and takes no messages; returns its pid."""
        pid: bytes = self._lua.open_supervisor(_text(label), owner and owner.encode())
        return pid.decode()

    def open_system_port(self) -> str:
        """Open a port for the requests of the node itself: no process can see or reach it."""
        pid: bytes = self._lua.open_system_port()
        return pid.decode()

    def close_port(self, pid: str, failure: str | None = None) -> None:
        """End a process whose code is Python, normally or with the text of its failure."""
        self._lua.close_port(pid.encode(), None if failure is None else _text(failure))

    def request(
        self,
        pid: str | None,
        ticket: int,
        name: str,
        payload: bytes | None = None,
        *arguments: str | int | bool,
    ) -> Answer | None:
        """Make a request for the Python process `pid`.

        Args:
            pid: The process; None opens one for this request alone.
            ticket: A number that no waiting request has.
            name: The request: a key of `asks` in lua/kernel/ports.lua.
            payload: A value in wire form, where the request takes one.
            arguments: What else it takes.

        Returns:
            The answer, or None if it will come as a `Reply` with this ticket.

        Raises:
            TypeError: An argument is missing: a pid or a name that is None.
        """
        answer = self._request(
            None if pid is None else pid.encode(),
            ticket,
            name.encode(),
            payload,
            *[_argument(name, argument) for argument in arguments],
        )
        return None if answer is None else _answer(_rows(answer))

    def abandon(self, ticket: int) -> None:
        """Give up a waiting request: it takes nothing more, and what it began is ended."""
        self._abandon(ticket)

    def start_child(
        self,
        ticket: int,
        owner: str,
        entry: str,
        host: str,
        *,
        args: bytes | None,
        name: str | None,
        ready: bool,
    ) -> str | Fault | None:
        """Start a process that belongs to the supervisor `owner`, and run its chunk.

        Args:
            ticket: A number that no start had before; it stands for the process until its end.
            owner: The pid of the supervisor.
            entry: The entry to run.
            host: Where it runs.
            args: A list in wire form, or None for no arguments.
            name: A name to register it under before its first instruction, or None.
            ready: Whether it has started only when it calls `process.started`.

        Returns:
            Its pid; or why it did not start; or None if a `ChildUp` or a `ChildDown` will tell.
        """
        outcome = self._start_child(
            _recurring_text(owner),
            ticket,
            _recurring_text(entry),
            _recurring_text(host),
            args,
            None if name is None else _text(name),
            ready,
        )
        if outcome is None:
            return None
        if isinstance(outcome, bytes):
            return outcome.decode()
        return cast("Fault", _terms.decode(outcome[1]))

    def stop_child(self, ticket: int, reason: str) -> ChildDown | None:
        """Ask a supervised process to end.

        Returns:
            How it ended, if that took no time: it waited, and read no events or ended at once.
            None if a `ChildDown` will tell, or one is on its way.
        """
        outcome = self._stop_child(ticket, _recurring_text(reason))
        if outcome is None:
            return None
        how, error = outcome if isinstance(outcome, tuple) else (outcome, None)
        fault = None if error is None else cast("Fault", _terms.decode(error))
        return ChildDown(ticket, fault, _HOW_ENDED[how])

    def kill_child(self, ticket: int) -> bool:
        """End a supervised process by force.

        Returns:
            Whether this ended it; otherwise it had ended, and a `ChildDown` is on its way.
        """
        ended: bool = self._kill_child(ticket)
        return ended

    def answer_call(self, ticket: int, *answer: Term) -> None:
        """Answer a `SupervisorCalled`: up to three values, with which the process goes on."""
        self._lua.answer_call(ticket, _terms.encode_list(answer, "answer"))

    def provide_source(
        self, kind: str, name: str, path: str, text: bytes, method: str = "main"
    ) -> str | None:
        """Bring the text of an entry or a module that the kernel needs.

        Args:
            kind: `"entry"` or `"module"`.
            name: Its name.
            path: What errors and tracebacks call it.
            text: Lua source.
            method: The name of the function to run.

        Returns:
            None, or the syntax error with file and line.
        """
        outcome = self._lua.provide_source(
            kind.encode(), _text(name), b"@" + _text(path), text, _text(method)
        )
        return None if outcome is True else as_text(outcome[1])

    def renew_source(
        self, kind: str, name: str, path: str, text: bytes, method: str = "main"
    ) -> None:
        """Bring a newer text of an entry or a module, if the kernel has an older one.

        Args: as `provide_source`. A text with a syntax error changes nothing.
        """
        self._lua.renew_source(kind.encode(), _text(name), b"@" + _text(path), text, _text(method))

    def refuse_source(self, kind: str, name: str, fault_kind: str, message: str) -> None:
        """Say that a source cannot be had; whoever waits for it gets this error."""
        self._lua.refuse_source(kind.encode(), _text(name), fault_kind.encode(), _text(message))

    def answer_upgrade(self, entry: str, fault: Fault | None) -> None:
        """Answer a `Need` of the kind `"upgrade"`: the newest versions are there, or why not."""
        if fault is None:
            self._lua.confirm_source(_text(entry))
        else:
            self.refuse_source("upgrade", entry, fault.kind, fault.message)

    def ask_to_upgrade(self, entry: str | None = None) -> list[Outdated]:
        """Ask processes to upgrade whose code is outdated.

        Args:
            entry: Those that run this entry; by default all.

        Returns:
            All of these, oldest first, whether they could be asked or not.
        """
        rows = _rows(self._lua.ask_to_upgrade(None if entry is None else _text(entry)))
        return [
            Outdated(pid, as_text(entry), asked, ticket or None)
            for pid, entry, asked, ticket in rows
        ]

    def provide_zone(self, name: str) -> None:
        """Bring the time zone that the kernel needs, or say that there is none of this name."""
        transitions: Sequence[tuple[int, int, str]] | None = _zones.transitions(name)
        self._lua.provide_zone(
            _text(name), None if transitions is None else _terms.encode(transitions)
        )

    def watch(self, *, on: bool) -> None:
        """Whether spawns, exits, names and `process.started` are reported as effects."""
        self._lua.watch(on)

    def processes(self) -> list[ProcessInfo]:
        """Every live process, oldest first."""
        return [
            ProcessInfo(
                pid, entry, host, state, mailbox, uptime / NANOSECONDS, tuple(map(as_text, names))
            )
            for pid, entry, host, state, mailbox, uptime, names in _rows(self._lua.processes())
        ]

    def names_elsewhere(self) -> dict[str, tuple[str, ...]]:
        """In the hub: the names of processes of other states, by pid."""
        rows = _rows(self._lua.names_elsewhere())
        return {pid: tuple(map(as_text, names)) for pid, names in rows}

    def statistics(self) -> Statistics:
        """What the kernel holds now."""
        processes, names, timers, lua_bytes = self._lua.statistics()
        return Statistics(processes, names, timers, round(lua_bytes), self._state.max_memory)

    def collect_garbage(self) -> None:
        """Run a full garbage collection of the Lua state."""
        self._lua.collect_garbage()
