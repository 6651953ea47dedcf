"""The planner against OTP's tables and traces, literally; differences are named where they are."""

from __future__ import annotations

import random
import sys

import pytest

from specs import (
    AutoShutdown,
    Backoff,
    ChildSpec,
    ExitKind,
    ExitReason,
    Restart,
    Strategy,
    SupervisorSpec,
    lua,
    task,
)
from supervise import _events as ev
from supervise._plan import Planner
from supervise._plan_io import Done, Exit, Exits, Refusal, Refused
from supervise._reasons import RestartLimitReached, SignificantChildExited
from tests.plan_shell import CRASH, KILLED, NORMAL, SHUTDOWN, Shell

ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE
PERMANENT, TRANSIENT, TEMPORARY = Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY


def child(name, restart=PERMANENT, **fields):
    return ChildSpec(name, lua("a:b"), restart=restart, **fields)


def started(*children, strategy=ONE, max_restarts=3, **fields):
    """A supervisor with all its children up."""
    listed = [child(c) if isinstance(c, str) else c for c in children]
    shell = starting(*listed, strategy=strategy, max_restarts=max_restarts, **fields)
    for _ in listed:
        shell.up()
    shell.take_trace()
    return shell


def starting(*children, **fields):
    listed = [child(c) if isinstance(c, str) else c for c in children]
    spec = SupervisorSpec("s", children=listed, **fields)
    shell = Shell(Planner(spec, random.Random(1)))
    shell.start()
    return shell


def drain(shell):
    while shell.stopping:
        shell.down()


# Section 4: restart type x exit reason.


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize(
    ("restart", "reason", "after"),
    [
        (PERMANENT, NORMAL, "restart"),
        (PERMANENT, SHUTDOWN, "restart"),
        (PERMANENT, CRASH, "restart"),
        (PERMANENT, KILLED, "restart"),
        (TRANSIENT, NORMAL, "stopped"),
        (TRANSIENT, SHUTDOWN, "stopped"),
        (TRANSIENT, CRASH, "restart"),
        (TRANSIENT, KILLED, "restart"),
        (TEMPORARY, NORMAL, None),
        (TEMPORARY, SHUTDOWN, None),
        (TEMPORARY, CRASH, None),
        (TEMPORARY, KILLED, None),
    ],
)
def test_restart_type_and_exit_kind_decide(strategy, restart, reason, after):
    """Invariants 7, 8, 9, 10 and 16."""
    shell = started("a", child("b", restart), "c", strategy=strategy)
    shell.exit("b", reason=reason)
    if after != "restart":
        assert shell.take_trace() == []
        assert shell.state("b") == after
        return
    trace = {ONE: ["start b"], ALL: ["stop c"], REST: ["stop c"]}[strategy]
    assert shell.take_trace() == trace
    shell.settle()
    assert shell.states() == dict.fromkeys("abc", "running")


# Section 3.2: who is stopped and started.


@pytest.mark.parametrize(
    ("strategy", "trace"),
    [
        (ONE, ["start b"]),
        (ALL, ["stop d", "stop c", "stop a", "start a", "start b", "start c", "start d"]),
        (REST, ["stop d", "stop c", "start b", "start c", "start d"]),
    ],
)
def test_a_strategy_stops_in_reverse_and_starts_in_order(strategy, trace):
    """Invariants 15, 16, 17, 18 and 22."""
    shell = started(*"abcd", strategy=strategy)
    before = {name: row.pid for name, row in shell.table.items()}
    shell.exit("b")
    shell.settle()
    assert shell.take_trace() == trace
    kept = {name for name, row in shell.table.items() if row.pid == before[name]}
    assert kept == {name for name in "abcd" if f"start {name}" not in trace}


def test_one_for_all_tries_again_from_the_first_child():
    """Invariant 20, executed trace."""
    shell = started(*"abc", strategy=ALL)
    shell.exit("c")
    drain(shell)
    for _ in range(2):
        shell.up("a")
        shell.fail("b")
        drain(shell)
    shell.settle()
    assert shell.take_trace() == (
        [
            "stop b",
            "stop a",
            "start a",
            "start b",
            "stop a",
            "start a",
            "start b",
            "stop a",
            "start a",
            "start b",
            "start c",
        ]
    )


