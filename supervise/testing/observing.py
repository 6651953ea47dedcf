"""Runs programs on a kernel in virtual time and keeps what they saw, in the model's words."""

from __future__ import annotations

import itertools
from typing import Any

from attrs import frozen

from lua_api import (
    Answer,
    Effect,
    Fault,
    Kernel,
    NameRegistered,
    NameReleased,
    PortEnded,
    ProcessExited,
    ProcessSpawned,
    encode,
    encode_list,
)
from supervise.testing.model.values import CLOSED, Event, Failure, Message, Refusal, Value
from supervise.testing.programs import HOST, OBSERVER, Program, Receive, Spawn

ROOMY = 1_000_000
NOTHING = "nothing"
"""What a receive that does not wait gives when nothing is there."""

_ENOUGH_STEPS = 10_000


@frozen
class Seen:
    """What a step of a program gave: a value, a `Refusal`, or for a receive (index, item)."""

    pid: str
    step: int
    value: Value


@frozen
class Left:
    """A process that waits for ever."""

    pid: str
    mail: int
    names: tuple[str, ...]


@frozen
class Observed:
    """What a program and all it spawned did until nobody could go on.

    Pids are the paths of the programs: `{main}`, the first it spawns `{main.1}`.

    Attributes:
        seen: What each step gave, in order.
        log: Spawns, ends with uptimes in nanoseconds, and names, in order.
        left: Who still waits, by pid.
        at: The time, in nanoseconds.
    """

    seen: tuple[Seen, ...]
    log: tuple[tuple[Value, ...], ...]
    left: tuple[Left, ...]
    at: int

    def __str__(self) -> str:
        rows = [f"{row.pid} step {row.step}: {row.value!r}" for row in self.seen]
        return "\n".join([*rows, *map(str, self.log), *map(str, self.left)])


def failure_of(fault: Fault | None) -> Failure | None:
    """An error, as the model says it."""
    return None if fault is None else Failure(fault.kind, fault.message, fault.details)


def received(value: Value, *, ok: bool = True) -> Value:
    """What a Lua process received, as the model says it."""
    if not ok:
        return CLOSED
    if isinstance(value, dict) and "kind" in value and "at" in value:
        error = failure_of(value.get("error"))
        result, reason, at = value.get("result"), value.get("reason"), round(value["at"] * 1e9)
        return Event(value["kind"], value["from"], result, error, reason, at)
    if isinstance(value, dict) and "topic" in value:
        return Message(value["topic"], value.get("from"), value.get("payload"))
    return value


def outcome(value: Value, second: Value) -> Value:
    """What a call answered, as the model says it."""
    return Refusal(second.kind) if isinstance(second, Fault) else value


def recorded(effect: Effect) -> tuple[Value, ...] | None:
    """What a watching node is told, as the model's log has it; None for what it does not log."""
    match effect:
        case ProcessSpawned(pid, _, _, parent):
            return ("spawned", pid, parent)
        case ProcessExited(pid, _, result, error, uptime=uptime):
            return ("exited", pid, result, failure_of(error), round(uptime * 1e9))
        case PortEnded(pid, error):
            return ("port ended", pid, failure_of(error))
        case NameRegistered(name, pid):
            return ("registered", name, pid)
        case NameReleased(name, pid):
            return ("released", name, pid)
    return None


def observe(
    program: Program, *, max_processes: int = ROOMY, max_mailbox: int = ROOMY, seconds: float = 0.0
) -> Observed:
    """Run a program on a kernel of its own until nobody can go on.

    Args:
        program: What the first process does.
        max_processes: How many run at once.
        max_mailbox: How many unread messages each holds.
        seconds: What the clock shows at first.
    """
    run = _Run(program, max_processes, max_mailbox, seconds)
    run.to_the_end()
    return run.observed()


class _Run:
    """One kernel, its clock, and the port that observes."""

    def __init__(
        self, program: Program, max_processes: int, max_mailbox: int, seconds: float
    ) -> None:
        self.program = program
        self.kernel = Kernel()
        for name, text in program.entries().items():
            self.kernel.provide_source("entry", name, f"{name}.lua", text.encode())
        self.kernel.add_host(HOST, max_processes=max_processes, max_mailbox=max_mailbox)
        self.tickets = itertools.count(1)
        self.now = seconds
        self.kernel.set_time(seconds)
        self.observer = self.kernel.open_port()
        self.request("register", None, OBSERVER, self.observer)
        self.inbox = self.request("inbox").value
        self.kernel.watch(on=True)
        self.rows: list[tuple[Value, ...]] = []
        self.paths = {self.observer: ""}

    def request(self, name: str, payload: bytes | None = None, *arguments: Any) -> Any:  # noqa: ANN401 - what a request takes and gives
        return self.kernel.request(self.observer, next(self.tickets), name, payload, *arguments)

    def to_the_end(self) -> None:
        self.request("spawn", encode_list(["nobody"]), "program:main", HOST, False, False, False)
        for _ in range(_ENOUGH_STEPS):
            step = self.kernel.step(self.now, 1000)
            for effect in step.effects:
                self.see(effect)
            if not step.busy and not step.effects:
                if step.wake_at is None:
                    return
                self.now = step.wake_at
        raise AssertionError(f"the program does not come to rest:\n{self.program}")

    def see(self, effect: Effect) -> None:
        if isinstance(effect, ProcessSpawned):
            path = effect.entry.partition(":")[2]
            self.paths[effect.pid] = f"{{{path}}}"
        row = recorded(effect)
        if row is not None:
            self.rows.append(row)

    def observed(self) -> Observed:
        answers = iter(lambda: self.request("receive", encode([self.inbox]), True), None)
        told = itertools.takewhile(lambda answer: answer.index == 1, answers)
        left = [
            Left(self.paths[row.pid], row.mailbox, row.names)
            for row in self.kernel.processes()
            if row.pid != self.observer
        ]
        return Observed(
            tuple(self.seen(answer) for answer in told),
            tuple(self.by_path(row) for row in self.rows),
            tuple(sorted(left, key=lambda row: row.pid)),
            round(self.now * 1e9),
        )

    def seen(self, answer: Answer) -> Seen:
        pid = self.paths[str(answer.sender)]
        fields: Any = answer.value
        step = self.step_of(pid, fields["step"])
        if "extra" in fields:
            raise AssertionError(f"{pid} {step}: more than a value and an error: {fields}")
        value, failure = fields.get("value"), fields.get("failure")
        if isinstance(step, Receive):
            value = (value["index"] - 1, received(value.get("value"), ok=value["ok"]))
            if value[0] < 0:
                value = NOTHING
        elif isinstance(step, Spawn) and step.wait and failure is not None:
            value = failure_of(failure)
        else:
            value = outcome(value, failure)
        return Seen(pid, fields["step"], self.by_path(value))

    def step_of(self, pid: str, number: int) -> Value:
        program = self.program
        for n in pid.strip("{}").split(".")[1:]:
            program = program.children[int(n) - 1]
        return program.steps[number - 1]

    def by_path(self, value: Any) -> Any:  # noqa: ANN401 - any value has pids in it
        """The value with paths for pids."""
        match value:
            case str():
                return self.paths.get(value, value)
            case list() | tuple():
                return type(value)(map(self.by_path, value))
            case dict():
                return {self.by_path(key): self.by_path(item) for key, item in value.items()}
            case Message() | Event() | Failure():
                names = type(value).__match_args__
                return type(value)(*(self.by_path(getattr(value, name)) for name in names))
        return value
