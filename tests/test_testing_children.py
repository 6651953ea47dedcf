"""Supervised processes in the kernel: what a supervisor starts, stops and kills, and what it hears.

Numbers in brackets are the invariants of supervision.
"""

from __future__ import annotations

import itertools
from typing import Any

from attrs import define
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lua_api import (
    ChildDown,
    ChildUp,
    Effect,
    Fault,
    HowEnded,
    Kernel,
    NameRegistered,
    NameReleased,
    Need,
    PortEnded,
    ProcessExited,
    ProcessSpawned,
    encode,
    encode_list,
)

WORKER = b"""
local function main(at_start, at_cancel)
  local words = process.listen("word")
  local function follow(word)
    if word == "started" then
      process.started("value")
    elseif word == "ignore" then
      process.ignore()
    elseif word == "fail" then
      error("why", 0)
    end
    if type(word) == "table" then
      assert(process.link(word[1]))
    end
    return word == "return"
  end
  if follow(at_start) then
    return 7
  end
  local cases = { words:case_receive() }
  if at_cancel ~= "deaf" then
    cases[2] = process.events():case_receive()
  end
  while true do
    local got = channel.select(cases)
    if got.channel ~= words then
      got = { value = at_cancel }
    end
    if follow(got.value) then
      return 7
    end
  end
end
return { main = main }
"""
INDEX = st.integers(0, 31)
MAX_PROCESSES = 6
# What a worker does at first, what when it is asked to stop; some do not listen.
AT_START = st.sampled_from(["wait", "wait", "wait", "started", "return", "fail", "ignore"])
AT_CANCEL = st.sampled_from(["deaf", "deaf", "stay", "return", "fail", "ignore"])
NAMES = st.sampled_from([None, None, "red", "green", "@red", ""])
NOT_IGNORED = "worker.lua:8: process.ignore: no supervisor waits for this process to start"


@define(eq=False)
class Worker:
    """A process that a supervisor started."""

    ticket: int
    supervisor: str
    pid: str
    at_cancel: str
    ready: bool
    name: str | None
    since: int
    links: list[Worker]


def how_it_ends(word: str, *, ready: bool) -> tuple[HowEnded, str | None] | None:
    """What a word does to a worker; nobody may be ignored who has started (None: it lives)."""
    if word == "ignore" and not ready:
        return HowEnded.BY_ITSELF, NOT_IGNORED
    ends = {
        "return": (HowEnded.BY_ITSELF, None),
        "fail": (HowEnded.BY_ITSELF, "why"),
        "ignore": (HowEnded.IGNORED, None),
    }
    return ends.get(word)