def test_rest_for_one_tries_again_from_the_child_that_did_not_start():
    """Invariant 20, executed trace."""
    shell = started(*"zabc", strategy=REST)
    shell.exit("a")
    drain(shell)
    shell.up("a")
    shell.fail("b")
    shell.fail("b")
    shell.settle()
    trace = ["stop c", "stop b", "start a", "start b", "start b", "start b", "start c"]
    assert shell.take_trace() == trace


# Section 3.3: what is usually missed.


@pytest.mark.parametrize("strategy", [ALL, REST])
def test_a_temporary_bystander_is_stopped_and_forgotten(strategy):
    """Invariant 10."""
    shell = started("a", child("b", TEMPORARY), "c", strategy=strategy)
    shell.exit("a")
    shell.settle()
    assert shell.take_trace() == ["stop c", "stop b", "start a", "start c"]
    assert shell.states() == {"a": "running", "c": "running"}


def test_a_transient_bystander_comes_back():
    """Invariant 8."""
    shell = started("a", child("b", TRANSIENT), strategy=ALL)
    shell.exit("a")
    shell.settle()
    assert shell.states() == {"a": "running", "b": "running"}


def test_a_group_restart_revives_what_ended_by_itself_but_not_what_was_stopped_on_purpose():
    """Unlike OTP, which revives both."""
    shell = started("a", child("b", TRANSIENT), child("c", TRANSIENT), strategy=ALL)
    shell.exit("b", reason=NORMAL)
    shell.terminate("c")
    shell.down("c")
    shell.exit("a")
    shell.settle()
    assert shell.states() == {"a": "running", "b": "running", "c": "stopped"}
    assert shell.restart("c") is None
    shell.settle()
    shell.exit("a")
    shell.settle()
    assert shell.state("c") == "running"


@pytest.mark.parametrize("strategy", [ALL, REST])
@pytest.mark.parametrize("order", ["ac", "ca"])
def test_exits_seen_together_cost_one_restart_whatever_their_order(strategy, order):
    """Unlike OTP, where the later child first costs two."""
    shell = started(*"abc", strategy=strategy, max_restarts=1)
    shell.exit(*order)
    shell.settle()
    assert shell.take_trace() == ["stop b", "start a", "start b", "start c"]
    assert shell.finished is None


def test_an_exit_among_those_that_are_being_stopped_costs_nothing():
    """Invariants 25 and 38."""
    shell = started(*"abc", strategy=ALL, max_restarts=1)
    shell.exit("c")
    shell.exit("a")
    shell.settle()
    assert shell.take_trace() == ["stop b", "start a", "start b", "start c"]


def test_an_earlier_child_that_ends_meanwhile_widens_a_rest_for_one():
    shell = started(*"abc", strategy=REST)
    shell.exit("b")
    shell.exit("a")
    shell.settle()
    assert shell.take_trace() == ["stop c", "start a", "start b", "start c"]


def test_a_child_that_ends_while_its_group_is_started_begins_the_group_again():
    shell = started(*"abc", strategy=ALL)
    shell.exit("a")
    drain(shell)
    shell.up("a")
    shell.exit("a")
    assert shell.take_trace() == ["stop c", "stop b", "start a", "start b", "stop b"]
    shell.settle()
    assert shell.take_trace() == ["start a", "start b", "start c"]


def test_one_for_one_restarts_children_side_by_side():
    shell = started(*"abc")
    shell.exit("a")
    shell.exit("c")
    assert shell.take_trace() == ["start a", "start c"]


# Section 2: start, rollback, ignore.


def test_children_start_one_after_the_other_and_the_answer_comes_last():
    """Invariant 13."""
    shell = starting(*"ab")
    assert shell.take_trace() == ["start a"]
    shell.up()
    assert shell.take_trace() == ["start b"]
    assert shell.answers == {}
    shell.up()
    assert list(shell.answers.values()) == [Done()]


def test_a_failed_start_names_the_child_and_is_not_tried_again():
    """Invariant 19."""
    shell = starting(*"abcd")
    shell.up()
    shell.up()
    shell.fail("c")
    shell.settle()
    assert shell.take_trace()[3:] == ["stop b", "stop a", "exit error"]
    assert str(shell.finished.error) == "s/c failed to start (error: boom)"


