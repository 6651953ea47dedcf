"""Calls to a supervisor: the table of supervision.md section 8, and callers that give up."""

from __future__ import annotations

import pytest
import trio

from supervise import (
    Backoff,
    ChildExistsError,
    ChildNotFoundError,
    ChildRunningError,
    ChildSpec,
    DynamicSupervisorSpec,
    ExitKind,
    NotSupportedError,
    Restart,
    SpecError,
    StartError,
    SupervisorStoppedError,
    TooManyChildrenError,
    lua,
)
from supervise.testing import run_until_idle
from tests.trees import child, root, state, trees_node

CALLS = {
    "start": lambda tree: tree.start_child(child("c")),
    "terminate": lambda tree: tree.terminate_child("c"),
    "restart": lambda tree: tree.restart_child("c"),
    "delete": lambda tree: tree.delete_child("c"),
}


async def bring(node, tree, wanted):
    """Bring the child `c` into a state."""
    if wanted == "restarting":
        await tree.start_child(child("c", "s:told", backoff=Backoff(initial=50)))
        node.send("c", "x", "boom")
        await run_until_idle(node)
        assert state(tree, "c") == "waiting"
    elif wanted != "absent":
        await tree.start_child(child("c"))
        if wanted == "stopped":
            await tree.terminate_child("c")


@pytest.mark.parametrize(
    ("call", "wanted", "outcome"),
    [
        ("start", "absent", "running"),
        ("start", "running", ChildExistsError),
        ("start", "stopped", ChildExistsError),
        ("start", "restarting", ChildExistsError),
        ("terminate", "absent", ChildNotFoundError),
        ("terminate", "running", "stopped"),
        ("terminate", "stopped", "stopped"),
        ("terminate", "restarting", "stopped"),
        ("restart", "absent", ChildNotFoundError),
        ("restart", "running", ChildRunningError),
        ("restart", "stopped", "running"),
        ("restart", "restarting", ChildRunningError),
        ("delete", "absent", ChildNotFoundError),
        ("delete", "running", ChildRunningError),
        ("delete", "stopped", None),
        ("delete", "restarting", ChildRunningError),
    ],
)
async def test_a_call_answers_as_the_state_of_the_child_says(call, wanted, outcome):
    """Invariants 61 and 62."""
    async with trees_node() as node:
        tree = await node.start(root())
        await bring(node, tree, wanted)
        before = tree.which_children()
        if isinstance(outcome, type):
            with pytest.raises(outcome) as caught:
                await CALLS[call](tree)
            assert caught.value.child == "c"
            assert "root" in str(caught.value)
            assert tree.which_children() == before
        else:
            await CALLS[call](tree)
            assert state(tree, "c") == outcome


async def test_start_child_says_the_pid_and_adds_in_last_place():
    """Invariant 21."""
    async with trees_node() as node:
        tree = await node.start(root(child("a"), child("b")))
        started = await tree.start_child(child("c"))
        assert started.pid == node.whereis("c")
        assert list(tree.which_children()) == ["a", "b", "c"]


async def test_a_start_that_fails_is_an_error_and_changes_nothing():
    """Invariants 62 and 64."""
    async with trees_node() as node:
        tree = await node.start(root(child("a")))
        with pytest.raises(StartError, match=r"root/c did not start .*entry not found"):
            await tree.start_child(child("c", "no.such:entry"))
        with pytest.raises(SpecError, match="shutdown"):
            await tree.start_child(child("c", shutdown=-1))
        with pytest.raises(StartError, match="already registered"):
            await tree.start_child(child("c", name="a"))
        assert list(tree.which_children()) == ["a"]


async def test_counts_and_specs():
    """Invariant 6."""
    async with trees_node() as node:
        tree = await node.start(root(child("a"), child("b"), root(id="in")))
        await tree.terminate_child("a")
        counts = tree.count_children()
        assert (counts.specs, counts.active, counts.supervisors, counts.workers) == (3, 2, 1, 2)
        assert tree.get_child_spec("a") == child("a")
        with pytest.raises(ChildNotFoundError, match="no child 'z'"):
            tree.get_child_spec("z")


async def test_a_temporary_child_is_gone_once_it_is_terminated():
    async with trees_node() as node:
        tree = await node.start(root(child("t", restart=Restart.TEMPORARY)))
        await tree.terminate_child("t")
        with pytest.raises(ChildNotFoundError):
            await tree.restart_child("t")
        await tree.start_child(child("t"))


async def test_a_supervisor_that_ends_or_has_ended_refuses_calls():
    async with trees_node() as node:
        tree = await node.start(root(child("s", "s:slow", "1s")))
        await run_until_idle(node)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.stop)
            await run_until_idle(node)
            with pytest.raises(SupervisorStoppedError, match="is ending"):
                await tree.start_child(child("c"))
        for call in CALLS.values():
            with pytest.raises(SupervisorStoppedError, match="has ended"):
                await call(tree)
        await tree.stop()


async def test_queries_do_not_wait_for_a_slow_start_or_stop(autojump_clock):
    """Invariant 66."""
    async with trees_node() as node, trio.open_nursery() as nursery:
        tree = await node.start(root(child("s", "s:slow", "4s")))
        await run_until_idle(node)
        nursery.start_soon(tree.terminate_child, "s")
        nursery.start_soon(tree.start_child, child("r", "s:ready", ready=True))
        await run_until_idle(node)
        assert (state(tree, "s"), state(tree, "r")) == ("stopping", "starting")
        await tree.start_child(child("c"))
        assert autojump_clock.current_time() == 0
        node.send("r", "go", 1)


