"""The kernel against the reference model: random programs, one operation at a time.

Numbers in brackets are the invariants of supervision.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from lua_api import Fault, PortEnded, ProcessExited, Reply, encode, encode_list
from supervise.testing.model import CLOSED, Failure, Message, Model, Process, Refusal
from supervise.testing.observing import failure_of, outcome
from tests.puppets import MAX_MAILBOX, MAX_PROCESSES, SPAWNS, World, answered

INDEX = st.integers(0, 63)
NAMES = st.sampled_from(["red", "green", "blue"])
TOPICS = st.sampled_from(["a", "b", "c"])
HOSTS = st.sampled_from(["roomy", "roomy", "tight"])
PAYLOADS = st.sampled_from([None, False, 0, 1, 2, 3, "text", {"k": [1]}])


class KernelAgainstModel(RuleBasedStateMachine):
    """Every result, message, event, wake-up and row for the outside is the model's."""

    make_world = World

    def __init__(self) -> None:
        super().__init__()
        self.world = self.make_world()
        self.model = Model(MAX_PROCESSES, MAX_MAILBOX)
        self.payloads = itertools.count(1000)

    # Who takes part

    def actor(self, index: int, *, port: bool | None = None) -> Process:
        live = [p for p in self.model.live.values() if port in (None, p.is_port)]
        return live[index % len(live)]

    def dest(self, index: int) -> str:
        """Mostly the living, also names, the dead, and who never was."""
        live, dead = list(self.model.live), list(self.model.dead)[-2:]
        every = [*live, *live, "red", "green", *dead, "{nowhere|0x00001}"]
        return every[index % len(every)]

    def settled(self) -> None:
        """After an operation: what others saw."""
        self.world.settle()
        assert self.world.log == self.model.log
        expected = {}
        for ticket, (process, answer) in self.model.woken.items():
            expected[ticket] = answer
            if process.is_port:
                self.world.woken[ticket] = self.port_answer(ticket)
        assert self.world.woken == expected
        assert not self.world.answers
        assert not self.world.started
        self.model.woken.clear()
        self.model.log.clear()
        self.world.log.clear()
        self.world.woken.clear()
        self.world.woken_in_order.clear()

    def port_answer(self, ticket: int) -> Any:
        answer = self.world.answers.pop(ticket)
        if answer.index is not None:
            return (answer.index - 1, answered(answer))
        if answer.second is False or isinstance(answer.second, Fault):
            return (None, CLOSED)
        fields: Any = answer.value
        return (fields.get("result"), failure_of(fields.get("error")))

    def same(self, process: Process, act: str, *arguments: Any, expected: Any) -> None:
        """The kernel answers what the model answered; who ended itself answers nothing."""
        got = self.world.ask(process, act, *arguments)
        assert got == (expected if process.alive or process.is_port else None)
        self.settled()

    # Life

    @initialize(puppets=st.integers(0, 4), link=st.booleans())
    def the_first_ones(self, puppets: int, link: bool) -> None:  # noqa: FBT001
        """Ports, and puppets each of which is a child of the one before."""
        self.open_port()
        self.open_port()
        for parent in range(1, puppets + 1):
            self.spawn(parent, "roomy", link, monitor=True)

    @rule()
    def open_port(self) -> None:
        self.model.born(self.world.kernel.open_port(), "python")

    @rule(parent=INDEX, host=HOSTS, link=st.booleans(), monitor=st.booleans())
    def spawn(self, parent: int, host: str, link: bool, monitor: bool) -> None:  # noqa: FBT001
        """A pid is new (42); the child is routable, linked and monitored when spawn returns."""
        if not self.model.live or len(self.model.live) > 12:
            return
        process = self.actor(parent)
        if process.is_port:
            got = self.world.spawn(process, "puppet", host, link=link, monitor=monitor)
        else:
            got = self.world.command(process, "spawn", SPAWNS[link, monitor], host)
        if self.model.host_is_full(host):
            assert got == Refusal("RateLimited")
        else:
            self.model.born(got, host, process, link=link, monitor=monitor)
            assert self.world.started == [got]
            self.world.started.clear()
        self.settled()

    @precondition(lambda self: any(p.is_port for p in self.model.live.values()))
    @rule(parent=INDEX, link=st.booleans(), monitor=st.booleans())
    def spawn_what_cannot_start(self, parent: int, link: bool, monitor: bool) -> None:  # noqa: FBT001
        """A chunk that raises or is not there: an answer, and nothing is left of it."""
        process = self.actor(parent, port=True)
        for entry, host, kind in (
            ("broken", "roomy", ""),
            ("unknown", "roomy", "NotFound"),
            ("puppet", "nowhere", "NotFound"),
        ):
            got = self.world.spawn(process, entry, host, link=link, monitor=monitor)
            assert got == Refusal(kind)
            names = [row[:2] for row in self.world.log]
            half = [("registered", "half"), ("released", "half")]
            assert names == (half if entry == "broken" else [])
            self.world.log.clear()
        self.settled()

    @precondition(lambda self: self.model.live)
    @rule(parent=INDEX, host=HOSTS, link=st.booleans(), monitor=st.booleans())
    def wait_for_a_new_child(self, parent: int, host: str, link: bool, monitor: bool) -> None:  # noqa: FBT001
        """`process.exec`, and the spawn of a port that waits for the end."""
        process = self.actor(parent)
        if self.model.host_is_full(host) or len(self.model.live) > 12:
            return
        ticket = next(self.world.tickets)
        if process.is_port:
            arguments = encode_list([self.world.controller])
            answer = self.world.kernel.request(
                process.pid, ticket, "spawn", arguments, "puppet", host, link, monitor, True
            )
            assert answer is None
            self.world.settle()
        else:
            link = monitor = False
            assert self.world.command(process, "exec", ticket, host) is True
        (pid,) = self.world.started
        self.world.started.clear()
        child = self.model.born(pid, host, process, link=link, monitor=monitor)
        self.model.wait_for_end(process, ticket, child)
        process.begun[ticket] = child
        self.settled()

    @precondition(lambda self: any(p.is_port for p in self.model.live.values()))
    @rule(waiter=INDEX, dest=INDEX)
    def wait_for_an_end(self, waiter: int, dest: int) -> None:
        process, pid = self.actor(waiter, port=True), self.dest(dest)
        ticket = next(self.world.tickets)
        answer = self.world.kernel.request(process.pid, ticket, "await", None, pid)
        target = self.model.find(pid)
        if target is None:
            assert answer is not None
            assert outcome(answer.value, answer.second) == Refusal("NotFound")
        elif target is process:
            self.world.kernel.abandon(ticket)
        else:
            assert answer is None
            self.model.wait_for_end(process, ticket, target)
        self.settled()

    @precondition(lambda self: self.model.live)
    @rule(
        index=INDEX,
        how=st.sampled_from(["return", "fail", "raise", "raise in a coroutine", "details"]),
        result=st.sampled_from([None, False, 0, "done", {"k": [1]}]),
    )
    def end(self, index: int, how: str, result: Any) -> None:
        """Each end is told once: EXIT to watchers, LINK_DOWN or an end to the linked (50-55)."""
        process = self.actor(index)
        if process.is_port:
            failure = None if how == "return" else "why"
            self.world.kernel.close_port(process.pid, failure)
            error = Failure("", "why") if failure else None
            self.model.finish(process, None, error)
        elif how == "return":
            self.world.command(process, "return", result=result)
            self.model.finish(process, result)
        elif how == "details":
            details = {"kind": "Conflict", "message": "why", "details": {"origin": "elsewhere"}}
            self.world.command(process, "raise", details=details)
            self.model.finish(process, None, Failure("Conflict", "why", {"origin": "elsewhere"}))
        else:
            act = "return" if how == "fail" else how
            self.world.command(process, act, result=result, failure="why")
            self.model.finish(process, None, Failure("", "why"))
        self.settled()

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX, dest=INDEX)
    def terminate(self, index: int, dest: int) -> None:
        process, pid = self.actor(index), self.dest(dest)
        self.same(process, "terminate", pid, expected=self.model.terminate(pid))

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX, dest=INDEX, reason=st.sampled_from(["", "enough"]))
    def cancel(self, index: int, dest: int, reason: str) -> None:
        process, pid = self.actor(index), self.dest(dest)
        expected = self.model.cancel(process, pid, reason)
        self.same(process, "cancel", pid, reason, expected=expected)

    # Messages

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX, dest=INDEX, topic=TOPICS, times=st.integers(1, 4), nil=st.booleans())
    def send(self, index: int, dest: int, topic: str, times: int, nil: bool) -> None:  # noqa: FBT001
        """In order, once, nothing lost to a live process (47, 57, 58)."""
        process, pid = self.actor(index), self.dest(dest)
        for _ in range(times):
            payload = None if nil else next(self.payloads)
            expected = self.model.send(process, pid, topic, payload)
            assert self.world.send(process, pid, topic, payload) == expected
        self.settled()

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX, dest=INDEX, topic=st.sampled_from(["", "@a"]))
    def use_a_reserved_topic(self, index: int, dest: int, topic: str) -> None:
        process, pid = self.actor(index), self.dest(dest)
        assert self.world.send(process, pid, topic, 1) == self.model.send(process, pid, topic, 1)
        self.same(process, "listen", topic, expected=Refusal("Invalid"))

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX, topic=TOPICS, raw=st.booleans())
    def listen(self, index: int, topic: str, raw: bool) -> None:  # noqa: FBT001
        process = self.actor(index)
        raw = raw and not process.is_port
        assert self.model.listen(process, topic, raw=raw) is True
        if process.is_port:
            number = self.world.ask(process, "listen", topic)
            assert isinstance(number, int)
            self.world.numbers[process.pid, topic] = number
        else:
            assert self.world.ask(process, "listen", topic, raw) is True
        self.settled()

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX, topic=TOPICS)
    def unlisten(self, index: int, topic: str) -> None:
        process = self.actor(index)
        if topic not in process.listeners and topic not in process.ended_listeners:
            return
        number = self.world.numbers.get((process.pid, topic), topic)
        self.same(process, "unlisten", number, expected=self.model.unlisten(process, topic))
        ended = process.ended_listeners[topic]
        assert self.world.drain(process, topic) == self.model.drain(ended)
        self.settled()

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX, channel=st.sampled_from(["inbox", "events", "a", "b", "c"]))
    def drain(self, index: int, channel: str) -> None:
        process = self.actor(index)
        if channel not in process.listeners and channel not in ("inbox", "events"):
            channel = "inbox"
        expected = self.model.drain(process.channel(channel))
        assert self.world.drain(process, channel) == expected
        self.settled()

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX, which=st.permutations(["inbox", "events", "a", "b"]), n=st.integers(1, 3))
    def wait(self, index: int, which: list[str], n: int) -> None:
        """A waiting receiver gets what comes first; several are served first come, first served."""
        process = self.actor(index)
        names = [name for name in which if name in {"inbox", "events", *process.listeners}][:n]
        ticket = next(self.world.tickets)
        self.model.wait(process, ticket, names)
        if process.is_port:
            numbers = encode([self.world.number(process, name) for name in names])
            answer = self.world.kernel.request(process.pid, ticket, "receive", numbers, False)
            if answer is not None:
                self.world.answers[ticket] = answer
        else:
            assert self.world.command(process, "wait", ticket, names) is True
        self.settled()

    @precondition(lambda self: any(p.is_port for p in self.model.live.values()))
    @rule(index=INDEX, ticket=INDEX)
    def abandon(self, index: int, ticket: int) -> None:
        """A wait that is given up takes nothing more."""
        process = self.actor(index, port=True)
        tickets = list(process.waits)
        if tickets:
            given_up = tickets[ticket % len(tickets)]
            self.model.abandon(process, given_up)
            self.world.kernel.abandon(given_up)
        self.settled()

    @precondition(lambda self: any(p.is_port for p in self.model.live.values()))
    @rule(index=INDEX, topic=TOPICS)
    def abandon_what_was_just_answered(self, index: int, topic: str) -> None:
        """A message that is on its way to a wait that is given up is not lost (58)."""
        process = self.actor(index, port=True)
        channel = process.listeners.get(topic, process.inbox)
        if channel.waits:
            message = Message(topic, process.pid, next(self.payloads))
            given_up = channel.waits[0].ticket
            self.model.send(process, process.pid, topic, message.payload)
            self.world.send(process, process.pid, topic, message.payload)
            self.world.kernel.abandon(given_up)
            self.model.give_back(given_up, channel, message)
        self.settled()

    # Watching

    @precondition(lambda self: self.model.live)
    @rule(
        index=INDEX,
        dest=INDEX,
        act=st.sampled_from(["monitor", "monitor", "unmonitor", "link", "link", "link", "unlink"]),
    )
    def watch(self, index: int, dest: int, act: str) -> None:
        """Answered at once also for the dead (54); a link is one however often it is made (49)."""
        process, pid = self.actor(index), self.dest(dest)
        self.same(process, act, pid, expected=getattr(self.model, act)(process, pid))

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX)
    def link_with_everybody(self, index: int) -> None:
        """A failure reaches the same process over several links; it ends once (55)."""
        process = self.actor(index)
        for pid in list(self.model.live):
            self.same(process, "link", pid, expected=self.model.link(process, pid))

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX, on=st.booleans())
    def trap_links(self, index: int, on: bool) -> None:  # noqa: FBT001
        process = self.actor(index)
        process.trap_links = on
        self.same(process, "trap_links", on, expected=True)

    # Names

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX, name=NAMES, dest=INDEX)
    def register(self, index: int, name: str, dest: int) -> None:
        """One holder a name (43)."""
        process, pid = self.actor(index), self.dest(dest)
        expected = self.model.register(name, pid)
        self.same(process, "register", name, pid, expected=expected)

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX, name=NAMES)
    def unregister(self, index: int, name: str) -> None:
        self.same(self.actor(index), "unregister", name, expected=self.model.unregister(name))

    @precondition(lambda self: self.model.live)
    @rule(index=INDEX)
    def lookup(self, index: int) -> None:
        """No name of the dead is found (46)."""
        for name in ("red", "green", "blue"):
            self.same(self.actor(index), "lookup", name, expected=self.model.lookup(name))

    # Time

    @precondition(lambda self: any(not p.is_port for p in self.model.live.values()))
    @rule(index=INDEX, milliseconds=st.integers(1, 5))
    def sleep(self, index: int, milliseconds: int) -> None:
        process, ticket = self.actor(index, port=False), next(self.world.tickets)
        delay = milliseconds * 1_000_000
        assert self.world.command(process, "sleep", ticket, delay) is True
        self.model.sleep(process, ticket, self.world.now + delay)
        self.settled()

    @rule(milliseconds=st.integers(0, 4))
    def let_time_pass(self, milliseconds: int) -> None:
        self.world.now += milliseconds * 1_000_000
        expected = self.model.advance(self.world.now)
        self.world.settle()
        assert self.world.woken_in_order == expected
        self.world.woken.clear()
        self.settled()

    # Always

    @invariant()
    def the_tables_agree(self) -> None:
        """Nothing lives on, and nothing waits that should not (60, 67)."""
        rows = self.world.processes()
        assert [(r.pid, r.host, r.mailbox, r.names) for r in rows] == [
            (p.pid, p.host, p.mail, tuple(p.names)) for p in self.model.live.values()
        ]
        counts = self.world.statistics()
        assert counts.processes == len(self.model.live)
        assert counts.names == len(self.model.names)
        assert counts.timers == len(self.model.sleepers)
        wake_at = self.world.step().wake_at
        soonest = min((until for until, _, _ in self.model.sleepers), default=None)
        assert wake_at == (None if soonest is None else soonest / 1e9)

    def teardown(self) -> None:
        """Everything is ended from outside; nothing is left over (67)."""
        for process in list(self.model.live.values()):
            if process.alive:
                self.model.terminate(process.pid)
                self.world.request(self.world.controller, "terminate", None, process.pid)
                self.settled()
        self.the_tables_agree()
        assert not self.world.processes()


