"""Supervised processes as the kernel runs them: what is over when the call returns, and what takes a step."""

from __future__ import annotations

import pytest

from lua_api import ChildDown, ChildUp, Fault, HowEnded, Kernel

PROGRAMS = {
    "waits": "return { main = function() process.inbox():receive() end }",
    "says so": "return { main = function() process.started(1) process.inbox():receive() end }",
    "is faulty": "error('at once', 0)",
}


@pytest.fixture
def kernel():
    kernel = Kernel()
    kernel.add_host("h", max_processes=10, max_mailbox=10)
    for name, text in PROGRAMS.items():
        assert kernel.provide_source("entry", name, f"{name}.lua", text.encode()) is None
    return kernel


def start(kernel, entry, ticket=1, *, ready=False):
    owner = kernel.open_supervisor("top")
    return kernel.start_child(ticket, owner, entry, "h", args=None, name=None, ready=ready)


def effects(kernel):
    return kernel.step(0.0, 1000).effects


def test_a_start_is_over_when_the_call_returns(kernel):
    """No step of the kernel lies between two starts of a supervisor."""
    assert start(kernel, "waits").startswith("{h|")
    assert effects(kernel) == []


def test_a_start_that_fails_is_over_too(kernel):
    fault = start(kernel, "is faulty")
    assert isinstance(fault, Fault)
    assert fault.message == "at once"
    assert effects(kernel) == []


def test_a_start_that_waits_for_the_word_of_its_process_takes_a_step(kernel):
    assert start(kernel, "says so", ready=True) is None
    (up,) = effects(kernel)
    assert isinstance(up, ChildUp)
    assert (up.ticket, up.value) == (1, 1)


def test_a_process_that_reads_no_events_is_stopped_when_the_call_returns(kernel):
    start(kernel, "waits")
    effects(kernel)
    assert kernel.stop_child(1, "shutdown") is True
    assert effects(kernel) == []


def test_a_process_that_has_not_waited_yet_is_stopped_where_it_waits(kernel):
    start(kernel, "waits")
    assert kernel.stop_child(1, "shutdown") is False
    (down,) = effects(kernel)
    assert isinstance(down, ChildDown)
    assert (down.ticket, down.how) == (1, HowEnded.SHUT_DOWN)
