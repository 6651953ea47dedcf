"""Dynamic supervisors on trio: pools of Lua and Python children."""

from __future__ import annotations

import gc
import weakref

import pytest
import trio

from supervise import (
    Backoff,
    ChildSpec,
    DynamicSupervisorSpec,
    Restart,
    RestartIntensityError,
    StartError,
    lua,
    task,
)
from supervise.testing import run_until_idle
from tests import placement
from tests.trees import root, told, trees_node


def pool(**fields):
    return DynamicSupervisorSpec("pool", **fields)


async def test_children_are_restarted_with_their_own_arguments_and_those_of_all():
    got = []

    async def worker(*args):
        got.append(args)
        await told()

    async with trees_node() as node:
        tree = await node.start(pool(extra_arguments=("all",)))
        pid = (await tree.start_child(ChildSpec("x", task(worker, 1)))).pid
        await run_until_idle(node)
        node.send(pid, "x", "boom")
        await run_until_idle(node)
        assert got == [("all", 1), ("all", 1)]
        (row,) = tree.which_children().values()
        assert row.pid not in (None, pid)


async def test_the_limit_is_shared_by_all_children():
    with pytest.raises(RestartIntensityError, match="pool gave up"):
        async with trees_node() as node:
            tree = await node.start(pool(max_restarts=1))
            for _ in range(2):
                pid = (await tree.start_child(ChildSpec("x", lua("s:told")))).pid
                node.send(pid, "x", "boom")
            await trio.sleep_forever()


async def test_a_restarting_child_can_be_terminated_by_its_last_pid():
    async with trees_node() as node:
        tree = await node.start(pool())
        spec = ChildSpec("x", lua("s:told"), backoff=Backoff(initial=50))
        pid = (await tree.start_child(spec)).pid
        node.send(pid, "x", "boom")
        await run_until_idle(node)
        assert tree.get_child_spec(pid) == spec
        await tree.terminate_child(pid)
        assert tree.which_children() == {}
        assert len(node.life.trees.alarms) == 0


async def test_a_failed_start_leaves_no_record():
    async with trees_node() as node:
        tree = await node.start(pool())
        with pytest.raises(StartError, match="entry not found"):
            await tree.start_child(ChildSpec("x", lua("no.such:entry")))
        assert tree.which_children() == {}


async def test_thousands_of_children_come_and_go():
    """Invariant 69, by count: all are up, all restart, none is left."""
    many = placement.fewer(2000)
    async with trees_node() as node:
        tree = await node.start(root(pool(max_restarts=5000), id="top"))
        dynamic = node.supervisor(tree.which_children()["pool"].pid)
        pids = [(await dynamic.start_child(ChildSpec("x", lua("s:told")))).pid for _ in range(many)]
        for pid in pids:
            node.send(pid, "x", "boom")
        await run_until_idle(node)
        after = {row.pid for row in dynamic.which_children().values()}
        assert len(after) == many
        assert not after & set(pids)
        assert tree.which_children()["pool"].pid == dynamic.pid
        await tree.stop()
        assert node.processes() == []


async def test_the_arguments_of_a_temporary_child_are_let_go():
    """Invariant 68."""

    class Argument:
        pass

    async def short(argument):
        await told()

    async with trees_node() as node:
        tree = await node.start(pool())
        argument = Argument()
        reference = weakref.ref(argument)
        started = await tree.start_child(
            ChildSpec("x", task(short, argument), restart=Restart.TEMPORARY)
        )
        del argument
        await run_until_idle(node)
        node.send(started.pid, "x")
        await run_until_idle(node)
        gc.collect()
        assert reference() is None
