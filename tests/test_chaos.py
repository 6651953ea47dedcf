"""Random trees in which anything crashes, is killed or is asked for at any time."""

from __future__ import annotations

import random
from contextlib import suppress
from functools import partial

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from supervise import (
    BRUTAL_KILL,
    Backoff,
    ChildSpec,
    DynamicSupervisorSpec,
    Event,
    Restart,
    RestartIntensityError,
    StartError,
    Strategy,
    SuperviseError,
    SupervisorSpec,
    fold,
    lua,
    task,
)
from supervise.testing import run_until_idle
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
    limits = {"max_restarts": draw(st.sampled_from([0, 2, 20])), "max_seconds": 2.0}
    if depth < 2 and draw(st.integers(0, 4)) == 0:
        return DynamicSupervisorSpec(id_, **limits)
    return SupervisorSpec(
        id_,
        strategy=draw(st.sampled_from(Strategy)),
        children=[draw(children(f"{id_}{n}", depth)) for n in range(draw(st.integers(1, 3)))],
        **limits,
    )


async def act(node, tree, chance):
    """One thing that may happen to a tree."""
    pids = [info.pid for info in node.processes() if info.pid != tree.pid]
    running = list(node.life.trees.supervisors.values())
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
        partial(trio.sleep, chance.choice([0, 0.3, 3])),
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
    for supervisor in node.life.trees.supervisors.values():
        table = supervisor.which_children()
        # Invariant 70: the records, folded, are the table.
        assert fold(tables[supervisor.pid]) == table
        # Invariant 6.
        counts = supervisor.count_children()
        assert counts.active <= counts.specs == counts.supervisors + counts.workers
        for key, row in table.items():
            child = supervisor._planner.child(key)
            # Invariant 1: a permanent child is up, or will be, unless it was stopped on purpose.
            # With a crash loop slower than the limit a tree never comes to rest.
            ends = supervisor._planner._closing is not None
            if row.restart is Restart.PERMANENT and not (child.held or ends):
                assert row.state.value != "stopped", (supervisor, row)
            if row.pid is not None:
                assert row.pid in live
                listed.append(row.pid)
    # Invariants 3 and 4: every pid is in one table, once.
    assert len(listed) == len(set(listed))
    supervised = {
        pid for pid, info in live.items() if info.host == "supervisor" or pid in set(listed)
    }
    roots = {root.pid for root in node.life.trees._roots}
    assert supervised - roots == set(listed)


async def storm(spec, seed):
    """Start a tree, let things happen to it, and stop it, unless it gives up first."""
    chance = random.Random(seed)
    tables = {}
    async with trees_node() as node:
        trees = node.life.need_trees()
        try:
            before = node.statistics()
            with node.subscribe() as events:
                tree = await node.start(spec)
                for _ in range(12):
                    await act(node, tree, chance)
                await trio.sleep(20)
                await run_until_idle(node)
                collect(events, tables, node)
                check(node, tables)
            await tree.stop()
            await trio.sleep(5)
            after = node.statistics()
            assert (after.names, after.timers) == (before.names, before.timers)
            assert node.processes() == []
        except StartError:
            assert node.processes() == []
    # Invariants 2 and 67: whatever happened, nothing is left.
    left = [trees.supervisors, trees._seats, len(trees.alarms), trees._roots, node._processes]
    assert left == [{}, {}, 0, [], {}]


def collect(events, tables, node):
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
    for supervisor in node.life.trees.supervisors.values():
        tables[supervisor.pid] = lives.get(supervisor.path, [])


@settings(max_examples=60, deadline=None)
@given(spec=supervisors(), seed=st.integers(0, 2**32))
async def test_a_tree_in_a_storm_keeps_its_invariants(spec, seed):
    """Invariants 1 to 4, 6, 31 to 36, 67 and 70 after quiescence."""
    with suppress(RestartIntensityError):
        await storm(spec, seed)