@pytest.mark.parametrize(("restart", "after"), [(PERMANENT, "stopped"), (TEMPORARY, None)])
def test_an_ignored_start_counts_as_a_start(restart, after):
    """Invariant 12."""
    shell = starting(child("a", restart), "b")
    shell.ignore("a")
    shell.up("b")
    assert list(shell.answers.values()) == [Done()]
    assert shell.state("a") == after
    assert shell.start_child(child("x", restart)) is None
    shell.ignore("x")
    assert shell.answers["call 1"] == Done()
    again = shell.start_child(child("x", restart))
    assert again == (None if after is None else Refused(Refusal.ALREADY_PRESENT))


def test_restart_child_takes_back_the_wish_to_stop_even_if_the_start_is_ignored():
    shell = started("a", "b", strategy=ALL)
    shell.terminate("b")
    shell.down("b")
    shell.restart("b")
    shell.ignore("b")
    shell.exit("a")
    shell.settle()
    assert shell.states() == {"a": "running", "b": "running"}


def test_an_ignored_restart_is_a_success_without_a_process():
    shell = started("a", max_restarts=1)
    shell.exit("a")
    shell.ignore("a")
    assert shell.state("a") == "stopped"
    shell.restart("a")
    shell.ignore("a")
    assert shell.answers["call 1"] == Done()


# Section 5: the limit.


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_limit_allows_so_many_restarts_and_not_one_more(limit):
    """Invariants 24 and 28."""
    shell = started("a", "b", max_restarts=limit)
    for _ in range(limit):
        shell.exit("a")
        shell.up("a")
    shell.exit("a")
    shell.settle()
    assert shell.take_trace() == ["start a"] * limit + ["stop b", "exit error"]


def test_giving_up_names_the_child_its_error_and_the_times():
    shell = started("a", max_restarts=1)
    shell.exit("a")
    shell.up("a")
    shell.now += 0.5
    shell.exit("a", reason=KILLED)
    assert shell.finished == ExitReason(
        ExitKind.ERROR, RestartLimitReached("s", "a", KILLED, (100.0, 100.5), 1, 5.0)
    )
    assert str(shell.finished.error) == (
        "s gave up on a (killed): more than 1 restarts within 5 s, asked for 0.500, 0.000 s ago"
    )


def test_every_failed_attempt_costs_one():
    """Invariant 25: intensity 3 and a child that never comes back is exactly 3 attempts."""
    shell = started("a", max_restarts=3)
    shell.exit("a")
    for _ in range(3):
        shell.fail("a")
    assert shell.take_trace() == ["start a"] * 3 + ["exit error"]


def test_calls_and_free_exits_cost_nothing():
    """Invariant 25."""
    shell = started("a", child("b", TRANSIENT), child("c", TEMPORARY), max_restarts=0)
    for _ in range(5):
        shell.terminate("a")
        shell.down("a")
        shell.restart("a")
        shell.up("a")
    shell.exit("b", reason=NORMAL)
    shell.exit("c")
    shell.start_child(child("d"))
    shell.fail("d")
    assert shell.finished is None


def test_restarts_that_were_not_asked_for_are_counted_for_each_child():
    shell = started("a", "b", strategy=REST, max_restarts=9)
    shell.exit("a")
    shell.down("b")
    shell.fail("a")
    shell.settle()
    shell.terminate("b")
    shell.settle()
    shell.restart("b")
    shell.settle()
    assert {id_: shell.planner.child(id_).restarts for id_ in "ab"} == {"a": 2, "b": 1}


def test_a_group_costs_one_whatever_its_size():
    """Invariant 26."""
    shell = started(*"abcdefgh", strategy=ALL, max_restarts=1)
    shell.exit("a")
    shell.settle()
    assert shell.finished is None


def test_a_mass_exit_over_the_limit_starts_nothing():
    shell = started(*"abc", max_restarts=2)
    shell.exit(*"abc")
    assert shell.take_trace() == ["exit error"]