KernelAgainstModel.TestCase.settings = settings(
    stateful_step_count=max(50, settings.default.stateful_step_count)
)
TestKernelAgainstModel = KernelAgainstModel.TestCase


# The same rules, close together: what a mailbox does with few topics and many receivers


def step(rule_name: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(rule_name), st.fixed_dictionaries(arguments))


WHO = st.integers(0, 2)
FEW_TOPICS = st.sampled_from(["a", "b"])
MAILBOX_STEP = st.one_of(
    step("send", index=WHO, dest=WHO, topic=FEW_TOPICS, times=st.integers(1, 3), nil=st.booleans()),
    step(
        "wait",
        index=WHO,
        which=st.sampled_from([["inbox", "a", "b"], ["a", "inbox", "b"], ["b", "a", "inbox"]]),
        n=st.integers(1, 3),
    ),
    step("listen", index=WHO, topic=FEW_TOPICS, raw=st.booleans()),
    step("unlisten", index=WHO, topic=FEW_TOPICS),
    step("drain", index=WHO, channel=st.sampled_from(["inbox", "a"])),
)


LISTEN = {"index": 2, "topic": "b"}
SEND = {"index": 0, "dest": 2, "nil": False}
ONE = {"index": 2, "which": ["inbox", "a", "b"], "n": 1}


