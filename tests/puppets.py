"""A kernel whose processes do what a test tells them. Knows the model's words, not its rules."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from lua_api import (
    Answer,
    Effect,
    Kernel,
    Need,
    ProcessInfo,
    Reply,
    Statistics,
    Step,
    encode,
    encode_list,
)
from supervise.testing.model import CLOSED, Message, Process
from supervise.testing.observing import failure_of, outcome, received, recorded

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


def answered(answer: Answer) -> Any:
    """What a receive of a Python process gave."""
    if answer.second in (True, False):
        return received(answer.value, ok=answer.second is True)
    return Message(str(answer.second), answer.sender, answer.value)


class World:
    """A kernel whose processes are puppets of this test: Lua ones by commands, ports directly."""

    def __init__(self) -> None:
        self.now = 0
        self.kernel = Kernel()
        self.open_hosts()
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

    def open_hosts(self) -> None:
        """Both in the one Lua state."""
        for host in MAX_MAILBOX.keys() - {"python"}:
            self.add_host(self.kernel, host)

    @staticmethod
    def add_host(kernel: Kernel, host: str, *, shared: bool = False) -> None:
        limits = {"max_processes": MAX_PROCESSES[host], "max_mailbox": MAX_MAILBOX[host]}
        kernel.add_host(host, **{name: int(limit) for name, limit in limits.items()}, shared=shared)

    def processes(self) -> list[ProcessInfo]:
        """All live processes but the controller."""
        return [info for info in self.kernel.processes() if info.pid != self.controller]

    def statistics(self) -> Statistics:
        """What the kernel holds, the controller left out."""
        counts = self.kernel.statistics()
        return replace(counts, processes=counts.processes - 1)

    def collect_garbage(self) -> None:
        self.kernel.collect_garbage()

    def request(self, pid: str, name: str, payload: Any = None, *arguments: Any) -> Any:
        return self.kernel.request(pid, next(self.tickets), name, payload, *arguments)

    def step(self, kernel: Kernel | None = None) -> Step:
        kernel = kernel or self.kernel
        step = kernel.step(self.now / 1e9, 10_000)
        self.effects += step.effects
        for effect in step.effects:
            self.see(effect, kernel)
        return step

    def come_to_rest(self) -> None:
        """Run until nothing can go on."""
        while (step := self.step()).busy or any(isinstance(e, Need) for e in step.effects):
            pass

    def see(self, effect: Effect, kernel: Kernel) -> None:
        match effect:
            case Reply(ticket, answer):
                assert ticket not in self.answers, "answered twice"
                self.answers[ticket] = answer
            case Need("entry", "puppet"):
                kernel.provide_source("entry", "puppet", "puppet.lua", PUPPET)
            case Need("entry", "broken"):
                kernel.provide_source("entry", "broken", "broken.lua", BROKEN)
            case Need(kind, name):
                kernel.refuse_source(kind, name, "NotFound", f"{kind} not found: {name}")
            case _:
                row = recorded(effect)
                if row is not None:
                    self.log.append(row)

    def settle(self) -> None:
        """Run until nothing can go on, and read what the puppets report."""
        self.come_to_rest()
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
            self.woken[ticket] = (index - 1, received(value, ok=ok))

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
                received(item.get("value"), ok=item["ok"])
                for item in self.command(process, "drain", channel)
            ]
        items: list[Any] = []
        numbers = encode([self.number(process, channel)])
        while not items or items[-1] is not CLOSED:
            answer = self.request(process.pid, "receive", numbers, True)
            if answer.index == 0:
                break
            items.append(answered(answer))
        return items


class SpreadWorld(World):
    """The same, but the roomy host has two Lua states of its own."""

    def open_hosts(self) -> None:
        self.add_host(self.kernel, "tight")
        self.kernel.add_remote_host("roomy", max_processes=ROOMY, private=False)
        self.kernels = [self.kernel]
        for number in (1, 2):
            kernel = Kernel(number=number)
            kernel.watch(on=True)
            self.kernels.append(kernel)
            self.add_host(kernel, "roomy", shared=True)
            self.kernel.open_state("roomy", number)

    def come_to_rest(self) -> None:
        resting = False
        while not resting:
            resting = True
            for kernel in self.kernels:
                step = self.step(kernel)
                for to, posted in step.posts:
                    self.kernels[to].receive(posted)
                if step.busy or step.posts or any(isinstance(e, Need) for e in step.effects):
                    resting = False

    def processes(self) -> list[ProcessInfo]:
        """Those of each state in turn; names of processes elsewhere are known to the hub."""
        elsewhere = self.kernel.names_elsewhere()
        rows = [info for kernel in self.kernels for info in kernel.processes()]
        return [
            replace(info, names=elsewhere.get(info.pid, info.names))
            for info in rows
            if info.pid != self.controller
        ]

    def statistics(self) -> Statistics:
        """Of all states together; names are known to the hub."""
        counts = [kernel.statistics() for kernel in self.kernels]
        return replace(
            counts[0],
            processes=sum(each.processes for each in counts) - 1,
            timers=sum(each.timers for each in counts),
            lua_bytes=sum(each.lua_bytes for each in counts),
        )

    def collect_garbage(self) -> None:
        for kernel in self.kernels:
            kernel.collect_garbage()
