"""The planner of dynamic supervisors: calls by pid, limits, concurrent stop."""

from __future__ import annotations

import random
import sys

import pytest

from specs import Backoff, ChildSpec, DynamicSupervisorSpec, Restart, lua, task
from supervise._plan_dynamic import DynamicPlanner
from supervise._plan_io import Done, Exit, Exits, Refusal, Refused
from supervise._reasons import RestartLimitReached
from tests.plan_shell import CRASH, KILLED, NORMAL, SHUTDOWN, Shell

CHILD = ChildSpec("x", lua("a:b", 1))


def pool(count=0, child=CHILD, **fields):
    spec = DynamicSupervisorSpec("pool", **fields)
    shell = Shell(DynamicPlanner(spec, random.Random(1)))
    shell.start()
    for _ in range(count):
        shell.start_child(child)
        shell.up()
    shell.take_trace()
    return shell


def last_answer(shell):
    return shell.answers.get(shell.asked[-1])


def test_it_has_started_at_once_and_numbers_its_children():
    shell = pool()
    assert last_answer(shell) == Done()
    for number in (1, 2):
        shell.start_child(CHILD)
        shell.up(info="hello")
        assert last_answer(shell) == Done(f"pid{number}", "hello")
        assert shell.planner.number_of(f"pid{number}") == number
    assert shell.states() == {1: "running", 2: "running"}


def test_starts_run_side_by_side():
    """Unlike DynamicSupervisor, which is blocked by a start."""
    shell = pool()
    for _ in range(3):
        shell.start_child(CHILD)
    assert shell.take_trace() == ["start 1", "start 2", "start 3"]
    shell.up(2)
    assert shell.answers["call 2"] == Done("pid1")


@pytest.mark.parametrize(
    ("restart", "reason", "restarted"),
    [
        (Restart.PERMANENT, NORMAL, True),
        (Restart.PERMANENT, CRASH, True),
        (Restart.TRANSIENT, NORMAL, False),
        (Restart.TRANSIENT, SHUTDOWN, False),
        (Restart.TRANSIENT, CRASH, True),
        (Restart.TRANSIENT, KILLED, True),
        (Restart.TEMPORARY, CRASH, False),
    ],
)
def test_a_child_is_restarted_or_leaves_no_record(restart, reason, restarted):
    """Invariants 7, 8, 9."""
    shell = pool(2, ChildSpec("x", lua("a:a"), restart=restart))
    shell.exit(1, reason=reason)
    assert shell.take_trace() == (["start 1"] if restarted else [])
    assert list(shell.states()) == ([1, 2] if restarted else [2])


def test_a_restarted_child_keeps_its_number_and_its_arguments_and_is_called_by_its_new_pid():
    shell = pool(1, extra_arguments=["first"])
    assert shell.planner.child(1).spec.start.args == ("first", 1)
    shell.exit(1)
    assert shell.planner.number_of("pid1") == 1
    shell.up(1)
    assert shell.planner.number_of("pid1") is None
    assert shell.planner.number_of("pid2") == 1
    assert shell.planner.child(1).spec.start.args == ("first", 1)


def test_extra_arguments_come_first():
    shell = pool(extra_arguments=["e"])
    shell.start_child(ChildSpec("t", task(print, "own")))
    assert shell.alive[(1, 1)].start == task(print, "e", "own")


def test_max_children_counts_those_that_are_starting_or_restarting():
    shell = pool(1, max_children=2)
    shell.exit(1)
    shell.start_child(CHILD)
    assert shell.start_child(CHILD) == Refused(Refusal.MAX_CHILDREN)
    shell.fail(2)
    assert shell.start_child(CHILD) is None


def test_a_failed_or_ignored_start_leaves_no_record():
    """Invariants 12 and 62."""
    shell = pool()
    shell.start_child(CHILD)
    shell.fail()
    assert last_answer(shell) == Refused(Refusal.START_FAILED, reason=CRASH)
    shell.start_child(CHILD)
    shell.ignore()
    assert last_answer(shell) == Done()
    assert shell.table == {}


def test_a_restart_that_is_ignored_forgets_the_child():
    shell = pool(1)
    shell.exit(1)
    shell.ignore(1)
    assert shell.table == {}
    assert shell.terminate("pid1") == Refused(Refusal.NOT_FOUND)


def test_terminate_by_pid_works_once():
    """Invariant 61."""
    shell = pool(1)
    assert shell.terminate("pid1") is None
    assert shell.terminate("pid1") is None
    shell.down(1)
    assert [shell.answers[ticket] for ticket in shell.asked[-2:]] == [Done(), Done()]
    assert shell.terminate("pid1") == Refused(Refusal.NOT_FOUND)
    assert shell.terminate("x") == Refused(Refusal.NOT_FOUND)


def test_terminate_by_the_last_pid_cancels_a_restart():
    """Invariant 73, section 10."""
    shell = pool(1, ChildSpec("x", lua("a:a"), backoff=Backoff()))
    shell.exit(1)
    assert shell.terminate("pid1") == Done()
    assert (shell.timers, shell.table) == ({}, {})
    shell = pool(1)
    shell.exit(1)
    shell.terminate("pid1")
    assert shell.take_trace() == ["start 1", "stop 1"]
    shell.down(1)
    assert last_answer(shell) == Done()
    assert shell.table == {}


@pytest.mark.parametrize("call", ["restart", "delete"])
def test_calls_by_id_are_not_supported(call):
    assert getattr(pool(1), call)("x") == Refused(Refusal.NOT_SUPPORTED)


def test_the_limit_is_shared_by_all_children():
    """Invariants 24 and 28."""
    shell = pool(3, max_restarts=1)
    shell.exit(1)
    shell.exit(2)
    assert shell.take_trace() == ["start 1", "stop 1", "stop 3"]
    shell.settle()
    assert isinstance(shell.finished.error, RestartLimitReached)
    assert (shell.finished.error.child, shell.finished.error.reason) == (2, CRASH)


def test_a_failed_restart_is_charged_and_tried_again():
    """Invariant 25."""
    shell = pool(1, max_restarts=3)
    shell.exit(1)
    for _ in range(3):
        shell.fail(1)
    assert shell.take_trace() == ["start 1"] * 3 + ["exit error"]


def test_stop_asks_all_children_at_once_and_waits_for_the_last():
    """Invariants 2, 32 and 36."""
    shell = pool(3)
    shell.start_child(CHILD)
    shell.stop()
    assert shell.take_trace() == ["start 4", "stop 1", "stop 2", "stop 3", "stop 4"]
    shell.exit(2, reason=NORMAL)
    for number in (3, 1):
        shell.down(number)
    assert shell.finished is None
    shell.fail(4)
    assert last_answer(shell) == Refused(Refusal.SHUTTING_DOWN, reason=CRASH)
    assert shell.finished == SHUTDOWN


def test_arguments_of_a_temporary_child_are_let_go():
    """Invariant 68."""
    shell = pool(1, ChildSpec("x", lua("a:a", "secret"), restart=Restart.TEMPORARY))
    assert shell.planner.child(1).spec.start.args == ()


def test_inputs_take_the_same_steps_however_many_children_there_are():
    """Invariant 69."""

    def steps(count):
        shell = pool(count)
        name, incarnation = shell.running[0]
        lines = 0

        def tracer(_frame, event, _arg):
            nonlocal lines
            lines += event == "line"
            return tracer

        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            shell.planner.handle(Exits((Exit(name, incarnation, CRASH),)), shell.now)
        finally:
            sys.settrace(before)
        return lines

    assert steps(300) == steps(3)