@pytest.mark.parametrize("limit", [0, 1, 2])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_nested_supervisors_start_a_crashing_leaf_a_power_of_times(limit, depth):
    """Invariants 27 and 29."""

    def life(level):
        """Leaf starts in one life of a supervisor with `level` supervisors below it."""
        if level == 0:
            return 1
        shell, leaves = starting("a", max_restarts=limit), 0
        while shell.finished is None:
            shell.up("a")
            leaves += life(level - 1)
            shell.exit("a")
        return leaves

    assert life(depth) == (limit + 1) ** depth


# Section 7: auto_shutdown.

ANY, EVERY = AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT


@pytest.mark.parametrize(
    ("mode", "restart", "reason", "alone", "ends"),
    [
        (mode, restart, reason, alone, ends)
        for restart, reason, ends_any in [
            (TRANSIENT, NORMAL, True),
            (TRANSIENT, SHUTDOWN, True),
            (TRANSIENT, CRASH, False),
            (TRANSIENT, KILLED, False),
            (TEMPORARY, NORMAL, True),
            (TEMPORARY, CRASH, True),
            (TEMPORARY, KILLED, True),
        ]
        for mode, alone, ends in [
            (ANY, True, ends_any),
            (ANY, False, ends_any),
            (EVERY, True, ends_any),
            (EVERY, False, False),
        ]
    ],
)
def test_the_end_of_a_significant_child(mode, restart, reason, alone, ends):
    """Invariants 39 and 40."""
    other = child("b", TRANSIENT, significant=not alone)
    shell = started(child("a", restart, significant=True), other, "c", auto_shutdown=mode)
    shell.exit("a", reason=reason)
    shell.settle()
    if not ends:
        assert shell.finished is None
        return
    assert shell.take_trace() == ["stop c", "stop b", "exit shutdown"]
    assert shell.finished.error == SignificantChildExited("s", "a", reason)


@pytest.mark.parametrize("mode", [ANY, EVERY])
def test_stops_by_call_or_as_bystander_and_ignored_restarts_never_shut_down(mode):
    """Invariant 41."""
    significant = child("b", TRANSIENT, significant=True)
    shell = started("a", significant, strategy=ALL, auto_shutdown=mode)
    shell.exit("a")
    shell.settle()
    shell.terminate("b")
    shell.settle()
    shell.restart("b")
    shell.up("b")
    shell.exit("b")
    shell.down("a")
    shell.up("a")
    shell.ignore("b")
    assert shell.finished is None


def test_a_significant_child_that_is_restarting_counts_as_active():
    """Invariant 40."""
    first = child("a", TRANSIENT, significant=True, backoff=Backoff())
    second = child("b", TRANSIENT, significant=True)
    shell = started(first, second, auto_shutdown=EVERY)
    shell.exit("a")
    shell.exit("b", reason=NORMAL)
    assert shell.finished is None
    shell.settle()
    shell.exit("a", reason=NORMAL)
    assert shell.finished.kind is ExitKind.SHUTDOWN


# Section 8: calls by state.


def in_state(state):
    """A supervisor whose child `x` is in this state, by the way calls name states."""
    shell = started("a", child("x", backoff=Backoff()))
    match state:
        case "absent":
            shell.terminate("x")
            shell.down("x")
            shell.delete("x")
        case "stopped":
            shell.terminate("x")
            shell.down("x")
        case "restarting":
            shell.exit("x")
    return shell


@pytest.mark.parametrize(
    ("call", "absent", "running", "stopped", "restarting"),
    [
        (
            "start_child", None, Refused(Refusal.ALREADY_STARTED, "pid2"),
            Refused(Refusal.ALREADY_PRESENT), Refused(Refusal.ALREADY_PRESENT),
        ),
        ("terminate", Refused(Refusal.NOT_FOUND), None, Done(), Done()),
        (
            "restart", Refused(Refusal.NOT_FOUND), Refused(Refusal.RUNNING, "pid2"),
            None, Refused(Refusal.RESTARTING),
        ),
        (
            "delete", Refused(Refusal.NOT_FOUND), Refused(Refusal.RUNNING, "pid2"),
            Done(), Refused(Refusal.RESTARTING),
        ),
    ],
)  # fmt: skip
def test_calls_by_state(call, absent, running, stopped, restarting):
    """Invariant 61; None where the answer comes with the end of a start or a stop."""
    results = {"absent": absent, "running": running, "stopped": stopped, "restarting": restarting}
    for state, result in results.items():
        shell = in_state(state)
        answer = getattr(shell, call)(child("x") if call == "start_child" else "x")
        assert answer == result, state
        if result is None and call == "terminate":
            shell.down("x")
            assert shell.answers[shell.asked[-1]] == Done()
            assert shell.state("x") == "stopped"
        elif result is None:
            shell.up("x", info="ready")
            assert shell.answers[shell.asked[-1]] == Done("pid3", "ready")