class SupervisedProcesses(RuleBasedStateMachine):
    """Every answer and every row is what the rules say, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = Kernel()
        self.kernel.add_host("h", max_processes=MAX_PROCESSES, max_mailbox=1000)
        self.kernel.provide_source("entry", "worker", "worker.lua", WORKER)
        self.kernel.provide_source("entry", "broken", "broken.lua", b"error('chunk', 0)")
        self.kernel.watch(on=True)
        self.controller = self.kernel.open_port("controller")
        self.tickets = itertools.count(1)
        self.now = 0
        self.supervisors: dict[str, str | None] = {}
        self.workers: dict[int, Worker] = {}
        self.expected: list[Any] = []

    # What the kernel says.

    def settle(self) -> None:
        """Run until nothing can go on; the rows are those that were expected."""
        rows = []
        while True:
            step = self.kernel.step(self.now, 1000)
            rows += [row for effect in step.effects if (row := self.row(effect)) is not None]
            if not step.busy:
                break
        assert rows == self.expected
        self.expected.clear()

    @staticmethod
    def row(effect: Effect) -> Any:
        row: Any = None
        match effect:
            case ChildUp(ticket, pid, value):
                row = ("up", ticket, pid, value)
            case ChildDown(ticket, error, how):
                row = ("down", ticket, how, error and error.message)
            case ProcessExited(pid, entry, result, error, _, uptime):
                row = ("exited", pid, entry, result, error and error.message, uptime)
            case PortEnded(pid, error, how):
                row = ("port ended", pid, error.message, how)
            case ProcessSpawned(pid, entry, host, parent):
                row = ("spawned", pid, entry, host, parent)
            case NameRegistered(name, pid) | NameReleased(name, pid):
                row = (type(effect), name, pid)
            case Need(_, name):
                row = ("need", name)
        return row

    # What is expected.

    def ends(
        self, worker: Worker, how: HowEnded, message: str | None, *, told: bool = True
    ) -> None:
        """Its name is free, the outside is told, then its supervisor (50); links take along."""
        ended = [(worker, how, message, told)]
        for one, how_one, message_one, told_one in ended:
            if one.ticket not in self.workers:
                continue
            del self.workers[one.ticket]
            if one.name:
                self.expected.append((NameReleased, one.name, one.pid))
            result = 7 if message_one is None and how_one is HowEnded.BY_ITSELF else None
            uptime = float(self.now - one.since)
            self.expected.append(("exited", one.pid, "worker", result, message_one, uptime))
            if told_one:
                self.expected.append(("down", one.ticket, how_one, message_one))
            for other in one.links:
                other.links.remove(one)
                if message_one is not None:
                    linked = "linked process failed"
                    ended.append((other, HowEnded.BY_ITSELF, linked, True))

    def supervisor_ends(self, pid: str) -> None:
        """All it owns is ended first (2), in the order in which it came."""
        del self.supervisors[pid]
        for worker in [w for w in self.workers.values() if w.supervisor == pid]:
            if worker.ticket in self.workers:
                self.ends(worker, HowEnded.TERMINATED, "process terminated")
        for other in [p for p, owner in self.supervisors.items() if owner == pid]:
            self.supervisor_ends(other)
            self.expected.append(("port ended", other, "process terminated", HowEnded.TERMINATED))

    def some(self, index: int) -> Worker:
        live = list(self.workers.values())
        return live[index % len(live)]

    # What supervisors do.

    @initialize()
    def the_first_one(self) -> None:
        self.supervisors[self.kernel.open_supervisor("first")] = None

    @rule(owner=INDEX)
    def open_supervisor(self, owner: int) -> None:
        if len(self.supervisors) < 4:
            every = [None, *self.supervisors]
            pid = every[owner % len(every)]
            # The processes of a supervisor are ended in their order: workers before supervisors.
            if not any(w.supervisor == pid for w in self.workers.values()) or pid is None:
                self.supervisors[self.kernel.open_supervisor("sup", pid)] = pid

    @precondition(lambda self: self.supervisors)
    @rule(
        supervisor=INDEX,
        at_start=AT_START,
        at_cancel=AT_CANCEL,
        name=NAMES,
        ready=st.booleans(),
        then=st.sampled_from(["nothing", "nothing", "stop", "kill"]),
    )
    def start(
        self,
        supervisor: int,
        at_start: str,
        at_cancel: str,
        name: str | None,
        ready: bool,  # noqa: FBT001
        then: str,
    ) -> None:
        """Its chunk has run, or the start has failed, when the call returns."""
        owner = list(self.supervisors)[supervisor % len(self.supervisors)]
        if any(supervisor == owner for supervisor in self.supervisors.values()):
            owner = next(reversed(self.supervisors))
        ticket = next(self.tickets)
        arguments = encode_list([at_start, at_cancel])
        outcome = self.kernel.start_child(
            ticket, owner, "worker", "h", args=arguments, name=name, ready=ready
        )
        refusal = self.refusal(name)
        if refusal:
            assert isinstance(outcome, Fault)
            assert outcome.kind == refusal
            self.settle()
            return
        pid = outcome if isinstance(outcome, str) else self.kernel.processes()[-1].pid
        assert (outcome is None) == ready
        self.workers[ticket] = Worker(ticket, owner, pid, at_cancel, ready, name, self.now, [])
        if name:
            self.expected.append((NameRegistered, name, pid))
        self.expected.append(("spawned", pid, "worker", "h", owner))
        if then == "kill":
            self.kill_now(self.workers[ticket])
        elif then == "stop":
            self.stop_before_it_waits(self.workers[ticket], at_start)
        else:
            self.follow(self.workers[ticket], at_start)
        self.settle()

    def refusal(self, name: str | None) -> str | None:
        if len(self.workers) >= MAX_PROCESSES:
            return "RateLimited"
        if name in {"", "@red"}:
            return "Invalid"
        taken = name and any(worker.name == name for worker in self.workers.values())
        return "AlreadyExists" if taken else None

    def follow(self, worker: Worker, word: str, *, told: bool = True) -> None:
        """What a word does."""
        end = how_it_ends(word, ready=worker.ready)
        if end is not None:
            self.ends(worker, *end, told=told)
        elif word == "started" and worker.ready:
            worker.ready = False
            self.expected.append(("up", worker.ticket, worker.pid, "value"))

    def stop_before_it_waits(self, worker: Worker, at_start: str) -> None:
        """It runs until it would wait."""
        got = self.kernel.stop_child(worker.ticket, "enough")
        end = how_it_ends(at_start, ready=worker.ready)
        self.follow(worker, at_start, told=False)
        self.stops(worker, got, end)

    def stops(self, worker: Worker, got: ChildDown | None, end: Any = None) -> None:
        """What ends at once is told at once, and not again; those who do not listen are ended."""
        if end is None and worker.at_cancel == "deaf":
            end = HowEnded.SHUT_DOWN, None
            self.ends(worker, HowEnded.SHUT_DOWN, "shutdown", told=False)
        elif end is None:
            end = how_it_ends(worker.at_cancel, ready=worker.ready)
            self.follow(worker, worker.at_cancel, told=False)
        if end is None:
            assert got is None
        else:
            assert got is not None
            assert (got.ticket, got.how) == (worker.ticket, end[0])
            assert (got.error and got.error.message) == end[1]

    @precondition(lambda self: self.workers)
    @rule(index=INDEX)
    def stop(self, index: int) -> None:
        worker = self.some(index)
        self.stops(worker, self.kernel.stop_child(worker.ticket, "enough"))
        self.settle()

    @precondition(lambda self: self.workers)
    @rule(index=INDEX)
    def kill(self, index: int) -> None:
        self.kill_now(self.some(index))
        self.settle()

    def kill_now(self, worker: Worker) -> None:
        """Whoever kills needs no row (31)."""
        assert self.kernel.kill_child(worker.ticket)
        self.ends(worker, HowEnded.TERMINATED, "process terminated", told=False)
        assert not self.kernel.kill_child(worker.ticket)

    @rule()
    def stop_and_kill_what_is_not_there(self) -> None:
        ticket = next(self.tickets)
        assert self.kernel.stop_child(ticket, "") is None
        assert not self.kernel.kill_child(ticket)
        self.settle()

    @precondition(lambda self: self.supervisors)
    @rule(failure=st.sampled_from([None, "why"]), index=INDEX)
    def close(self, failure: str | None, index: int) -> None:
        """Nobody outlives its supervisor (2)."""
        pid = list(self.supervisors)[index % len(self.supervisors)]
        self.kernel.close_port(pid, failure)
        self.supervisor_ends(pid)
        if failure:
            self.expected.append(("port ended", pid, failure, HowEnded.BY_ITSELF))
        outcome = self.kernel.start_child(
            next(self.tickets), pid, "worker", "h", args=None, name=None, ready=False
        )
        assert isinstance(outcome, Fault)
        assert outcome.kind == "Canceled"
        self.settle()

    @precondition(lambda self: self.supervisors)
    @rule(entry=st.sampled_from(["broken", "unknown"]), then=st.sampled_from(["", "stop", "kill"]))
    def start_what_cannot_start(self, entry: str, then: str) -> None:
        if len(self.workers) >= MAX_PROCESSES:
            return
        ticket, owner = next(self.tickets), next(iter(self.supervisors))
        outcome = self.kernel.start_child(
            ticket, owner, entry, "h", args=None, name=None, ready=False
        )
        if entry == "broken":
            assert isinstance(outcome, Fault)
            assert outcome.message == "chunk"
        else:
            assert outcome is None
            self.expected.append(("need", "unknown"))
            self.settle()
            if then == "stop":
                down = self.kernel.stop_child(ticket, "")
                assert down == ChildDown(ticket, None, HowEnded.SHUT_DOWN)
            elif then == "kill":
                assert self.kernel.kill_child(ticket)
            else:
                self.expected.append(("down", ticket, HowEnded.BY_ITSELF, "none"))
            self.kernel.refuse_source("entry", "unknown", "NotFound", "none")
        self.settle()
        assert not self.kernel.kill_child(ticket)

    # What workers do.

    @precondition(lambda self: self.workers)
    @rule(index=INDEX, word=st.sampled_from(["started", "started", "return", "fail", "ignore"]))
    def say(self, index: int, word: str) -> None:
        worker = self.some(index)
        self.send(worker, word)
        self.follow(worker, word)
        self.settle()

    @precondition(lambda self: len(self.workers) > 1)
    @rule(index=INDEX, other=INDEX)
    def link(self, index: int, other: int) -> None:
        one, two = self.some(index), self.some(other)
        self.send(one, [two.pid])
        if one is not two and two not in one.links:
            one.links.append(two)
            two.links.append(one)
        self.settle()

    @precondition(lambda self: self.workers)
    @rule(index=INDEX)
    def terminate(self, index: int) -> None:
        """An end by others is told to the supervisor like any other."""
        worker = self.some(index)
        self.ask("terminate", None, worker.pid)
        self.ends(worker, HowEnded.TERMINATED, "process terminated")
        self.settle()

    @rule(seconds=st.integers(1, 3))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.settle()

    def send(self, worker: Worker, word: Any) -> None:
        self.ask("send", encode(word), worker.pid, "word", False)

    def ask(self, name: str, payload: bytes | None, *arguments: Any) -> None:
        ticket = next(self.tickets)
        answer = self.kernel.request(self.controller, ticket, name, payload, *arguments)
        assert answer is not None
        assert answer.second is None

    @invariant()
    def nobody_else_is_there(self) -> None:
        """Processes and names are those of the model."""
        rows = {info.pid: info.names for info in self.kernel.processes()}
        expected = {self.controller: (), **dict.fromkeys(self.supervisors, ())}
        names = {w.pid: (w.name,) if w.name else () for w in self.workers.values()}
        assert rows == expected | names


TestSupervisedProcesses = SupervisedProcesses.TestCase
TestSupervisedProcesses.settings = settings(stateful_step_count=30)


def test_of_processes_that_have_ended_nothing_is_kept():
    """Invariant 67, for what a supervisor has started."""
    kernel = Kernel()
    kernel.add_host("h", max_processes=10, max_mailbox=10)
    kernel.provide_source("entry", "worker", "worker.lua", WORKER)
    owner, tickets = kernel.open_supervisor("top"), itertools.count(1)

    def held() -> int:
        for ticket in itertools.islice(tickets, 300):
            arguments = encode_list(["wait", "deaf"])
            kernel.start_child(ticket, owner, "worker", "h", args=arguments, name="it", ready=False)
            kernel.step(0, 1000)
            assert kernel.stop_child(ticket, "") is not None
        kernel.collect_garbage()
        return kernel.statistics().lua_bytes

    held()
    before = held()
    assert held() < before + 3000
