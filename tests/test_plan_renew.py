"""The planner when a running child is to be stopped and started again without having failed."""

from __future__ import annotations

import random

import pytest

from specs import Backoff, ChildSpec, DynamicSupervisorSpec, Restart, Strategy, SupervisorSpec, lua
from supervise._plan import Planner
from supervise._plan_dynamic import DynamicPlanner
from supervise._plan_io import Done, Refusal, Refused, RenewChildCall
from tests.plan_shell import Shell

NOT_STARTED = Refused(Refusal.START_FAILED)


def tree(strategy=Strategy.ONE_FOR_ONE, restart=Restart.PERMANENT, **fields):
    """Three children, all up, of a supervisor that allows no restart."""
    children = [ChildSpec(name, lua("a:b"), restart=restart, **fields) for name in "abc"]
    spec = SupervisorSpec("s", children=children, strategy=strategy, max_restarts=0)
    shell = Shell(Planner(spec, random.Random(1)))
    shell.start()
    shell.settle()
    shell.take_trace()
    return shell


def pool(restart=Restart.PERMANENT, **fields):
    """The same, of a dynamic supervisor; its children are 1, 2 and 3."""
    spec = DynamicSupervisorSpec("pool", max_restarts=0, extra_arguments=[1])
    shell = Shell(DynamicPlanner(spec, random.Random(1)))
    shell.start()
    for _ in range(3):
        shell.start_child(ChildSpec("x", lua("a:b", 2), restart=restart, **fields))
        shell.up()
    shell.take_trace()
    return shell


def answer(shell):
    return shell.answers.get(shell.asked[-1])


EVERY = pytest.mark.parametrize(
    ("make", "second"),
    [
        *[
            (lambda strategy=strategy, **fields: tree(strategy, **fields), "b")
            for strategy in Strategy
        ],
        (pool, 2),
    ],
    ids=[*[strategy.value for strategy in Strategy], "dynamic"],
)


@EVERY
@pytest.mark.parametrize("restart", [Restart.PERMANENT, Restart.TRANSIENT])
def test_it_alone_is_stopped_and_started_and_no_limit_and_no_backoff_apply(make, second, restart):
    shell = make(restart=restart, backoff=Backoff(initial=10))
    for life in range(5):
        assert shell.call(RenewChildCall, second) is None
        assert shell.take_trace() == [f"stop {second}"]
        shell.down()
        assert shell.take_trace() == [f"start {second}"]
        assert answer(shell) is None
        shell.up()
        assert answer(shell) == Done(f"pid{4 + life}")
    assert (shell.finished, shell.timers) == (None, {})
    assert set(shell.states().values()) == {"running"}
    assert shell.planner.child(second).restarts == 0


@EVERY
def test_a_start_that_fails_then_is_a_failure_like_any_other(make, second):
    shell = make()
    shell.call(RenewChildCall, second)
    shell.down()
    shell.fail()
    assert answer(shell) == NOT_STARTED
    shell.settle()
    assert shell.finished is not None


@EVERY
def test_a_temporary_child_is_never_started_again(make, second):
    shell = make(restart=Restart.TEMPORARY)
    assert shell.call(RenewChildCall, second) == Refused(Refusal.NOT_SUPPORTED)
    assert shell.take_trace() == []


@EVERY
def test_a_stop_of_the_supervisor_comes_first(make, second):
    shell = make()
    shell.call(RenewChildCall, second)
    shell.stop()
    shell.settle()
    assert answer(shell) == NOT_STARTED
    assert shell.finished is not None
    assert f"start {second}" not in shell.take_trace()


def test_a_stop_of_the_child_comes_first():
    shell = tree()
    shell.call(RenewChildCall, "b")
    renewal = shell.asked[-1]
    shell.terminate("b")
    shell.down()
    assert shell.answers[renewal] == NOT_STARTED
    assert (answer(shell), shell.state("b")) == (Done(), "stopped")

    shell = pool()
    shell.call(RenewChildCall, 2)
    renewal = shell.asked[-1]
    shell.terminate("pid2")
    shell.down()
    assert shell.answers[renewal] == NOT_STARTED
    assert (answer(shell), shell.state(2)) == (Done(), None)


def test_under_a_dynamic_supervisor_it_is_known_by_its_new_pid_with_the_same_arguments():
    shell = pool()
    shell.call(RenewChildCall, 2)
    shell.down()
    assert shell.planner.child(2).spec.start.args == (1, 2)
    shell.up()
    assert shell.planner.number_of("pid4") == 2
    assert shell.planner.number_of("pid2") is None


@pytest.mark.parametrize("strategy", [Strategy.REST_FOR_ONE, Strategy.ONE_FOR_ALL])
def test_a_group_that_restarts_meanwhile_takes_it_along(strategy):
    children = [ChildSpec(name, lua("a:b")) for name in "abc"]
    shell = Shell(
        Planner(SupervisorSpec("s", children=children, strategy=strategy), random.Random(1))
    )
    shell.start()
    shell.settle()
    shell.call(RenewChildCall, "b")
    shell.exit("a")
    shell.take_trace()
    shell.settle()
    assert shell.take_trace() == [
        "start a",
        "start b",
        "start c",
    ] or shell.states() == dict.fromkeys("abc", "running")
    assert isinstance(answer(shell), Done)


def test_during_a_group_restart_it_waits_for_its_end():
    children = [ChildSpec(name, lua("a:b")) for name in "abc"]
    spec = SupervisorSpec("s", children=children, strategy=Strategy.ONE_FOR_ALL)
    shell = Shell(Planner(spec, random.Random(1)))
    shell.start()
    shell.settle()
    shell.exit("a")
    shell.call(RenewChildCall, "c")
    shell.take_trace()
    shell.settle()
    assert shell.take_trace()[-2:] == ["stop c", "start c"]
    assert isinstance(answer(shell), Done)


def test_who_does_not_run_or_is_unknown_is_refused():
    shell = tree()
    assert shell.call(RenewChildCall, "x") == Refused(Refusal.NOT_FOUND)
    shell.terminate("b")
    shell.call(RenewChildCall, "b")
    shell.down()
    assert answer(shell) == Refused(Refusal.RESTARTING)
    shell.stop()
    assert shell.call(RenewChildCall, "a").why is Refusal.SHUTTING_DOWN
