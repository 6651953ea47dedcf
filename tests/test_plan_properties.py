"""Planners under random specs, delays, exits and calls; numbers name the invariants."""

from __future__ import annotations

import copy
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from specs import (
    AutoShutdown,
    Backoff,
    ChildSpec,
    DynamicSupervisorSpec,
    ExitKind,
    ExitReason,
    Restart,
    Strategy,
    SupervisorSpec,
    check_spec,
    lua,
)
from supervise import _events as ev
from supervise import _plan_io as io
from supervise._events import ChildState
from supervise._plan import Planner
from supervise._plan_dynamic import DynamicPlanner
from supervise._reasons import SignificantChildExited
from tests.plan_shell import CRASH, KILLED, LIVE, NORMAL, SHUTDOWN, Shell

REASONS = (CRASH, NORMAL, SHUTDOWN, KILLED)
BACKOFFS = st.none() | st.just(Backoff(initial=0.5, jitter=0.5, maximum=4.0, stable=2.0))


@st.composite
def children(draw, name, *, significant):
    restart = draw(st.sampled_from(Restart))
    may_matter = significant and restart is not Restart.PERMANENT
    return ChildSpec(
        name,
        lua("a:b", 1),
        restart=restart,
        significant=may_matter and draw(st.booleans()),
        backoff=draw(BACKOFFS),
    )


@st.composite
def supervisors(draw):
    mode = draw(st.sampled_from(AutoShutdown))
    significant = mode is not AutoShutdown.NEVER
    count = draw(st.integers(0, 5))
    spec = SupervisorSpec(
        "s",
        strategy=draw(st.sampled_from(Strategy)),
        max_restarts=draw(st.sampled_from([0, 1, 3, 50])),
        max_seconds=draw(st.sampled_from([0.5, 5.0])),
        auto_shutdown=mode,
        children=[draw(children("abcde"[i], significant=significant)) for i in range(count)],
    )
    check_spec(spec)
    return spec


def planner_of(spec):
    kind = Planner if isinstance(spec, SupervisorSpec) else DynamicPlanner
    return kind(spec, random.Random(7))


STEPS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 9), st.integers(0, 3)), max_size=60)


class WatchedShell(Shell):
    """Checks what must hold at every single action."""

    def __init__(self, planner):
        super().__init__(planner)
        self.closing = False

    def _perform(self, action):
        if isinstance(action, io.StartChild):
            assert not self.closing, "invariant 28"
            if isinstance(self.planner, Planner):
                self._check_start(action)
        if isinstance(action, io.StopChild) and self.closing and isinstance(self.planner, Planner):
            later = self._later(action.child)
            assert not [row for row in later if row.state in LIVE], "invariant 14"
        super()._perform(action)
        if isinstance(action, io.Report) and isinstance(action.event, ev.SupervisorStopping):
            self.closing = True

    def _later(self, child):
        rows = list(self.table.values())
        return rows[next(i for i, row in enumerate(rows) if row.child == child) + 1 :]

    def _check_start(self, action):
        asked_for = self.planner.child(action.child).starter is not None
        if asked_for or self.planner.spec.strategy is Strategy.ONE_FOR_ONE:
            return
        rows = self.table
        earlier = list(rows)[: list(rows).index(action.child)]
        first = min((child for child in rows if rows[child].state is ChildState.STARTING), key=str)
        assert first == action.child or self.planner.child(first).starter, (
            "invariant 13: one by one"
        )
        for child in earlier:
            assert rows[child].state is not ChildState.WAITING, "invariants 13, 22: in order"
        for row in self._later(action.child):
            held = self.planner.child(row.child).held
            assert row.state is not ChildState.RUNNING, "invariant 15"
            assert held or row.state is not ChildState.STOPPING, "invariant 15"


def step(shell, kind, which, how):
    """One thing that may happen now, or nothing if it cannot."""
    if kind == 7:
        shell.now += how * 0.4
        if shell.timers:
            shell.fire()
    elif kind > 7:
        call(shell, kind, which, how)
    else:
        progress(shell, kind, which, how)


def progress(shell, kind, which, how):
    """Something under way ends, or a child does."""

    def pick(keys):
        return keys[which % len(keys)][0]

    reason = REASONS[how]
    if kind in (0, 1) and shell.starting:
        shell.up(pick(shell.starting))
    elif kind == 2 and shell.starting:
        (shell.fail if how else shell.ignore)(pick(shell.starting))
    elif kind in (3, 4) and shell.stopping:
        shell.down(pick(shell.stopping), reason)
    elif kind == 5 and shell.running:
        shell.exit(pick(shell.running), reason=reason)
    elif kind == 6 and shell.running:
        several = [child for child, _ in shell.running[which % len(shell.running) :]]
        shell.exit(*reversed(several), reason=reason)


