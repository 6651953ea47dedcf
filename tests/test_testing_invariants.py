"""Each invariant sees a trace that violates it, and shows the records."""

import itertools

import pytest

from supervise import (
    ChildAdded,
    ChildExited,
    ChildIgnored,
    ChildStarted,
    ChildStarting,
    ChildState,
    ChildStopping,
    ExitKind,
    ExitReason,
    Restart,
    RestartDelayed,
    SupervisorExited,
    SupervisorStarted,
    SupervisorStopping,
)
from supervise.testing import (
    INVARIANTS,
    Declared,
    Exited,
    Finished,
    InvariantError,
    Linked,
    Monitored,
    Opened,
    Printed,
    Received,
    Registered,
    Released,
    Sent,
    Settled,
    Signalled,
    Spawned,
    Trace,
    UnknownInvariantError,
    Violation,
    check,
    invariants,
)

A, B, C = "{a|0x00001}", "{a|0x00002}", "{a|0x00003}"
PERMANENT, TRANSIENT, TEMPORARY = Restart
WAITING, STOPPED, REMOVED = ChildState.WAITING, ChildState.STOPPED, ChildState.REMOVED
NORMAL, ERROR = ExitReason(ExitKind.NORMAL), ExitReason(ExitKind.ERROR, "x")
SHUTDOWN = ExitReason(ExitKind.SHUTDOWN)


class Life:
    """The events of one supervisor, numbered."""

    def __init__(self, strategy="one_for_one", limit=3, path="root"):
        self.path = path
        self.numbers = itertools.count(1)
        self.records = [Declared(0.0, path, strategy, limit, 5.0)]

    def then(self, kind, *fields, cause="start", at=0.0):
        number = next(self.numbers)
        self.records.append(kind(number, at, self.path, cause, *fields))
        return number

    def added(self, *children, restart=PERMANENT):
        for child in children:
            self.then(ChildAdded, child, 0, restart, False)

    def up(self, child, incarnation, pid, cause="start", at=0.0):
        self.then(ChildStarting, child, incarnation, cause=cause, at=at)
        self.then(ChildStarted, child, incarnation, pid, cause=cause, at=at)

    def down(self, child, incarnation, reason=ERROR, then=WAITING, cause="exit", at=0.0):
        return self.then(ChildExited, child, incarnation, reason, 1.0, then, cause=cause, at=at)

    def group(self, *children):
        self.added(*children)
        for number, child in enumerate(children, 1):
            self.up(child, number, f"{{a|0x{number:05x}}}")
        self.then(SupervisorStarted)
        return self


def permanent_down():
    life = Life().group("a")
    life.down("a", 1, then=STOPPED)
    return [*life.records, Settled(1.0, True)]


def outlived():
    life = Life()
    life.added("a")
    life.up("a", 1, A)
    life.then(SupervisorStopping, SHUTDOWN)
    life.then(SupervisorExited, SHUTDOWN)
    return [Spawned(0.0, A, "t:a", "h", B), *life.records]


def two_lives():
    life = Life().group("a")
    life.up("a", 2, B)
    return [Spawned(0.0, A, "t:a", "h", C), Spawned(0.0, B, "t:a", "h", C), *life.records]


def one_pid_twice():
    life = Life().group("a")
    life.up("b", 2, A)
    return life.records


def own_end(restart, reason, then):
    life = Life()
    life.added("a", restart=restart)
    life.up("a", 1, A)
    life.down("a", 1, reason, then)
    return life.records


def stopped_by(strategy, failed, stopped, restart=PERMANENT):
    life = Life(strategy)
    life.added("a", "b", "c", restart=restart)
    for number, child in enumerate("abc", 1):
        life.up(child, number, f"{{a|0x{number:05x}}}")
    life.then(SupervisorStarted)
    number = life.down(failed, "abc".index(failed) + 1)
    life.then(ChildStopping, stopped, "abc".index(stopped) + 1, cause=number)
    return life


def ignored():
    life = Life()
    life.added("a")
    life.then(ChildStarting, "a", 1)
    life.then(ChildIgnored, "a", 1, STOPPED)
    life.then(ChildStarted, "a", 1, A)
    return life.records


def out_of_order_start():
    life = Life()
    life.added("a", "b")
    life.then(ChildStarting, "b", 1)
    return life.records


def out_of_order_stop():
    life = Life().group("a", "b")
    life.then(SupervisorStopping, SHUTDOWN)
    life.then(ChildStopping, "a", 1)
    return life.records


