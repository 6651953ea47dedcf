"""A kernel whose processes do what a test tells them. Knows the model's words, not its rules."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from lua_api import (
    Answer,
    Effect,
    Fault,
    Kernel,
    NameRegistered,
    NameReleased,
    Need,
    PortEnded,
    ProcessExited,
    ProcessInfo,
    ProcessSpawned,
    Reply,
    Statistics,
    Step,
    encode,
    encode_list,
)
from tests.kernel_model import CLOSED, Event, Failure, Message, Process, Refusal

PUPPET = Path(__file__).with_name("puppet.lua").read_bytes()
BROKEN = b"process.registry.register('half', process.pid()) error('chunk', 0)"
ROOMY = 1_000_000
MAX_PROCESSES: dict[str, float] = {"roomy": ROOMY, "tight": 4, "python": ROOMY}
MAX_MAILBOX: dict[str, float] = {"roomy": ROOMY, "tight": 3, "python": ROOMY}
SPAWNS = {
    (False, False): "spawn",
    (True, False): "spawn_linked",
    (False, True): "spawn_monitored",
    (True, True): "spawn_linked_monitored",
}


def failure_of(fault: Any) -> Failure | None:
    return None if fault is None else Failure(fault.kind, fault.message, fault.details)


def shown(value: Any, *, ok: bool = True) -> Any:
    """What a receive gave, as the model says it."""
    if not ok:
        return CLOSED
    if isinstance(value, dict) and "kind" in value:
        assert value["at"] >= 0
        return Event(
            value["kind"],
            value["from"],
            value.get("result"),
            failure_of(value.get("error")),
            value.get("reason"),
        )
    if isinstance(value, dict):
        return Message(value["topic"], value.get("from"), value.get("payload"))
    return value


def received(answer: Answer) -> Any:
    """What a receive of a Python process gave."""
    if answer.second in (True, False):
        return shown(answer.value, ok=answer.second is True)
    return Message(str(answer.second), answer.sender, answer.value)


def outcome(value: Any, second: Any) -> Any:
    return Refusal(second.kind) if isinstance(second, Fault) else value


class World:
    """A kernel whose processes are puppets of this test: Lua ones by commands, ports directly."""

    def __init__(self) -> None:
        self.now = 0
        self.kernel = Kernel()
        for host in ("roomy", "tight"):
            self.kernel.add_host(
                host, max_processes=int(MAX_PROCESSES[host]), max_mailbox=int(MAX_MAILBOX[host])
            )
        self.kernel.watch(on=True)
        self.tickets = itertools.count(1)
        self.controller = self.kernel.open_port("controller")
        self.reports = self.request(self.controller, "inbox").value
        self.numbers: dict[tuple[str, str], Any] = {}
        self.log: list[tuple[Any, ...]] = []
        self.answers: dict[int, Answer] = {}
        self.started: list[str] = []
        self.woken: dict[int, Any] = {}
        self.woken_in_order: list[int] = []
        self.done: list[dict[str, Any]] = []
        self.effects: list[Effect] = []

    def processes(self) -> list[ProcessInfo]:
        """All live processes but the controller."""
        return [info for info in self.kernel.processes() if info.pid != self.controller]

    def statistics(self) -> Statistics:
        """What the kernel holds, the controller left out."""
        counts = self.kernel.statistics()
        return replace(counts, processes=counts.processes - 1)

    def request(self, pid: str, name: str, payload: Any = None, *arguments: Any) -> Any:
        return self.kernel.request(pid, next(self.tickets), name, payload, *arguments)

    def step(self) -> Step:
        step = self.kernel.step(self.now / 1e9, 10_000)
        self.effects += step.effects
        for effect in step.effects:
            self.see(effect)
        return step

    def see(self, effect: Effect) -> None:
        match effect:
            case Reply(ticket, answer):
                assert ticket not in self.answers, "answered twice"
                self.answers[ticket] = answer
            case Need("entry", "puppet"):
                self.kernel.provide_source("entry", "puppet", "puppet.lua", PUPPET)
            case Need("entry", "broken"):
                self.kernel.provide_source("entry", "broken", "broken.lua", BROKEN)
            case Need(kind, name):
                self.kernel.refuse_source(kind, name, "NotFound", f"{kind} not found: {name}")
            case ProcessSpawned(pid, _, _, parent):
                self.log.append(("spawned", pid, parent))
            case ProcessExited(pid, _, result, error):
                self.log.append(("exited", pid, result, failure_of(error)))
            case PortEnded(pid, error):
                self.log.append(("port ended", pid, failure_of(error)))
            case NameRegistered(name, pid):
                self.log.append(("registered", name, pid))
            case NameReleased(name, pid):
                self.log.append(("released", name, pid))

    def settle(self) -> None:
        """Run until nothing can go on, and read what the puppets report."""
        while (step := self.step()).busy or any(isinstance(e, Need) for e in step.effects):
            pass
        while True:
            answer = self.request(self.controller, "receive", encode([self.reports]), True)
            if answer.index == 0:
                break
            if answer.second == "started":
                self.started.append(answer.value)
            elif answer.second == "done":
                self.done.append(answer.value)
            else:
                self.see_woken(**answer.value)

    def see_woken(
        self,
        ticket: int,
        index: int | None = None,
        value: Any = None,
        *,
        ok: bool = True,
        result: Any = None,
        error: Any = None,
    ) -> None:
        assert ticket not in self.woken, "woken twice"
        self.woken_in_order.append(ticket)
        if index is None:
            self.woken[ticket] = (result, failure_of(error))
        else:
            self.woken[ticket] = (index - 1, shown(value, ok=ok))

    def post_command(self, pid: str, act: str, *arguments: Any, **fields: Any) -> Answer:
        """Tell a Lua puppet to do something in the next step."""
        command = {"act": act, **fields, **dict(enumerate(arguments, 1))}
        answer: Answer = self.request(
            self.controller, "send", encode(command), pid, "command", False
        )
        return answer

    def command(self, process: Process, act: str, *arguments: Any, **fields: Any) -> Any:
        """Tell a Lua puppet to do something; returns what it reports, or None if it is gone."""
        assert self.post_command(process.pid, act, *arguments, **fields).second is None
        self.settle()
        if not self.done:
            return None
        (report,) = self.done
        self.done.clear()
        return outcome(report.get("result"), report.get("failure"))

    def ask(self, process: Process, act: str, *arguments: Any) -> Any:
        """The same request from a process of either kind."""
        if not process.is_port:
            return self.command(process, act, *arguments)
        answer = self.request(process.pid, act, None, *arguments)
        return outcome(answer.value, answer.second)

    def send(self, process: Process, dest: str, topic: str, payload: Any) -> Any:
        if not process.is_port:
            return self.command(process, "send", dest, topic, payload)
        answer = self.request(process.pid, "send", encode(payload), dest, topic, False)
        return outcome(answer.value, answer.second)

    def spawn(self, process: Process, entry: str, host: str, *, link: bool, monitor: bool) -> Any:
        """Ask a port to spawn; the answer comes when the chunk has run."""
        ticket = next(self.tickets)
        arguments = encode_list([self.controller])
        answer = self.kernel.request(
            process.pid, ticket, "spawn", arguments, entry, host, link, monitor, False
        )
        self.settle()
        answer = answer or self.answers.pop(ticket)
        return outcome(answer.value, answer.second)

    def number(self, port: Process, channel: str) -> Any:
        key = (port.pid, channel)
        if key not in self.numbers:
            self.numbers[key] = self.request(port.pid, channel).value
        return self.numbers[key]

    def drain(self, process: Process, channel: str) -> list[Any]:
        if not process.is_port:
            return [
                shown(item.get("value"), ok=item["ok"])
                for item in self.command(process, "drain", channel)
            ]
        items: list[Any] = []
        numbers = encode([self.number(process, channel)])
        while not items or items[-1] is not CLOSED:
            answer = self.request(process.pid, "receive", numbers, True)
            if answer.index == 0:
                break
            items.append(received(answer))
        return items