def call(shell, kind, which, how):
    """Somebody asks for something."""
    dynamic = isinstance(shell.planner, DynamicPlanner)
    name = f"pid{which + 1}" if dynamic else "abcdefg"[which % 7]
    match kind:
        case 8:
            restart = list(Restart)[how % 3]
            shell.start_child(ChildSpec(name, lua("a:b", 2), restart=restart))
        case 9:
            shell.terminate(name)
        case 10:
            shell.restart(name)
        case _:
            shell.delete(name)


def run(spec, steps):
    shell = WatchedShell(planner_of(spec))
    shell.start()
    for what in steps:
        if shell.finished is not None:
            break
        step(shell, *what)
    return shell


def restarts(events):
    """When each restart was charged: the times of the failures that starts go back to."""
    by_number = {event.number: event for event in events}
    causes = {event.cause for event in events if isinstance(event, ev.ChildStarting)}
    failures = [by_number[cause] for cause in causes if isinstance(cause, int)]
    return sorted(
        event.at
        for event in failures
        if isinstance(event, ev.ChildExited | ev.ChildStartFailed)
        and event.then is ChildState.WAITING
    )


@given(supervisors(), STEPS)
@settings(max_examples=120, deadline=None)
def test_a_supervisor_left_alone_has_every_child_up_and_stops_without_a_trace(spec, steps):
    """Invariants 1, 2, 3, 13, 14, 15, 28, 35, 36, 38, 70 and 73, most of them at every action."""
    shell = run(spec, steps)
    shell.settle()
    if shell.finished is None:
        ignored = {e.child: e.incarnation for e in shell.events if isinstance(e, ev.ChildIgnored)}
        for child, row in shell.table.items():
            up = row.state is ChildState.RUNNING
            excused = shell.planner.child(child).held or ignored.get(child) == row.incarnation
            assert up or excused or row.restart is not Restart.PERMANENT or failed_call(shell, row)
        shell.stop()
        assert not shell.timers
        shell.settle()
    assert shell.finished is not None
    assert set(shell.asked) == set(shell.answers)
    assert not shell.table


