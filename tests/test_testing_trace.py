"""Traces and fault plans as values: what they print, their bytes, and what is refused."""

import pytest

import supervise.testing
from supervise import ChildExited, ChildState, ExitKind, ExitReason
from supervise.testing import (
    Fault,
    FaultPlan,
    Finished,
    JumpClock,
    KillAtStep,
    RaiseInCall,
    Sent,
    StallChild,
    Trace,
    TraceError,
)

TRACE = Trace(
    7,
    "FaultPlan()",
    [
        Sent(0.0, "{a|0x00001}", None, "job", {"n": [1, 2.5, None]}),
        ChildExited(
            3, 1.5, "root", 2, "echo", 1, ExitReason(ExitKind.KILLED, "x"), 1.5, ChildState.WAITING
        ),
        Finished(2.0),
    ],
)


def test_a_trace_comes_back_from_its_bytes():
    assert Trace.from_bytes(TRACE.to_bytes()) == TRACE


def test_a_trace_prints_as_a_timeline():
    assert str(TRACE).splitlines() == [
        "seed=7, faults=FaultPlan()",
        "    0.000  nobody -> {a|0x00001} job {'n': [1, 2.5, None]}",
        "    1.500  root/echo down (killed: x), then waiting",
        "    2.000  finished",
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (TRACE.to_bytes().replace(b'"trace":1', b'"trace":99'), "version 99, and this library"),
        (b"hello", "this is no trace: it begins with b'hello'"),
        (b"[1]", "this is no trace"),
        (TRACE.to_bytes().replace(b'"Sent"', b'"Nothing"'), "the trace is damaged"),
        (TRACE.to_bytes()[:-5], "the trace is damaged"),
    ],
)
def test_bytes_that_are_no_trace_of_this_version_are_refused(data, message):
    with pytest.raises(TraceError, match=message):
        Trace.from_bytes(data)


def test_a_plan_prints_as_the_code_that_makes_it():
    plan = FaultPlan(
        [
            KillAtStep("root/pool/echo", 3, incarnation=2),
            KillAtStep("echo"),
            RaiseInCall("echo", "time.sleep", 2, message="no"),
            JumpClock(1.0, 2),
            StallChild("root/feed", seconds=2.5),
        ]
    )

    assert repr(plan) == (
        "FaultPlan([KillAtStep('root/pool/echo', 3, incarnation=2), KillAtStep('echo'), "
        "RaiseInCall('echo', 'time.sleep', 2, message='no'), JumpClock(1.0, 2), "
        "StallChild('root/feed', seconds=2.5)])"
    )
    assert eval(repr(plan), vars(supervise.testing)) == plan  # noqa: S307 - this is its promise


@pytest.mark.parametrize(
    "make",
    [
        lambda: KillAtStep("", 1),
        lambda: KillAtStep("echo", 0),
        lambda: KillAtStep("echo", 1, incarnation=0),
        lambda: JumpClock(-1, 1),
        lambda: FaultPlan(["kill"]),
    ],
)
def test_a_faulty_fault_is_refused(make):
    with pytest.raises((ValueError, TypeError)):
        make()


def test_every_fault_is_public():
    for kind in Fault.__args__:
        assert getattr(supervise.testing, kind.__name__) is kind
