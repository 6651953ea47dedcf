"""The shutdown protocol: who hears it, who gets how long, and that a stop always ends."""

from __future__ import annotations

import math
from functools import partial

import pytest
import trio

from supervise import (
    BRUTAL_KILL,
    ChildExited,
    ChildSpec,
    DynamicSupervisorSpec,
    ExitKind,
    Unstoppable,
    task,
)
from supervise.testing import run_until_idle
from tests.trees import child, drain, forever, root, steps, trees_node


async def swallows(seconds):
    """A Python child that shields itself from its cancellation for a while."""
    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)


async def cleans_up(seconds):
    """A Python child whose clean-up takes a while."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)


async def fails_in_clean_up():
    """A Python child that fails when it is cancelled."""
    try:
        await trio.sleep_forever()
    finally:
        raise LookupError("while stopping")


async def returns_when_cancelled():
    """A Python child that turns its cancellation into a return."""
    with trio.CancelScope() as scope:
        try:
            await trio.sleep_forever()
        finally:
            scope.cancel()


def py(fn, *args, **fields):
    return ChildSpec("c", task(fn, *args), **fields)


CASES = [
    # A process that reads no events ends there and then, or when it next waits.
    (child("c", "t:wait"), "shutdown", 0),
    (child("c", "t:echo"), "shutdown", 0),
    (child("c", "s:pcall"), "shutdown", 0),
    # One that never waits cannot be told; a real clock ends it after its grace.
    (child("c", "t:busy", shutdown=0), "killed", 0),
    (child("c", "s:helped"), "shutdown", 0),
    (child("c", "t:wait", shutdown=math.inf), "shutdown", 0),
    (child("c", "s:never", shutdown=0), "shutdown", 0),
    # One that does has its time.
    (child("c", "t:obey"), "shutdown", 0),
    (child("c", "s:slow", "2s"), "shutdown", 2),
    (child("c", "s:slow", "1h", shutdown=math.inf), "shutdown", 3600),
    (child("c", "s:fails_late"), "error", 0),
    (child("c", "s:slow", "9s"), "killed", 5),
    (child("c", "s:slow", "9s", shutdown=0.25), "killed", 0.25),
    (child("c", "s:slow", "9s", shutdown=0), "killed", 0),
    (child("c", "s:deaf", shutdown=2), "killed", 2),
    (child("c", "s:stubborn", shutdown=2), "killed", 2),
    (child("c", "s:slow", "1s", shutdown=BRUTAL_KILL), "killed", 0),
    (child("c", "t:wait", shutdown=BRUTAL_KILL), "killed", 0),
    # Python children are cancelled.
    (py(forever), "shutdown", 0),
    (py(cleans_up, 2), "shutdown", 2),
    (py(returns_when_cancelled), "shutdown", 0),
    (py(fails_in_clean_up), "error", 0),
    (py(cleans_up, 3, shutdown=2.5), "killed", 3),
    (py(cleans_up, 9, shutdown=math.inf), "shutdown", 9),
    (py(forever, shutdown=BRUTAL_KILL), "killed", 0),
    # Supervisors stop their children in order, or at once when their own time is over.
    (ChildSpec("c", root(child("x", "s:slow", "2s"), id="c")), "shutdown", 2),
    (ChildSpec("c", root(child("x", "s:slow", "4s"), id="c"), shutdown=1), "killed", 1),
    (ChildSpec("c", root(child("x", "s:deaf"), id="c"), shutdown=BRUTAL_KILL), "killed", 0),
]


@pytest.mark.parametrize(("spec", "kind", "seconds"), CASES)
async def test_a_child_is_stopped_as_its_spec_says(spec, kind, seconds, autojump_clock):
    """Invariants 31 and 33, and section 0: the kind of the end and the time it took."""
    async with trees_node() as node:
        with node.subscribe() as events:
            tree = await node.start(root(spec))
            for _ in range(20):
                await trio.lowlevel.checkpoint()
            begin = trio.current_time()
            await tree.stop()
            assert autojump_clock.current_time() - begin == pytest.approx(seconds)
            ends = [e.reason.kind.value for e in drain(events)
                    if isinstance(e, ChildExited) and e.child == "c"]  # fmt: skip
        assert ends == [kind]
        assert node.processes() == []


async def test_a_process_that_asks_for_its_events_before_it_waits_hears_the_request():
    async with trees_node() as node, node.open_process() as me:
        tree = await node.start(root(child("c", "s:late_ear")))
        me.monitor("c")
        # It has not run yet: its `main` takes its first turn after the request.
        await tree.stop()
        assert (await me.events.receive()).result == "shutdown"


async def test_watchers_of_a_process_that_could_not_hear_see_the_error_shutdown():
    async with trees_node() as node, node.open_process() as me:
        tree = await node.start(root(child("c")))
        await run_until_idle(node)
        me.monitor("c")
        await tree.stop()
        assert str((await me.events.receive()).error) == "shutdown"


async def test_children_stop_in_reverse_order_one_after_the_other(autojump_clock):
    """Invariants 14 and 32."""
    async with trees_node() as node:
        with node.subscribe() as events:
            tree = await node.start(
                root(child("a", "s:slow", "1s"), ChildSpec("b", task(cleans_up, 2)),
                     root(child("c", "s:slow", "3s"), id="in"))
            )  # fmt: skip
            await run_until_idle(node)
            drain(events)
            await tree.stop()
            assert steps(events) == [
                "stop in", "stop c", "down c shutdown", "end root/in", "down in shutdown",
                "stop b", "down b shutdown", "stop a", "down a shutdown", "end root",
            ]  # fmt: skip
    assert autojump_clock.current_time() == pytest.approx(6)


async def test_children_of_a_dynamic_supervisor_stop_together(autojump_clock):
    """Invariant 32."""
    async with trees_node() as node:
        tree = await node.start(DynamicSupervisorSpec("pool"))
        for seconds in (1, 2, 3):
            await tree.start_child(child("x", "s:slow", f"{seconds}s", name=None))
        await run_until_idle(node)
        await tree.stop()
    assert autojump_clock.current_time() == pytest.approx(3)


@pytest.mark.parametrize("shutdown", [0.5, BRUTAL_KILL])
async def test_a_child_that_swallows_cancellation_is_given_up_with_its_stack(
    shutdown, autojump_clock
):
    """Invariant 35: stop returns, and says where the task stands."""
    async with trees_node() as node:
        with node.subscribe() as events:
            tree = await node.start(
                root(ChildSpec("c", task(swallows, 60), name="c", shutdown=shutdown))
            )
            await run_until_idle(node)
            await tree.stop()
            grace = 0 if shutdown is BRUTAL_KILL else shutdown
            assert autojump_clock.current_time() == pytest.approx(grace + 1)
            (end,) = [event for event in drain(events) if isinstance(event, ChildExited)]
        assert end.reason.kind is ExitKind.KILLED
        assert isinstance(end.reason.error, Unstoppable)
        assert "in swallows" in end.reason.error.stack
        assert node.whereis("c") is None
        again = await node.start(root(child("c"), id="again"))
        assert again.which_children()["c"].pid == node.whereis("c")


async def test_the_block_of_a_node_waits_for_what_does_not_stop_and_says_for_whom(
    caplog, autojump_clock
):
    """Nothing outlives the block; a child that was given up but ended since is no matter."""
    async with trees_node() as node:
        tree = await node.start(
            root(*[ChildSpec(f"c{seconds}", task(swallows, seconds), shutdown=0)
                   for seconds in (2, 60)])
        )  # fmt: skip
        await run_until_idle(node)
        await tree.stop()
        await trio.sleep(1)
        assert autojump_clock.current_time() == pytest.approx(3)
        assert not [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert autojump_clock.current_time() == pytest.approx(60)
    (record,) = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert (record.event, record.supervisor, record.child) == ("Unstoppable", "root", "c60")
    assert record.message.startswith("root/c60 swallows its cancellation: the node's block cannot")
    assert "in swallows" in record.message


async def test_concurrent_stops_are_one_and_all_callers_are_answered(autojump_clock):
    """Invariant 36."""
    async with trees_node() as node:
        with node.subscribe() as events:
            tree = await node.start(root(child("a", "s:slow", "1s")))
            await run_until_idle(node)
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(tree.stop)
            await tree.stop()
            assert steps(events).count("stop a") == 1
    assert autojump_clock.current_time() == pytest.approx(1)


async def test_a_stop_that_its_caller_gives_up_goes_on(autojump_clock):
    """Invariant 37."""
    async with trees_node() as node:
        tree = await node.start(root(child("a", "s:slow", "2s")))
        await run_until_idle(node)
        with trio.move_on_after(1) as scope:
            await tree.stop()
        assert scope.cancelled_caught
        await tree.wait_ended()
        assert node.processes() == []
    assert autojump_clock.current_time() == pytest.approx(2)


@pytest.mark.parametrize("inner", [False, True])
async def test_a_child_may_stop_its_own_supervisor(inner):
    """Decision 13: no deadlock from inside the tree."""
    trees = []

    async def stopper():
        await trio.sleep(1)
        await trees[0].stop()

    async with trees_node() as node:
        spec = ChildSpec("s", task(stopper))
        trees.append(await node.start(root(child("a"), root(spec, id="in") if inner else spec)))
        await trees[0].wait_ended()
        assert node.processes() == []


async def test_a_child_that_dies_while_it_is_stopped_keeps_its_own_reason():
    """Invariants 33 and 38."""
    async with trees_node() as node:
        with node.subscribe() as events:
            tree = await node.start(root(child("a"), child("b", "s:slow", "1s")))
            await run_until_idle(node)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tree.stop)
                await run_until_idle(node)
                node.terminate("b")
            assert [step for step in steps(events) if step.startswith("down")] == [
                "down b killed",
                "down a shutdown",
            ]


async def test_a_child_that_has_crashed_unseen_when_it_is_stopped_is_an_error():
    """What ended before the request ended by itself."""
    async with trees_node() as node:
        with node.subscribe() as events:
            tree = await node.start(root(child("a", "t:wait")))
            await run_until_idle(node)
            node.terminate("a")
            await tree.stop()
            assert "down a killed" in steps(events)


@pytest.mark.parametrize("ready", ["s:ready", "s:never"])
async def test_a_start_under_way_is_cut_short(ready, autojump_clock):
    """Invariants 35 and 75."""
    async with trees_node() as node:
        tree = await node.start(root())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(refused, tree, child("r", ready, ready=True)))
            await run_until_idle(node)
            await tree.stop()
        assert node.processes() == []
    assert autojump_clock.current_time() == 0


async def refused(tree, spec):
    from supervise import SupervisorStoppedError  # noqa: PLC0415

    with pytest.raises(SupervisorStoppedError):
        await tree.start_child(spec)


async def test_thousands_of_children_stop_in_turns():
    """Invariant 69: others get their turns meanwhile."""
    turns = 0

    async def count():
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trees_node() as node, trio.open_nursery() as nursery:
        tree = await node.start(root(*[child(f"c{n}", name=None) for n in range(1000)]))
        await run_until_idle(node)
        nursery.start_soon(count)
        await tree.stop()
        assert turns > 10
        assert node.processes() == []
        nursery.cancel_scope.cancel()