def start_while_stopping():
    life = stopped_by("one_for_all", "a", "b")
    life.then(ChildStarting, "a", 4, cause=11)
    return life.records


def one_left_over():
    life = Life("one_for_all").group("a", "b")
    number = life.down("b", 2)
    life.then(ChildStarting, "b", 3, cause=number)
    return life.records


def start_after_the_end():
    life = Life().group("a")
    life.then(SupervisorStopping, SHUTDOWN)
    life.then(ChildStarting, "a", 2)
    return life.records


def too_many_restarts():
    life = Life(limit=1).group("a")
    for number in (1, 2):
        life.down("a", number, at=float(number))
        life.up("a", number + 1, B)
    return life.records


def early_end():
    life = Life(limit=1).group("a")
    number = life.down("a", 1)
    reason = ExitReason(ExitKind.ERROR, "root gave up on a (error: x)")
    life.then(SupervisorStopping, reason, cause=number)
    return life.records


def asked_twice():
    life = Life().group("a")
    life.then(ChildStopping, "a", 1)
    life.then(ChildStopping, "a", 1)
    return life.records


def other_reason():
    life = Life().group("a")
    life.then(SupervisorStopping, SHUTDOWN)
    life.then(SupervisorExited, NORMAL)
    return life.records


def never_ends():
    life = Life().group("a")
    life.then(SupervisorStopping, SHUTDOWN)
    return [*life.records, Finished(1.0)]


def added_twice():
    life = Life()
    life.added("a", "a")
    return life.records


def untold():
    return [record for record in Life().group("a").records if not isinstance(record, ChildStarted)]


def too_early():
    life = Life().group("a")
    number = life.down("a", 1)
    life.then(RestartDelayed, "a", 1, 2.0, cause=number)
    life.then(ChildStarting, "a", 2, cause=number, at=1.0)
    return life.records


SPAWNED = Spawned(0.0, A, "t:a", "h", B)
BROKEN = {
    1: permanent_down(),
    2: outlived(),
    3: two_lives(),
    4: one_pid_twice(),
    7: own_end(TEMPORARY, ERROR, STOPPED),
    8: own_end(TRANSIENT, ERROR, STOPPED),
    9: own_end(PERMANENT, NORMAL, STOPPED),
    10: stopped_by("one_for_all", "a", "b", TEMPORARY).records,
    12: ignored(),
    13: out_of_order_start(),
    14: out_of_order_stop(),
    15: start_while_stopping(),
    16: stopped_by("one_for_one", "a", "b").records,
    17: stopped_by("rest_for_one", "b", "a").records,
    18: one_left_over(),
    19: start_after_the_end(),
    23: too_many_restarts(),
    24: early_end(),
    31: asked_twice(),
    34: other_reason(),
    35: never_ends(),
    42: [SPAWNED, SPAWNED],
    43: [Registered(0.0, "x", A), Registered(0.0, "x", B)],
    44: [Registered(0.0, "x", A), Exited(1.0, A, "t:a")],
    45: [Registered(0.0, "x", A), Signalled(0.0, B, "EXIT", A), Released(0.0, "x", A)],
    47: [Received(0.0, A, B, "x", 1)],
    50: [Monitored(0.0, A, B), Exited(0.0, B, "t:a")],
    51: [Signalled(0.0, A, "LINK_DOWN", B, "x")],
    52: [SPAWNED, Exited(0.0, A, "t:a", "linked process failed")],
    54: [Exited(0.0, A, "t:a"), Printed(0.0, A, "boo")],
    55: [Linked(0.0, A, B), Exited(0.0, A, "t:a", "x"), Finished(1.0)],
    58: [Sent(0.0, A, B, "x", 1), Sent(0.0, A, B, "x", 2), Received(0.0, A, B, "x", 2)],
    63: added_twice(),
    67: [Opened(0.0, A, "root", True), Finished(1.0, None, 1)],
    70: untold(),
    72: too_early(),
}
ALIASES = {28: 19, 36: 35, 46: 45, 60: 47, 73: 19}


def trace_of(records):
    return Trace(1, "FaultPlan()", records)


@pytest.mark.parametrize("number", INVARIANTS)
def test_every_invariant_sees_what_violates_it(number):
    trace = trace_of(BROKEN[ALIASES.get(number, number)])
    found = invariants.violations(trace, INVARIANTS[number])

    assert len(found) == 1
    assert found[0].records
    assert all(record in trace for record in found[0].records)
    assert INVARIANTS[number].__doc__


