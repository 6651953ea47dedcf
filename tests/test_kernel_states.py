"""What two kernels tell each other, post by post: what is asked, answered, refused, and lost."""

from __future__ import annotations

import itertools

import pytest

from lua_api import Kernel, Reply, encode, encode_list

HOST = "h"
WAITS = b"return function() process.inbox():receive() channel.new():receive() end"
MAX_MAILBOX = 3
MAX_PROCESSES = 2


class Pair:
    """The hub and one other state. Posts between them wait until they are let through."""

    def __init__(self):
        self.hub, self.other = Kernel(), Kernel(number=1)
        self.hub.add_remote_host(HOST, max_processes=MAX_PROCESSES, private=False)
        self.hub.open_state(HOST, 1)
        self.other.add_host(HOST, max_processes=100, max_mailbox=MAX_MAILBOX)
        self.replies = {}
        self.tickets = itertools.count(1)
        self.port = self.hub.open_port()
        self.load("waits", WAITS)

    def load(self, name, source):
        assert self.other.provide_source("entry", name, name, source) is None

    def ask(self, name, payload=None, *args):
        """A request of the Python process; what came of it, if that is known at once."""
        self.ticket = next(self.tickets)
        return self.hub.request(self.port, self.ticket, name, payload, *args)

    def step(self, kernel):
        """A step of one kernel; returns its posts."""
        step = kernel.step(0.0, 1000)
        for effect in step.effects:
            if isinstance(effect, Reply):
                self.replies[effect.ticket] = effect.answer
        return step.posts

    def settle(self):
        """Let everything through until nobody has anything to say; returns how many bytes that were."""
        size = 0
        while True:
            before = size
            for kernel in (self.hub, self.other):
                for to, posted in self.step(kernel):
                    size += len(posted)
                    (self.hub if to == 0 else self.other).receive(posted)
            if size == before:
                return size

    def spawn(self, name="waits"):
        """The pid of a process in the other state."""
        assert self.ask("spawn", encode_list(()), name, HOST, False, False, False) is None
        self.settle()
        return self.replies[self.ticket].value


@pytest.fixture
def pair():
    return Pair()


REQUESTS = {
    "messages": ("send", encode("x"), ("t", False)),
    "requests to end": ("cancel", None, ("why",)),
}


@pytest.mark.parametrize(("name", "payload", "args"), REQUESTS.values(), ids=REQUESTS)
def test_python_learns_with_the_next_one_that_there_is_no_room_and_asks_once(
    pair, name, payload, args
):
    pid = pair.spawn()
    if name == "send":
        # The first one is received.
        pair.ask(name, payload, pid, *args)
        pair.settle()
    for _ in range(MAX_MAILBOX):
        assert pair.ask(name, payload, pid, *args).second is None
    pair.settle()
    questions = []
    for count in (1, 3):
        refused = [pair.ask(name, payload, pid, *args).second for _ in range(count)]
        assert [fault.kind for fault in refused] == ["RateLimited"] * count
        questions.append(pair.settle())
    # There is one for all three.
    assert questions[0] == questions[1] > 0


# The chunk of each waits for a module that nobody provides.
LOADS = b"require('never')"


def test_a_host_is_full_when_it_runs_its_max_processes_even_while_they_load(pair):
    pair.load("loads", LOADS)
    for _ in range(MAX_PROCESSES):
        assert pair.ask("spawn", encode_list(()), "loads", HOST, False, False, False) is None
        pair.settle()
        assert pair.ticket not in pair.replies
    pair.ask("spawn", encode_list(()), "loads", HOST, False, False, False)
    pair.settle()
    assert pair.replies[pair.ticket].second.kind == "RateLimited"


def test_so_it_is_when_they_are_supervised(pair):
    pair.load("loads", LOADS)
    owner = pair.hub.open_supervisor("top")
    outcomes = []
    for ticket in range(1, MAX_PROCESSES + 2):
        child = pair.hub.start_child(
            ticket, owner, "loads", HOST, args=None, name=None, ready=False
        )
        outcomes.append(child and child.kind)
        pair.settle()
    assert outcomes == [None] * MAX_PROCESSES + ["RateLimited"]


def test_python_sends_on_when_there_is_room_again(pair):
    pair.load("reads", b"return function() while true do process.listen('go'):receive() "
              b"for i = 1, 4 do process.inbox():receive() end end end")  # fmt: skip
    pid = pair.spawn("reads")
    while pair.ask("send", encode(1), pid, "t", False).second is None:
        pair.settle()
    pair.settle()
    other = pair.other.open_port()
    # The mailbox is full for others, too: the listener of the process takes this one at once.
    assert pair.other.request(other, 1, "send", encode(1), pid, "go", False).second is None
    pair.settle()
    assert pair.ask("send", encode(1), pid, "t", False).second.kind == "RateLimited"
    pair.settle()
    assert pair.ask("send", encode(1), pid, "t", False).second is None


def test_what_goes_to_a_state_that_is_no_more_is_refused_by_the_hub(pair):
    pid = pair.spawn()
    assert pair.ask("send", encode(1), pid, "t", False).second is None
    posts = pair.step(pair.hub)
    pair.hub.lose_state(1, "state 1 is lost")
    for _, posted in posts:
        pair.hub.refuse(posted)
    for _, posted in pair.step(pair.hub):
        pair.hub.receive(posted)
    assert pair.ask("send", encode(1), pid, "t", False).second.kind == "NotFound"


def test_a_spawn_into_a_state_that_is_lost_meanwhile_is_answered(pair):
    assert pair.ask("spawn", encode_list(()), "waits", HOST, False, False, False) is None
    pair.hub.lose_state(1, "state 1 is lost")
    pair.step(pair.hub)
    fault = pair.replies[pair.ticket].second
    assert (fault.kind, fault.message) == ("Unavailable", "state 1 is lost")


def test_a_watcher_hears_once_of_a_process_whose_state_is_lost(pair):
    pid = pair.spawn()
    assert pair.ask("await", None, pid) is None
    pair.settle()
    pair.hub.lose_state(1, "state 1 is lost")
    pair.step(pair.hub)
    assert pair.replies[pair.ticket].value["error"].message == "state 1 is lost"
    assert pair.hub.processes()[0].pid == pair.port
    assert len(pair.hub.processes()) == 1


def test_a_process_that_ended_before_the_watcher_asked_is_not_registered(pair):
    pair.load("ends", b"return function() end")
    pid = pair.spawn("ends")
    assert pair.ask("monitor", None, pid).second.kind == "NotFound"
    assert pair.ask("cancel", None, pid, "").second.message == f"process not found: {pid}"
