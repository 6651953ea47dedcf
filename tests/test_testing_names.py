"""Names, topics and who is not there: what the kernel takes and how it refuses."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from lua_api import Answer, Fault, Kernel, encode

TEXTS = st.text(st.sampled_from("@{}|ab0x"), max_size=6)


class Ports:
    """A kernel and two processes whose code is Python."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.tickets = itertools.count(1)
        self.one, self.two = self.kernel.open_port("one"), self.kernel.open_port("two")

    def ask(self, pid: str, name: str, payload: Any = None, *arguments: Any) -> Answer:
        answer = self.kernel.request(pid, next(self.tickets), name, payload, *arguments)
        assert answer is not None
        return answer

    def send(self, topic: str, value: int) -> None:
        assert self.ask(self.two, "send", encode(value), self.one, topic, False).second is None

    def received(self, number: Any) -> list[Any]:
        """All that waits there: topic and value."""
        ask = lambda: self.ask(self.one, "receive", encode([number]), True)  # noqa: E731
        answers = itertools.takewhile(lambda answer: answer.index == 1, iter(ask, None))
        return [(answer.second, answer.value) for answer in answers]


@given(TEXTS)
@example("")
@example("@a")
@example("a@")
@example("{a|0x1}")
@example("{a|")
def test_what_can_be_a_name(name):
    """Any text that is not empty, no pid, and does not start with "@"."""
    ports = Ports()
    answer = ports.ask(ports.one, "register", None, name, ports.two)
    pid_like = name.startswith("{") and name.endswith("}") and "|" in name
    if name and not pid_like and not name.startswith("@"):
        assert (answer.value, answer.second) == (True, None)
        assert ports.ask(ports.one, "lookup", None, name).value == ports.two
    else:
        assert isinstance(answer.second, Fault)
        assert answer.second.kind == "Invalid"
        assert f'"{name}"' in answer.second.message


@given(TEXTS.filter(bool))
@example("a")
@example("{a|0x1}")
def test_who_is_not_there_is_named(dest):
    """A pid that is gone is a process, anything else a name."""
    ports = Ports()
    pid_like = dest.startswith("{") and dest.endswith("}") and "|" in dest
    words = f"process not found: {dest}" if pid_like else f'name not found: "{dest}"'
    failure = ports.ask(ports.one, "send", encode(1), dest, "topic", False).second
    assert isinstance(failure, Fault)
    assert (failure.kind, failure.message) == ("NotFound", words)


@given(st.lists(st.sampled_from("ab"), max_size=8))
@example(["a", "b", "a"])
def test_a_listener_gets_what_waited_for_it(topics):
    """In order; the inbox keeps the others (58)."""
    ports = Ports()
    inbox = ports.ask(ports.one, "inbox").value
    for value, topic in enumerate(topics):
        ports.send(topic, value)
    listener = ports.ask(ports.one, "listen", None, "a").value
    sent = [(topic, value) for value, topic in enumerate(topics)]
    assert ports.received(listener) == [pair for pair in sent if pair[0] == "a"]
    assert ports.received(inbox) == [pair for pair in sent if pair[0] == "b"]


def test_only_a_listener_of_ones_own_is_ended():
    ports = Ports()
    inbox = ports.ask(ports.one, "inbox").value
    for number in (inbox, inbox + 1):
        answer = ports.ask(ports.one, "unlisten", None, number)
        assert answer.value is False
        assert isinstance(answer.second, Fault)
        assert answer.second.kind == "Invalid"