def test_terminating_a_restarting_child_cancels_its_retry():
    """Invariant 73, section 10."""
    shell = in_state("restarting")
    assert shell.terminate("x") == Done()
    assert (shell.timers, shell.state("x")) == ({}, "stopped")
    assert shell.terminate("x") == Done()
    shell.restart("x")
    shell.settle()
    assert shell.state("x") == "running"


def test_a_restart_loop_leaves_calls_answered_at_once():
    """Invariant 66: a start that hangs holds up nobody."""
    shell = started("a", child("b"), max_restarts=50)
    shell.exit("b")
    assert shell.restart("b") == Refused(Refusal.RESTARTING)
    assert shell.delete("b") == Refused(Refusal.RESTARTING)
    assert shell.start_child(child("b")) == Refused(Refusal.ALREADY_PRESENT)
    shell.start_child(child("c"))
    shell.up("c")
    shell.terminate("b")
    assert shell.take_trace() == ["start b", "start c", "stop b"]
    shell.down("b", reason=KILLED)
    assert shell.state("b") == "stopped"


def test_a_failed_start_child_leaves_nothing_and_a_failed_restart_child_leaves_it_stopped():
    """Invariant 62."""
    shell = in_state("stopped")
    shell.start_child(child("n"))
    shell.fail("n")
    shell.restart("x")
    shell.fail("x")
    answers = [shell.answers[ticket] for ticket in shell.asked[-2:]]
    assert answers == [Refused(Refusal.START_FAILED, reason=CRASH)] * 2
    assert shell.states() == {"a": "running", "x": "stopped"}


def test_a_terminated_temporary_child_is_gone_and_its_id_is_free():
    """Invariant 63."""
    shell = started("a", child("x", TEMPORARY))
    shell.terminate("x")
    shell.down("x")
    assert shell.restart("x") == Refused(Refusal.NOT_FOUND)
    shell.start_child(child("x", TEMPORARY))
    shell.up("x")
    assert list(shell.states()) == ["a", "x"]


def test_calls_about_a_child_that_is_being_stopped_wait_for_the_stop():
    """Invariant 61."""
    shell = started("a", "x")
    for _ in range(2):
        assert shell.terminate("x") is None
    assert shell.restart("x") is None
    assert shell.delete("x") is None
    shell.down("x")
    assert shell.take_trace() == ["stop x", "start x"]
    shell.up("x")
    answers = [shell.answers[ticket] for ticket in shell.asked[-4:]]
    assert answers == [Done(), Done(), Done("pid3"), Refused(Refusal.RUNNING, "pid3")]


def test_a_start_asked_for_during_a_group_restart_comes_after_it():
    """Invariants 13 and 15."""
    shell = started(*"abc", strategy=ALL)
    shell.terminate("c")
    shell.down("c")
    shell.exit("a")
    shell.start_child(child("n"))
    shell.restart("c")
    shell.settle()
    trace = ["stop c", "stop b", "start a", "start b", "start n", "start c"]
    assert shell.take_trace() == trace


def test_a_child_terminated_while_start_child_starts_it_is_not_kept():
    """Invariant 62."""
    shell = started("a")
    shell.start_child(child("n"))
    assert shell.start_child(child("n")) is None
    shell.terminate("n")
    shell.down("n")
    answers = [shell.answers.get(ticket) for ticket in shell.asked[-3:]]
    assert answers == [Refused(Refusal.START_FAILED, reason=SHUTDOWN), None, Done()]
    shell.up("n")
    assert shell.start_child(child("n")) == Refused(Refusal.ALREADY_STARTED, "pid2")


