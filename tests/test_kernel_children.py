"""Supervised processes as the kernel runs them: what is over when the call returns, and what takes a step."""

from __future__ import annotations

import msgspec
import pytest

from lua_api import ChildDown, ChildUp, Fault, HowEnded, Kernel

PROGRAMS = {
    "waits": "return { main = function() process.inbox():receive() end }",
    "says so": "return { main = function() process.started(1) process.inbox():receive() end }",
    "is faulty": "error('at once', 0)",
    "ends when asked": "return { main = function() process.events():receive() end }",
    "fails when asked": """
        return { main = function() process.events():receive() error('lost', 0) end }
    """,
    "fails": "return { main = function() error('lost', 0) end }",
    "fails in bytes": "return { main = function() error('\\255', 0) end }",
    "may be retried": """
        return { main = function() error(errors.new{ message = "m", retryable = true }) end }
    """,
    "fails with details": """
        return { main = function() error(errors.new{ message = "m", details = { n = 1 } }) end }
    """,
    "fails in a context": """
        return { main = function() error(errors.wrap(errors.new("m"), "c")) end }
    """,
    "ends late": """
        return { main = function() process.events():receive() time.sleep('1s') end }
    """,
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
    assert kernel.stop_child(1, "shutdown") == ChildDown(1, None, HowEnded.SHUT_DOWN)
    assert effects(kernel) == []


def test_a_process_that_has_not_waited_yet_is_stopped_where_it_waits(kernel):
    start(kernel, "waits")
    assert kernel.stop_child(1, "shutdown") == ChildDown(1, None, HowEnded.SHUT_DOWN)
    assert effects(kernel) == []


def test_a_process_that_ends_as_soon_as_it_is_asked_has_ended_when_the_call_returns(kernel):
    start(kernel, "ends when asked")
    effects(kernel)
    assert kernel.stop_child(1, "shutdown") == ChildDown(1, None, HowEnded.BY_ITSELF)
    assert effects(kernel) == []


def test_a_process_that_fails_as_soon_as_it_is_asked_says_why(kernel):
    start(kernel, "fails when asked")
    effects(kernel)
    end = kernel.stop_child(1, "shutdown")
    assert end.error.message == "lost"
    assert end.how is HowEnded.BY_ITSELF
    assert effects(kernel) == []


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ("fails", Fault("lost")),
        ("fails in bytes", Fault("\udcff")),
        ("may be retried", Fault("m", retryable=True)),
        ("fails with details", Fault("m", details={"n": 1})),
        ("fails in a context", Fault("m", context=("c",))),
    ],
)
def test_all_that_is_known_of_a_failure_is_told(kernel, entry, fault):
    start(kernel, entry)
    (down,) = effects(kernel)
    assert isinstance(down, ChildDown)
    assert down.how is HowEnded.BY_ITSELF
    assert down.error is not None
    assert msgspec.structs.replace(down.error, stack=None) == fault
    assert f"in function <{entry}.lua:" in down.error.stack


def test_a_process_that_takes_its_time_to_end_is_told_of_later(kernel):
    start(kernel, "ends late")
    effects(kernel)
    assert kernel.stop_child(1, "shutdown") is None
    assert kernel.step(0.5, 1000).effects == []
    assert kernel.step(1.0, 1000).effects == [ChildDown(1, None, HowEnded.BY_ITSELF)]


@pytest.mark.parametrize(
    ("entry", "how"), [("ends when asked", HowEnded.BY_ITSELF), ("waits", HowEnded.SHUT_DOWN)]
)
def test_a_process_that_is_stopped_lets_those_go_first_who_were_ready_before(kernel, entry, how):
    owner = kernel.open_supervisor("top")
    for ticket in (1, 2):
        kernel.start_child(ticket, owner, entry, "h", args=None, name=None, ready=False)
    kernel.start_child(3, owner, "says so", "h", args=None, name=None, ready=True)
    assert kernel.stop_child(2, "shutdown") is None
    down, up = effects(kernel)
    assert (down.ticket, down.how, up.ticket) == (2, how, 3)