@given(supervisors(), STEPS, st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_a_stop_at_any_moment_ends_everything_and_leaves_no_caller_waiting(spec, steps, which):
    """Invariants 2, 14, 28, 34, 35, 36 and 73."""
    shell = run(spec, steps)
    if shell.finished is None:
        before = shell.closing
        shell.stop(ExitReason(ExitKind.SHUTDOWN, "asked"))
        assert not shell.timers
        for kind in (5, 6, 2, 8, 9, 10, 11, 7):
            if shell.finished is None:
                step(shell, kind, which, which % 4)
        shell.settle()
        assert before or shell.finished == ExitReason(ExitKind.SHUTDOWN, "asked")
    assert set(shell.asked) == set(shell.answers)


def failed_call(shell, row):
    """Whether the last start of a child was asked for by a call, and failed."""
    last = [e for e in shell.events if isinstance(e, ev.ChildStartFailed) and e.child == row.child]
    return bool(last) and last[-1].then is ChildState.STOPPED


@given(supervisors(), STEPS)
@settings(max_examples=70, deadline=None)
def test_no_window_holds_more_restarts_than_allowed(spec, steps):
    """Invariants 23 and 26."""
    stamps = restarts(run(spec, steps).events)
    for stamp in stamps:
        assert sum(stamp - spec.max_seconds <= other <= stamp for other in stamps) <= (
            spec.max_restarts
        )


@given(supervisors(), STEPS)
@settings(max_examples=70, deadline=None)
def test_a_temporary_child_lives_once_and_then_is_gone(spec, steps):
    """Invariants 7 and 10."""
    starts = {}
    for event in run(spec, steps).events:
        match event:
            case ev.ChildAdded():
                starts[event.child] = 0 if event.restart is Restart.TEMPORARY else None
            case ev.ChildStarting() if starts[event.child] is not None:
                starts[event.child] += 1
                assert starts[event.child] == 1
            case ev.ChildExited() if starts[event.child] is not None:
                assert event.then in (ChildState.REMOVED, ChildState.STOPPED)


@given(supervisors(), STEPS)
@settings(max_examples=70, deadline=None)
def test_only_an_own_accord_end_of_a_significant_child_shuts_down(spec, steps):
    """Invariants 39, 40 and 41."""
    events = run(spec, steps).events
    by_number = {event.number: event for event in events}
    for event in events:
        if isinstance(event, ev.SupervisorStopping) and isinstance(
            event.reason.error, SignificantChildExited
        ):
            assert spec.auto_shutdown is not AutoShutdown.NEVER
            assert by_number[event.cause].cause == "own accord"
            assert event.reason.error.child in [c.id for c in spec.children if c.significant]


@given(supervisors(), STEPS)
@settings(max_examples=50, deadline=None)
def test_a_refused_call_changes_nothing_and_siblings_keep_their_order(spec, steps):
    """Invariants 21, 62 and 63."""
    shell = WatchedShell(planner_of(spec))
    shell.start()
    for what in steps:
        if shell.finished is not None:
            break
        before, count = dict(shell.table), len(shell.events)
        step(shell, *what)
        calls = isinstance(shell.inputs[-1][0], io.Call)
        if calls and isinstance(shell.answers.get(shell.asked[-1]), io.Refused):
            assert shell.table == before
            assert len(shell.events) == count
        added = {event.child for event in shell.events[count:] if isinstance(event, ev.ChildAdded)}
        kept = [child for child in before if child in shell.table and child not in added]
        assert list(shell.table)[: len(kept)] == kept


@given(supervisors(), STEPS)
@settings(max_examples=40, deadline=None)
def test_the_same_inputs_give_the_same_actions_also_from_a_copy(spec, steps):
    """Invariant 71."""
    shell = run(spec, steps)
    again = planner_of(spec)
    half = len(shell.inputs) // 2
    for (event, now), actions in zip(shell.inputs[:half], shell.outputs, strict=False):
        assert again.handle(event, now) == actions
    clone = copy.deepcopy(again)
    for planner in (clone, again):
        for (event, now), actions in zip(shell.inputs[half:], shell.outputs[half:], strict=True):
            assert planner.handle(event, now) == actions


@given(supervisors(), STEPS, st.sets(st.sampled_from(sorted(ev.ALL_EVENTS, key=str))))
@settings(max_examples=40, deadline=None)
def test_records_that_nobody_wants_are_counted_and_change_nothing(spec, steps, wanted):
    shell = run(spec, steps)
    again = planner_of(spec)
    for (event, now), actions in zip(shell.inputs, shell.outputs, strict=True):
        assert again.handle(event, now, frozenset(wanted)) == [
            action
            for action in actions
            if not isinstance(action, io.Report) or type(action.event) in wanted
        ]


@given(supervisors(), STEPS, st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_late_and_foreign_news_change_nothing(spec, steps, which):
    """Invariant 11."""
    shell = run(spec, steps)
    if shell.finished is not None:
        return
    table = dict(shell.table)
    gone = [key for key in shell.spent if key not in shell.alive]
    strangers = [*gone, ("nobody", which), ("a", 999)]
    for key in strangers:
        for event in (
            io.Exits((io.Exit(*key, CRASH),)),
            io.StopFinished(*key, CRASH),
            io.StartFailed(*key, CRASH),
            io.StartSucceeded(*key, "pid0"),
            io.StartIgnored(*key),
        ):
            assert shell.send(event) == []
    assert shell.send(io.TimerFired(10**6)) == []
    assert shell.table == table


@given(
    st.sampled_from([0, 2, 50]),
    st.sampled_from([float("inf"), 2]),
    BACKOFFS,
    STEPS,
)
@settings(max_examples=70, deadline=None)
def test_a_dynamic_supervisor_keeps_its_children_apart(max_restarts, most, backoff, steps):
    """Invariants 1, 2, 3, 7, 23, 28, 36, 62, 70, 73 for dynamic children."""
    spec = DynamicSupervisorSpec("d", max_restarts=max_restarts, max_children=most)
    shell = WatchedShell(planner_of(spec))
    shell.start()
    for position, (kind, which, how) in enumerate(steps):
        if shell.finished is not None:
            break
        if position % 4 == 0:
            child = ChildSpec("x", lua("a:a"), restart=list(Restart)[how % 3], backoff=backoff)
            shell.start_child(child)
        else:
            step(shell, kind, which, how)
        assert len(shell.table) <= most
    shell.settle()
    stamps = restarts(shell.events)
    for stamp in stamps:
        assert sum(stamp - 5.0 <= other <= stamp for other in stamps) <= max_restarts
    if shell.finished is None:
        assert all(row.state is ChildState.RUNNING for row in shell.table.values())
        count = len(shell.running)
        shell.stop()
        assert len(shell.stopping) == count, "all are asked at once"
        shell.settle()
    assert set(shell.asked) == set(shell.answers)


@given(supervisors())
@settings(max_examples=40, deadline=None)
def test_a_start_that_fails_takes_back_what_was_started_in_reverse(spec):
    """Invariant 19."""
    shell = WatchedShell(planner_of(spec))
    shell.start()
    for _ in spec.children[:-1]:
        shell.up()
    if not spec.children:
        return
    shell.take_trace()
    shell.fail()
    shell.settle()
    before = [child.id for child in spec.children[:-1]]
    assert shell.take_trace() == [f"stop {child}" for child in reversed(before)] + ["exit error"]
    assert shell.finished.error.child == spec.children[-1].id
    (answer,) = shell.answers.values()
    assert answer.why is io.Refusal.START_FAILED