def test_a_call_about_a_child_that_a_call_starts_waits_for_that_start():
    """Invariant 61."""
    shell = started("a")
    shell.start_child(child("n"))
    assert shell.start_child(child("n")) is None
    assert shell.delete("n") is None
    shell.up("n")
    answers = [shell.answers[ticket] for ticket in shell.asked[-2:]]
    assert answers == [
        Refused(Refusal.ALREADY_STARTED, "pid2"),
        Refused(Refusal.RUNNING, "pid2"),
    ]


def test_after_terminate_of_the_one_that_will_not_start_its_siblings_come_back():
    """Unlike OTP, which leaves them dead without a mark."""
    shell = started("a", child("b", backoff=Backoff()), "c", strategy=REST)
    shell.exit("b")
    shell.down("c")
    assert shell.states() == {"a": "running", "b": "waiting", "c": "waiting"}
    shell.terminate("b")
    shell.up("c")
    assert shell.states() == {"a": "running", "b": "stopped", "c": "running"}
    assert shell.timers == {}


# Sections 6 and 10: stopping.


def test_stop_is_ordered_and_one_after_the_other():
    """Invariants 14, 34 and 36."""
    shell = started(*"abc")
    shell.stop(ExitReason(ExitKind.NORMAL, "enough"))
    shell.stop(KILLED)
    assert shell.take_trace() == ["stop c"]
    shell.exit("a")
    shell.settle()
    assert shell.take_trace() == ["stop b", "exit normal"]
    assert shell.finished == ExitReason(ExitKind.NORMAL, "enough")


def test_stop_cuts_short_starts_and_cancels_backoffs_and_answers_everyone():
    """Invariants 28, 35, 36 and 73."""
    shell = started("a", child("b", backoff=Backoff()))
    shell.exit("b")
    shell.start_child(child("n"))
    shell.restart("n")
    shell.stop()
    assert shell.timers == {}
    shell.settle()
    assert shell.take_trace() == ["start n", "stop n", "stop a", "exit shutdown"]
    assert all(shell.answers[ticket].why is Refusal.SHUTTING_DOWN for ticket in shell.asked[-2:])
    assert shell.start_child(child("late")).why is Refusal.SHUTTING_DOWN


def test_calls_that_were_put_off_are_refused_once_the_supervisor_stops():
    """Invariant 36."""
    shell = starting(*"ab")
    shell.start_child(child("n"))
    assert shell.answers == {}
    shell.stop(KILLED)
    assert shell.answers == {"call 1": Refused(Refusal.SHUTTING_DOWN, reason=KILLED)}


def test_a_start_that_fails_before_its_turn_to_be_stopped_is_not_tried_again():
    """Invariant 28; found by the property of a stop at any moment."""
    shell = started(*"ab")
    shell.exit("a")
    shell.start_child(child("n"))
    shell.stop()
    shell.fail("a")
    shell.settle()
    assert shell.take_trace() == ["start a", "start n", "stop n", "stop b", "exit shutdown"]


def test_stop_during_the_start_answers_the_starter():
    shell = starting(*"ab")
    shell.up("a")
    shell.stop()
    shell.settle()
    assert shell.answers["call 0"] == Refused(Refusal.START_FAILED, reason=SHUTDOWN)


# Backoff.


def test_waits_grow_while_a_child_keeps_failing_and_start_over_after_it_was_stable():
    """Invariant 72."""
    waits = []
    shell = started(child("a", backoff=Backoff(jitter=0, stable=10)), max_restarts=50)

    def fails(how, *args):
        how(*args)
        ((_, at),) = shell.timers.items()
        waits.append(at - shell.now)
        shell.fire()

    fails(shell.exit, "a")
    fails(shell.fail, "a")
    shell.up("a")
    shell.now += 9.9
    fails(shell.exit, "a")
    shell.up("a")
    shell.now += 10
    fails(shell.exit, "a")
    fails(shell.fail, "a")
    assert waits == pytest.approx([1, 2, 4, 1, 2])


def test_a_group_is_stopped_at_once_and_started_after_the_backoff_of_the_one_that_failed():
    shell = started(child("a", backoff=Backoff()), "b", strategy=ALL)
    shell.exit("a")
    shell.down("b")
    assert shell.take_trace() == ["stop b"]
    shell.start_child(child("n"))
    shell.up("n")
    shell.fire()
    shell.settle()
    assert shell.take_trace() == ["start n", "stop n", "start a", "start b", "start n"]


