"""Runs programs in the model: one process at a time, first come, first served."""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING

from attrs import define, field

from supervise.testing import programs as do
from supervise.testing.model.processes import Model, Process
from supervise.testing.model.values import Failure, Refusal, Value
from supervise.testing.observing import NOTHING, ROOMY, Left, Observed, Seen
from supervise.testing.payloads import normal
from supervise.testing.programs import HOST, Program

if TYPE_CHECKING:
    from supervise.testing.programs import Dest, Step

WAITS = object()
_MILLISECOND = 1_000_000


@define(eq=False)
class _Running:
    """A process and how far it has come in its program."""

    process: Process
    program: Program
    parent: str
    at: int = 0
    answer: Value = None
    children: list[str] = field(factory=list)

    def pid_of(self, dest: Dest) -> str:
        match dest:
            case do.Me():
                return self.process.pid
            case do.Parent():
                return self.parent
            case do.Child(n):
                return self.children[n - 1]
            case do.Name(name):
                return name


def predict(
    program: Program, *, max_processes: int = ROOMY, max_mailbox: int = ROOMY, seconds: float = 0.0
) -> Observed:
    """What `observe` must give for the same arguments."""
    run = _Run(max_processes, max_mailbox, round(seconds * 1e9))
    run.model.log.append(("spawned", "{main}", ""))
    run.begin(program, None, "{main}", "nobody")
    run.to_the_end()
    return run.observed()


def _full_host(step: do.Spawn, most: float) -> Value:
    """`exec` answers as if the child had failed."""
    message = f"host {HOST} is full: it runs its max_processes of {most}"
    return Failure("RateLimited", message) if step.wait else Refusal("RateLimited")


class _Run:
    """The run queue: who can go on, first come, first served."""

    def __init__(self, max_processes: int, max_mailbox: int, now: int) -> None:
        self.model = Model({HOST: max_processes}, {HOST: max_mailbox}, now)
        self.tickets = itertools.count(1)
        self.ready: deque[_Running] = deque()
        self.waiting: dict[int, _Running] = {}
        self.seen: list[Seen] = []

    def begin(
        self,
        program: Program,
        spawner: Process | None,
        pid: str,
        parent: str,
        *,
        link: bool = False,
        monitor: bool = False,
    ) -> Process:
        """Its spawner goes on first; the child takes its turn after all who can go on already."""
        process = self.model.born(pid, HOST, spawner, link=link, monitor=monitor)
        self.ready.append(_Running(process, program, parent))
        return process

    def to_the_end(self) -> None:
        """Time passes only when nobody can go on."""
        while self.ready or self.model.sleepers:
            if self.ready:
                self.take_turn(self.ready.popleft())
            else:
                soonest = min(until for until, _, _ in self.model.sleepers)
                for ticket in self.model.advance(soonest):
                    self.wake(ticket, True)

    def wake(self, ticket: int, answer: Value) -> None:
        running = self.waiting.pop(ticket)
        running.answer = answer
        self.ready.append(running)

    def take_turn(self, running: _Running) -> None:
        """A process goes on until it waits or ends."""
        process, steps = running.process, running.program.steps
        if running.at:
            step, answer = steps[running.at - 1], running.answer
            if isinstance(step, do.Spawn):
                result, error = answer
                answer = result if error is None else error
            self.see(running, answer)
        while process.alive:
            if running.at == len(steps):
                self.model.finish(process)
            else:
                running.at += 1
                answer = self.perform(running, steps[running.at - 1])
                self.wake_others()
                if answer is WAITS:
                    return
                self.see(running, answer)
        self.wake_others()

    def wake_others(self) -> None:
        woken = list(self.model.woken.items())
        self.model.woken.clear()
        for ticket, (_, answer) in woken:
            self.wake(ticket, answer)

    def see(self, running: _Running, answer: Value) -> None:
        """The dead tell nothing."""
        if running.process.alive:
            self.seen.append(Seen(running.process.pid, running.at, answer))

    def perform(  # noqa: C901, PLR0911, PLR0912 - one case a step
        self, running: _Running, step: Step
    ) -> Value:
        """What the step gives, or `WAITS`."""
        model, process = self.model, running.process
        match step:
            case do.Spawn():
                return self.spawn(running, step)
            case do.Receive(channels, wait):
                return self.receive(running, channels, wait=wait)
            case do.Sleep(milliseconds):
                return self.sleep(running, milliseconds * _MILLISECOND)
            case do.Watch("terminate", dest):
                return model.terminate(running.pid_of(dest))
            case do.Watch(act, dest):
                return getattr(model, act)(process, running.pid_of(dest))
            case do.Cancel(dest, reason):
                return model.cancel(process, running.pid_of(dest), reason)
            case do.Send(dest, topic, payload):
                return model.send(process, running.pid_of(dest), topic, normal(payload))
            case do.Listen(topic, raw):
                return model.listen(process, topic, raw=raw)
            case do.Unlisten(topic):
                return model.unlisten(process, topic)
            case do.TrapLinks(on):
                process.trap_links = on
                return True
            case do.Register(name, dest):
                return model.register(name, running.pid_of(dest))
            case do.Unregister(name):
                return model.unregister(name)
            case do.Lookup(name):
                return model.lookup(name)
            case do.Return(result):
                return model.finish(process, normal(result))
            case do.Fail(message, kind):
                return model.finish(process, None, Failure(kind, message))

    def spawn(self, running: _Running, step: do.Spawn) -> Value:
        model, process = self.model, running.process
        number = len(running.children) + 1
        pid = f"{process.pid[:-1]}.{number}}}"
        running.children.append("nobody")
        if model.host_is_full(HOST):
            return _full_host(step, model.max_processes[HOST])
        link, monitor = step.link and not step.wait, step.monitor and not step.wait
        child = self.begin(step.program, process, pid, process.pid, link=link, monitor=monitor)
        if not step.wait:
            running.children[-1] = pid
            return pid
        ticket = self.new_ticket(running)
        model.wait_for_end(process, ticket, child)
        return WAITS

    def receive(self, running: _Running, names: tuple[str, ...], *, wait: bool) -> Value:
        model, process = self.model, running.process
        if not wait and all(process.channel(name).is_empty for name in names):
            return NOTHING
        ticket = self.new_ticket(running)
        model.wait(process, ticket, list(names))
        if ticket not in model.woken:
            return WAITS
        _, answer = model.woken.pop(ticket)
        return answer

    def sleep(self, running: _Running, delay: int) -> Value:
        if delay <= 0:
            return True
        ticket = self.new_ticket(running)
        self.model.sleep(running.process, ticket, self.model.now + delay)
        return WAITS

    def new_ticket(self, running: _Running) -> int:
        ticket = next(self.tickets)
        self.waiting[ticket] = running
        return ticket

    def observed(self) -> Observed:
        left = [Left(p.pid, p.mail, tuple(p.names)) for p in self.model.live.values()]
        return Observed(
            tuple(self.seen),
            tuple(self.model.log),
            tuple(sorted(left, key=lambda row: row.pid)),
            self.model.now,
        )