@settings(max_examples=max(25, settings.default.max_examples // 2))
@given(st.lists(MAILBOX_STEP, max_size=30))
@example(
    [
        ("listen", LISTEN | {"raw": True}),
        ("send", SEND | {"topic": "b", "times": 2}),
        ("listen", LISTEN | {"raw": False}),
        ("drain", {"index": 2, "channel": "b"}),
    ]
)
@example([("wait", ONE), ("wait", ONE), ("wait", ONE), ("send", SEND | {"topic": "a", "times": 4})])
@example(
    [
        ("send", SEND | {"topic": "a", "times": 1}),
        ("send", SEND | {"topic": "b", "times": 1}),
        ("send", SEND | {"topic": "a", "times": 1}),
        ("wait", ONE),
        ("listen", LISTEN | {"raw": True}),
        ("drain", {"index": 2, "channel": "inbox"}),
    ]
)
def test_a_mailbox_keeps_what_nobody_took(steps):
    """Topics come and go while messages wait and receivers wait (58, 60)."""
    machine = KernelAgainstModel()
    machine.the_first_ones(1, link=False)
    for name, arguments in steps:
        getattr(machine, name)(**arguments)
        machine.the_tables_agree()


FEW_ACTS = st.sampled_from(["monitor", "unmonitor", "link", "unlink"])
WATCH_STEP = st.one_of(
    step("watch", index=WHO, dest=WHO, act=FEW_ACTS),
    step("register", index=WHO, name=st.sampled_from(["red", "green"]), dest=WHO),
    step("unregister", index=WHO, name=st.sampled_from(["red", "green"])),
    step("trap_links", index=WHO, on=st.booleans()),
    step("end", index=WHO, how=st.sampled_from(["return", "raise"]), result=st.none()),
    step("spawn", parent=WHO, host=HOSTS, link=st.booleans(), monitor=st.booleans()),
)


@settings(max_examples=max(25, settings.default.max_examples // 2))
@given(st.lists(WATCH_STEP, max_size=30))
def test_few_processes_watch_name_and_end_each_other(steps):
    """Links, monitors and names are made, undone and broken all the time (43-55)."""
    machine = KernelAgainstModel()
    machine.the_first_ones(3, link=False)
    for name, arguments in steps:
        if machine.model.live:
            getattr(machine, name)(**arguments)
        machine.the_tables_agree()


# What the model found, each as small as it gets


@pytest.fixture
def world():
    return World()


@pytest.fixture
def port(world):
    return Process(world.kernel.open_port(), "python")


def spawned(world: World, parent: Process, **attached: bool) -> Process:
    how = {"link": False, "monitor": False} | attached
    return Process(world.spawn(parent, "puppet", "roomy", **how), "roomy")


def test_false_is_a_result_like_any_other(world, port):
    child = spawned(world, port, monitor=True)
    world.command(child, "return", result=False)
    assert world.drain(port, "events")[0].result is False
    assert [e.result for e in world.effects if isinstance(e, ProcessExited)] == [False]


def test_a_cascade_names_the_process_that_began_it_whatever_its_error_says(world, port):
    child = spawned(world, port, link=True)
    world.command(child, "raise", details={"message": "why", "details": {"origin": "elsewhere"}})
    (ended,) = [e.error for e in world.effects if isinstance(e, PortEnded)]
    assert ended.details == {"origin": child.pid, "error": "why"}


def test_a_failure_that_reaches_a_process_over_several_links_ends_it_once(world, port):
    group = [spawned(world, port, link=True) for _ in range(3)]
    for one in group:
        for other in group:
            world.command(one, "link", other.pid)
    world.command(group[0], "raise", failure="why")
    ends = [e.pid for e in world.effects if isinstance(e, ProcessExited)]
    assert sorted(ends) == [process.pid for process in group]
    assert world.statistics().processes == 0


def test_a_request_that_ends_its_own_port_is_answered_once(world, port):
    child = spawned(world, port, link=True)
    answer = world.request(port.pid, "terminate", None, child.pid)
    assert answer.value is True
    world.settle()
    assert not world.answers


def test_a_receive_that_is_given_up_as_it_is_answered_loses_nothing(world, port):
    numbers = encode([world.number(port, "inbox")])
    assert world.kernel.request(port.pid, 900, "receive", numbers, False) is None
    world.send(port, port.pid, "topic", 1)
    world.send(port, port.pid, "topic", 2)
    world.kernel.abandon(900)
    world.settle()
    assert [message.payload for message in world.drain(port, "inbox")] == [1, 2]
    assert not [e for e in world.effects if isinstance(e, Reply) and e.ticket == 900]


def test_what_a_given_up_receive_was_about_to_take_goes_to_the_next_one_who_waits(world, port):
    numbers = encode([world.number(port, "inbox")])
    for ticket in (900, 901):
        assert world.kernel.request(port.pid, ticket, "receive", numbers, False) is None
    world.send(port, port.pid, "topic", 1)
    world.kernel.abandon(900)
    world.settle()
    assert {ticket: answer.value for ticket, answer in world.answers.items()} == {901: 1}


def test_a_full_host_has_room_again_after_an_end(world, port):
    children = [world.spawn(port, "puppet", "tight", link=False, monitor=False) for _ in range(5)]
    assert children.pop() == Refusal("RateLimited")
    world.command(Process(children[0], "tight"), "return")
    assert isinstance(world.spawn(port, "puppet", "tight", link=False, monitor=False), str)


def test_to_give_up_a_linked_child_does_not_end_the_one_who_gives_up(world, port):
    arguments = encode_list([world.controller])
    linked, awaited = True, True
    assert (
        world.kernel.request(
            port.pid, 900, "spawn", arguments, "puppet", "roomy", linked, False, awaited
        )
        is None
    )
    world.settle()
    assert len(world.started) == 1
    world.kernel.abandon(900)
    world.settle()
    assert [process.pid for process in world.processes()] == [port.pid]


def test_a_given_up_request_is_not_answered_even_if_its_child_takes_the_port_along(world, port):
    other = Process(world.kernel.open_port(), "python")
    awaited = True
    arguments = encode_list([world.controller])
    spawn = ("spawn", arguments, "puppet", "roomy", False, False, awaited)
    assert world.kernel.request(port.pid, 900, *spawn) is None
    world.settle()
    world.ask(other, "link", world.started[0])
    world.ask(other, "link", port.pid)
    world.kernel.abandon(900)
    world.settle()
    assert not world.processes()
    assert not world.answers


# Nothing is left over


def one_life(world: World, survivor: Process, cycle: int) -> None:
    """Everything a process can leave behind, and every way to end; one process outlives it all."""
    port = Process(world.kernel.open_port(), "python")
    first = spawned(world, port, link=True, monitor=True)
    second = spawned(world, port, monitor=True)
    third = Process(world.command(first, "spawn", "spawn", "roomy"), "roomy")
    world.ask(survivor, "monitor", first.pid)
    world.ask(survivor, "unmonitor", first.pid)
    for name, process in (("red", first), ("green", second), ("blue", third)):
        world.command(process, "register", name, process.pid)
        world.command(process, "listen", f"topic {cycle}", True)
        for _ in range(20):
            world.send(process, second.pid, f"topic {cycle}", cycle)
            world.send(process, third.pid, "inbox", {"cycle": cycle})
            world.send(process, port.pid, "inbox", cycle)
        world.command(process, "wait", next(world.tickets), ["events", "inbox"])
        world.command(process, "sleep", next(world.tickets), 10**12)
        world.command(process, "exec", next(world.tickets), "roomy")
    world.command(second, "unlisten", f"topic {cycle}")
    world.command(second, "link", third.pid)
    world.command(second, "monitor", third.pid)
    world.command(second, "monitor", survivor.pid)
    world.command(second, "link", survivor.pid)
    world.kernel.request(port.pid, next(world.tickets), "await", None, second.pid)
    world.command(second, "return", result=cycle)
    world.command(third, "raise", failure=f"failure {cycle}")
    world.command(first, "terminate", first.pid)
    for pid in world.started:
        world.ask(survivor, "link", pid)
        world.ask(survivor, "monitor", pid)
        world.request(world.controller, "terminate", None, pid)
    world.kernel.close_port(port.pid)
    world.settle()
    assert [process.pid for process in world.processes()] == [survivor.pid]
    assert len(world.drain(survivor, "events")) == 6
    for seen in (world.effects, world.log, world.started, world.woken, world.answers):
        seen.clear()
    world.numbers.clear()


def returns_to_its_baseline(world: World, cycles: int) -> None:
    """The last two thirds of the lives take no more memory than the first one."""
    survivor = Process(world.kernel.open_port(), "python")
    world.ask(survivor, "trap_links", True)
    used = []
    for cycle in range(cycles):
        one_life(world, survivor, cycle)
        if cycle in (cycles // 3 - 1, cycles - 1):
            world.collect_garbage()
            world.collect_garbage()
            used.append(world.statistics())
    before, after = used
    assert (after.processes, after.names, after.timers) == (1, 0, 0)
    # A process takes over 1000 bytes; a table that grew once may take some thousand.
    assert after.lua_bytes - before.lua_bytes < cycles * 2 // 3 * 200


def test_the_memory_of_the_lua_state_returns_to_its_baseline(world):
    """Cycles of spawn, talk, watch and end leave nothing: no memory, names or timers (67)."""
    returns_to_its_baseline(world, cycles=60)