def steady(seconds):
    return Backoff(initial=seconds, factor=1, jitter=0)


def test_the_longest_of_the_backoffs_of_a_group_counts():
    shell = started(
        child("a", backoff=steady(1)), child("b", backoff=steady(8)), strategy=REST, max_restarts=9
    )
    shell.exit("b")
    shell.exit("a")
    assert list(shell.timers.values()) == [108.0]
    shell.settle()
    shell.exit("a")
    shell.down("b")
    assert list(shell.timers.values()) == [109.0]


def test_a_backoff_that_was_called_off_holds_back_nothing_later():
    """Invariant 73."""
    shell = started(
        child("a", backoff=steady(1)), child("b", backoff=steady(8)), "c", strategy=REST
    )
    shell.exit("b")
    shell.down("c")
    shell.terminate("b")
    assert (shell.timers, shell.state("c")) == ({}, "starting")
    shell.exit("a")
    assert list(shell.timers.values()) == [101.0]


def test_a_start_asked_for_meanwhile_need_not_wait_for_the_backoff_of_a_group():
    """Invariant 66: it is put off while the group stops, not while it waits."""
    shell = started(child("a", backoff=steady(8)), "b", strategy=ALL)
    shell.exit("a")
    shell.start_child(child("n"))
    assert shell.take_trace() == ["stop b"]
    shell.down("b")
    assert shell.take_trace() == ["start n"]
    shell.fire()
    # Its caller waits: it is stopped with its group only when the start is over.
    assert shell.take_trace() == []
    shell.up("n")
    assert shell.answers[shell.asked[-1]] == Done("pid3")
    shell.settle()
    assert shell.take_trace() == ["stop n", "start a", "start b", "start n"]


def test_restarts_are_charged_when_the_exit_happens_not_when_the_wait_is_over():
    shell = started(child("a", backoff=Backoff(initial=4, jitter=0)), max_restarts=1)
    shell.exit("a")
    shell.fire()
    shell.up("a")
    shell.now += 1
    shell.exit("a")
    assert shell.finished.error.restarts == (100.0, 105.0)


# History, records, cost.


def test_a_child_remembers_its_last_ends():
    shell = started("a", max_restarts=50)
    shell.now += 2.5
    for _ in range(12):
        shell.exit("a", reason=KILLED)
        shell.up("a")
    shell.exit("a")
    shell.fail("a")
    exits = shell.planner.child("a").exits
    assert len(exits) == 10
    assert [(e.at, e.reason, e.uptime) for e in exits[-2:]] == [(102.5, CRASH, 0.0)] * 2


def test_counts_tell_supervisors_from_workers_and_the_living_from_the_rest():
    """Invariant 6."""
    shell = started("a", "b", SupervisorSpec("in"), child("t", TRANSIENT))
    shell.exit("t", reason=NORMAL)
    shell.exit("a")
    shell.terminate("b")
    assert ev.count(shell.table) == ev.ChildCounts(specs=4, active=2, supervisors=1, workers=3)


def test_every_record_names_its_cause():
    """Invariant 70."""
    shell = started(*"ab", strategy=ALL)
    count = len(shell.events)
    shell.exit("b")
    shell.settle()
    records = [(type(e).__name__, e.child, e.cause) for e in shell.events[count:]]
    crash = count + 1
    assert records == [
        ("ChildExited", "b", "own accord"),
        ("ChildStopping", "a", crash),
        ("ChildExited", "a", crash + 1),
        ("ChildStarting", "a", crash),
        ("ChildStarted", "a", crash + 3),
        ("ChildStarting", "b", crash),
        ("ChildStarted", "b", crash + 5),
    ]
    assert ev.fold(shell.events) == shell.planner.table()


def test_arguments_of_an_added_temporary_child_are_let_go():
    """Invariant 68."""
    precious = object()
    shell = started("a")
    shell.start_child(ChildSpec("t", task(print, precious), restart=TEMPORARY))
    shell.up("t")
    assert shell.planner.child("t").spec.start.args == ()


def test_an_exit_takes_the_same_steps_however_many_siblings_there_are():
    """Invariant 69."""

    def steps(count):
        shell = started(*map(str, range(count)), max_restarts=count)
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
