"""Random trees in which anything crashes, is killed or is asked for at any time."""

from __future__ import annotations

import random

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from supervise import (
    BRUTAL_KILL,
    Backoff,
    ChildSpec,
    DynamicSupervisorSpec,
    Event,
    Restart,
    RestartIntensityError,
    Strategy,
    SuperviseError,
    SupervisorFailedError,
    SupervisorSpec,
    fold,
    lua,
    task,
)
from tests.trees import told, trees_node

STARTS = [
    lua("s:told"),
    lua("t:wait"),
    lua("t:obey"),
    lua("s:slow", "2s"),
    lua("s:deaf"),
    lua("s:helped"),
    lua("s:crash"),
    lua("s:end"),
    task(told),
]


@st.composite
def children(draw, id_, depth):
    """One child, perhaps with a tree below it."""
    if depth and draw(st.booleans()):
        start = draw(supervisors(id_, depth - 1))
    else:
        start = draw(st.sampled_from(STARTS))
    return ChildSpec(
        id_,
        start,
        restart=draw(st.sampled_from(Restart)),
        shutdown=draw(st.sampled_from([0, 1.0, 3.0, BRUTAL_KILL])),
        backoff=draw(st.sampled_from([None, None, Backoff(initial=0.5, maximum=2)])),
    )


@st.composite
def supervisors(draw, id_="r", depth=2):
    """A supervisor and everything below it."""
    limits = {"max_restarts": draw(st.integers(0, 3)), "max_seconds": 2.0}
    if depth < 2 and draw(st.integers(0, 4)) == 0:
        return DynamicSupervisorSpec(id_, **limits)
    return SupervisorSpec(
        id_,
        strategy=draw(st.sampled_from(Strategy)),
        children=[draw(children(f"{id_}{n}", depth)) for n in range(draw(st.integers(1, 3)))],
        **limits,
    )


async def act(node, tree, tables, chance):
    """One thing that may happen to a tree."""
    pids = [info.pid for info in node.processes() if info.pid != tree.pid]
    running = list(node._trees.supervisors.values())
    some = chance.choice(running) if running else tree
    keys = [str(key) for key in some.which_children()] or ["none"]
    one = chance.choice(keys)
    added = ChildSpec(f"n{chance.randrange(9)}", chance.choice(STARTS))
    actions = [
        lambda: node.terminate(chance.choice(pids)) if pids else None,
        lambda: node.send(chance.choice(pids), "x", "boom") if pids else None,
        lambda: node.send(chance.choice(pids), "x", None) if pids else None,
        lambda: some.start_child(added),
        lambda: some.terminate_child(one),
        lambda: some.restart_child(one),
        lambda: some.delete_child(one),
        lambda: trio.sleep(chance.choice([0, 0.3, 3])),
    ]
    try:
        waits = chance.choice(actions)()
        if waits is not None:
            with trio.move_on_after(chance.choice([0, 1, 10])):
                await waits
    except SuperviseError:
        pass


def check(node, tables):
    """What holds once nothing happens any more."""
    live = {info.pid: info for info in node.processes()}
    listed = []
    for supervisor in node._trees.supervisors.values():
        table = supervisor.which_children()
        # Invariant 70: the records, folded, are the table.
        assert fold(tables[supervisor.pid]) == table
        # Invariant 6.
        counts = supervisor.count_children()
        assert counts.active <= counts.specs == counts.supervisors + counts.workers
        for key, row in table.items():
            spec = supervisor._planner.child(key)
            # Invariant 1: a permanent child is up unless it was stopped on purpose.
            if row.restart is Restart.PERMANENT and not spec.held:
                assert row.state.value in {"running", "waiting"}, (supervisor, row)
            if row.pid is not None:
                assert row.pid in live
                listed.append(row.pid)
    # Invariants 3 and 4: every pid is in one table, once.
    assert len(listed) == len(set(listed))
    supervised = {
        pid for pid, info in live.items() if info.host == "supervisor" or pid in set(listed)
    }
    roots = {root.pid for root in node._trees._roots}
    assert supervised - roots == set(listed)


async def storm(spec, seed):
    """Start a tree, let things happen to it, and stop it."""
    chance = random.Random(seed)
    tables = {}
    starts = {}
    async with trees_node() as node:
        baseline = node.statistics()
        with node.subscribe() as events:
            try:
                tree = await node.start(spec)
            except SuperviseError:
                tree = None
            if tree is not None:
                for _ in range(12):
                    await act(node, tree, tables, chance)
                await trio.sleep(20)
                await wait_all_tasks_blocked()
                collect(events, tables, starts, node)
                check(node, tables)
                await tree.stop()
        await trio.sleep(5)
        # Invariants 2 and 67: whatever happened, nothing is left.
        after = node.statistics()
        helpers = len(node.processes())
        assert helpers == 0, node.processes()
        assert (after.names, after.timers) == (baseline.names, baseline.timers)
        trees = node._trees
        assert not (trees.supervisors)
        assert not (trees._seats)
        assert not (len(trees.alarms))
        assert not (trees._roots)
        assert not node._processes


def collect(events, tables, starts, node):
    """Sort the records by the life of the supervisor they are about."""
    lives = {}
    while True:
        try:
            event = events.receive_nowait()
        except trio.WouldBlock:
            break
        if isinstance(event, Event):
            if event.number == 1:
                lives[event.supervisor] = []
            lives[event.supervisor].append(event)
    for supervisor in node._trees.supervisors.values():
        tables[supervisor.pid] = lives.get(supervisor.path, [])


@settings(max_examples=60, deadline=None)
@given(spec=supervisors(), seed=st.integers(0, 2**32))
def test_a_tree_in_a_storm_keeps_its_invariants(spec, seed):
    """Invariants 1 to 4, 6, 31 to 36, 67 and 70 after quiescence."""
    try:
        trio.run(storm, spec, seed, clock=MockClock(autojump_threshold=0))
    except SupervisorFailedError as exc:
        assert isinstance(exc, RestartIntensityError) or exc.reason.kind.value == "killed"