async def cancelled_after(count, call):
    """Cancel a call at its nth checkpoint; returns whether that was before its end."""
    with trio.CancelScope() as scope:
        turns = 0

        def abort():
            nonlocal turns
            turns += 1
            if turns == count:
                scope.cancel()

        class Counter(trio.abc.Instrument):
            task = trio.lowlevel.current_task()

            def before_task_step(self, task):
                if task is self.task:
                    abort()

        counter = Counter()
        if count == 0:
            scope.cancel()
        trio.lowlevel.add_instrument(counter)
        try:
            await call
        finally:
            trio.lowlevel.remove_instrument(counter)
    return scope.cancelled_caught


@pytest.mark.parametrize("count", [0, 1, 2, None])
@pytest.mark.parametrize(
    ("call", "wanted", "results"),
    [
        ("start", "absent", (None, "running")),
        ("terminate", "running", ("running", "stopped")),
        ("restart", "stopped", ("stopped", "running")),
        ("delete", "stopped", ("stopped", None)),
    ],
)
async def test_a_caller_cancelled_anywhere_leaves_the_state_before_or_after(
    call, wanted, results, count
):
    """Invariant 65."""
    async with trees_node() as node:
        tree = await node.start(root())
        await bring(node, tree, wanted)
        await cancelled_after(count, CALLS[call](tree))
        await run_until_idle(node)
        assert state(tree, "c") in results
        if count == 0:
            assert state(tree, "c") == results[0]


@pytest.mark.parametrize("count", [0, 1, 2, 3, None])
async def test_a_stop_cancelled_anywhere_has_stopped_the_tree_or_not_begun(count):
    """Invariants 37 and 65."""
    async with trees_node() as node:
        tree = await node.start(root(child("c", "s:slow", "1s")))
        await run_until_idle(node)
        cancelled = await cancelled_after(count, tree.stop())
        if count == 0:
            assert cancelled
            assert state(tree, "c") == "running"
        else:
            await tree.wait_ended()
            assert node.processes() == []


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, None])
async def test_a_start_cancelled_anywhere_has_started_the_tree_or_nothing(count):
    """Invariant 65: who is not told of a tree cannot stop it, so it is stopped."""
    async with trees_node() as node:
        spec = root(child("c", "s:ready", ready=True), child("d"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tell_when_there, node)
            cancelled = await cancelled_after(count, node.start(spec))
            nursery.cancel_scope.cancel()
        await run_until_idle(node)
        entries = [info.entry for info in node.processes()]
        assert entries == ([] if cancelled else ["root", "s:ready", "t:wait"])
        assert len(node.trees()) == (not cancelled)


async def tell_when_there(node):
    await node.wait_registered("c")
    node.send("c", "go")


async def test_calls_to_a_tree_whose_node_has_ended_are_refused():
    async with trees_node() as node:
        tree = await node.start(root(child("c")))
    for call in CALLS.values():
        with pytest.raises(SupervisorStoppedError, match="has ended"):
            await call(tree)
    await tree.stop()
    assert (await tree.wait_ended()).kind is ExitKind.SHUTDOWN


async def test_callers_outside_the_block_learn_that_the_node_broke_down():
    refused = []

    async def call(supervisor):
        with pytest.raises(SupervisorStoppedError):
            await supervisor.start_child(child("r", "s:ready", name=None, ready=True))
        refused.append(supervisor.path)

    def broken(_pid, _text):
        raise LookupError("the pipe is broken")

    async with trio.open_nursery() as nursery:
        with pytest.raises(LookupError):
            async with trees_node(output=broken) as node:
                tree = await node.start(root(root(id="in", name="in")))
                for supervisor in (tree, node.supervisor("in")):
                    nursery.start_soon(call, supervisor)
                await run_until_idle(node)
                await node.spawn("t:print", "x")
                await trio.sleep_forever()
    assert sorted(refused) == ["root", "root/in"]


async def test_a_caller_that_gives_up_while_a_start_is_under_way_does_not_stop_it():
    """Invariant 65."""
    async with trees_node() as node:
        tree = await node.start(root())
        with trio.move_on_after(1) as scope:
            await tree.start_child(child("r", "s:ready", ready=True))
        assert scope.cancelled_caught
        assert state(tree, "r") == "starting"
        node.send("r", "go")
        await run_until_idle(node)
        assert state(tree, "r") == "running"


async def test_calls_about_a_child_that_is_being_stopped_wait_for_it():
    async with trees_node() as node:
        tree = await node.start(root(child("s", "s:slow", "1s")))
        await run_until_idle(node)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tree.terminate_child, "s")
            await run_until_idle(node)
            nursery.start_soon(tree.restart_child, "s")
        assert state(tree, "s") == "running"


# Dynamic supervisors


async def test_a_dynamic_supervisor_keeps_no_stopped_child():
    async with trees_node() as node:
        tree = await node.start(DynamicSupervisorSpec("pool", max_children=1))
        pid = (await tree.start_child(ChildSpec("x", lua("t:wait")))).pid
        with pytest.raises(TooManyChildrenError):
            await tree.start_child(ChildSpec("x", lua("t:wait")))
        for call in (tree.restart_child, tree.delete_child):
            with pytest.raises(NotSupportedError, match="pool is dynamic"):
                await call(pid)
        await tree.terminate_child(pid)
        with pytest.raises(ChildNotFoundError):
            await tree.terminate_child(pid)
        with pytest.raises(ChildNotFoundError):
            tree.get_child_spec(pid)