def crash_during_the_start():
    life = Life()
    life.added("a", "b")
    life.up("a", 1, A)
    life.down("a", 1)
    life.up("b", 2, B)
    life.up("a", 3, C)
    life.then(SupervisorStarted)
    return life.records


def upgraded(strategy):
    life = Life(strategy).group("a", "b")
    asked = life.then(ChildStopping, "b", 2, cause="upgrade")
    down = life.down("b", 2, SHUTDOWN, cause=asked)
    life.up("b", 3, C, cause=down)
    return life.records


def stopped_by_a_call_in_a_group_restart():
    life = Life("rest_for_one").group("a", "b", "c")
    failed = life.down("a", 1)
    for child, number in (("c", 3), ("b", 2)):
        asked = life.then(ChildStopping, child, number, cause=failed)
        life.down(child, number, SHUTDOWN, cause=asked)
    life.up("a", 4, "{a|0x00004}", cause=failed)
    life.then(ChildStarting, "b", 5, cause=failed)
    life.then(ChildStopping, "b", 5, cause="terminate_child")
    life.up("c", 6, "{a|0x00006}", cause=failed)
    return life.records


@pytest.mark.parametrize(
    "records",
    [
        [],
        Life().group("a", "b").records,
        crash_during_the_start(),
        upgraded("one_for_all"),
        upgraded("one_for_one"),
        stopped_by_a_call_in_a_group_restart(),
    ],
)
def test_nothing_is_found_where_nothing_is_wrong(records):
    check(trace_of(records))


def test_no_process_outlives_a_supervisor_that_was_killed():
    child = Spawned(0.0, A, "t:a", "h", B, "root/a", 1)
    records = [Opened(0.0, B, "root", True), child, Exited(1.0, B, "root", "x")]

    with pytest.raises(InvariantError, match=r"\(2\): {a\|0x00001} outlives its supervisor"):
        check(trace_of(records), 2)


def test_a_watcher_gets_no_second_exit():
    records = [Monitored(0.0, A, B), *[Signalled(0.0, A, "EXIT", B)] * 2, Exited(0.0, B, "t:a")]

    with pytest.raises(InvariantError, match=r"exit_once \(50\): .* does not monitor"):
        check(trace_of(records), 50)


def test_all_violations_are_reported_with_the_way_to_replay_them():
    with pytest.raises(InvariantError) as caught:
        check(trace_of([*BROKEN[42], *BROKEN[43]]))

    assert str(caught.value).splitlines() == [
        "2 violated, with seed=1, faults=FaultPlan()",
        "pids_are_never_reused (42): {a|0x00001} was given out twice",
        "    0.000  {a|0x00001} is t:a",
        "    0.000  {a|0x00001} is t:a",
        "names_have_one_holder (43): {a|0x00002} got the name x, which another process holds",
        "    0.000  {a|0x00001} got the name x",
        "    0.000  {a|0x00002} got the name x",
    ]
    assert [(name, numbers) for name, numbers, _ in caught.value.violations] == [
        ("pids_are_never_reused", [42]),
        ("names_have_one_holder", [43]),
    ]


def test_only_what_was_asked_for_is_checked():
    trace = trace_of([*BROKEN[42], *BROKEN[43]])

    check(trace, 50, "exit_once", invariants.exit_once)
    with pytest.raises(InvariantError, match=r"^1 violated"):
        check(trace, "names_have_one_holder")


def mine_yields(trace):
    yield Violation("mine", trace[:1])


def mine_says(trace):
    return ["mine"]


def mine_asserts(trace):
    assert len(trace) == 0, "mine"


def mine_is_content(trace):
    return None


@pytest.mark.parametrize("rule", [mine_yields, mine_says, mine_asserts])
def test_a_rule_of_ones_own_is_a_plain_function(rule):
    with pytest.raises(InvariantError, match=f"{rule.__name__}: mine"):
        check(trace_of([SPAWNED]), rule)
    check(trace_of([SPAWNED]), mine_is_content)


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (6, r"number 6; near it: \[4, 7, 8\]; all: 1, 2, 3, "),
        ("exit_twice", "is called 'exit_twice'; near it: .*'exit_once'"),
    ],
)
def test_an_unknown_invariant_is_refused(which, message):
    with pytest.raises(UnknownInvariantError, match=message):
        check(trace_of([]), which)
