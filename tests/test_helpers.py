"""What tests of trees wait for and compare, and what they say when it does not come."""

from __future__ import annotations

import pytest
import trio

from supervise import (
    Backoff,
    ChildNotFoundError,
    ChildSpec,
    ChildState,
    DynamicSupervisorSpec,
    NoProcessError,
    Restart,
    Supervisor,
    lua,
    task,
)
from supervise.testing import (
    AwaitedInVainError,
    assert_tree,
    kill_and_wait,
    run_until_idle,
    wait_exit,
    wait_restarted,
)
from tests.programs import ENTRIES
from tests.trees import CHILDREN, child, forever, root, state

pytestmark = pytest.mark.supervise(entries={**ENTRIES, **CHILDREN}, output=lambda _pid, _text: None)


@pytest.fixture
async def tree(node) -> Supervisor:
    return await node.start(root(child("a"), child("b", "s:told", backoff=Backoff(initial=50))))


# run_until_idle


async def test_idle_is_when_all_that_can_be_done_is_done(node, autojump_clock):
    seen = []
    ring = [await node.spawn("t:echo") for _ in range(2)]
    async with node.open_process() as me, trio.open_nursery() as nursery:

        async def read():
            async for message in me.inbox:
                seen.append(message.payload)
                if message.payload < 3000:
                    me.send(ring[message.payload % 2], "n", message.payload + 1)

        nursery.start_soon(read)
        me.send(ring[0], "n", 1)
        await run_until_idle(node)
        assert seen == list(range(1, 3001))
        nursery.cancel_scope.cancel()
    await node.spawn("t:sleep", "1h")
    await run_until_idle(node)
    assert autojump_clock.current_time() == 0


@pytest.mark.supervise(allow_leaks=["processes"])
async def test_what_never_waits_is_named(node, monkeypatch):
    monkeypatch.setattr("supervise.testing._wait.PATIENCE", 0.05)
    pid = await node.spawn("t:busy")
    with pytest.raises(AwaitedInVainError, match="without ever waiting") as caught:
        await run_until_idle(node)
    assert f"{pid} t:busy: ready" in str(caught.value)


# wait_exit, kill_and_wait


async def test_an_exit_has_the_result(node):
    pid = await node.spawn("t:once")
    node.send(pid, "n", 3)
    end = await wait_exit(node, pid)
    assert (end.pid, end.result, end.error) == (pid, 3, None)


@pytest.mark.parametrize("helper", [wait_exit, kill_and_wait])
async def test_nobody_there(node, helper):
    with pytest.raises(NoProcessError, match="nobody"):
        await helper(node, "nobody")


async def test_an_exit_that_does_not_come(node, tree):
    with pytest.raises(AwaitedInVainError) as caught:
        await wait_exit(node, "a")
    assert str(caught.value).splitlines() == [
        "waited for the end of a, in vain: it did not come within 86400 s of virtual time",
        "root: running",
        "  a: running",
        "  b: running",
    ]


async def test_an_outer_scope_is_sooner(node, tree):
    with trio.move_on_after(1) as scope:
        await wait_exit(node, "a")
    assert scope.cancelled_caught
    assert trio.current_time() == 1


async def test_patience_on_a_real_clock(monkeypatch, node, tree):
    monkeypatch.setattr("supervise.testing._wait.MockClock", type(None))  # none is virtual
    with pytest.raises(AwaitedInVainError, match=r"within 10 s\n"):
        await wait_exit(node, "a")


async def test_what_is_killed_has_ended(node, tree):
    pid = node.whereis("a")
    end = await kill_and_wait(node, "a")
    assert (end.pid, end.error.message) == (pid, "process terminated")
    assert node.whereis("a") != pid


async def test_python_children_and_supervisors_are_killed_too(node):
    sub = ChildSpec("sub", root(child("x"), id="sub", name="sub"))
    top = await node.start(root(ChildSpec("py", task(forever), name="py"), sub))
    before = {key: row.pid for key, row in top.which_children().items()}
    for name, pid in before.items():
        end = await kill_and_wait(node, name)
        assert end.pid == pid
        assert await wait_restarted(top, name, after=end.pid) == node.whereis(name)
    assert_tree(top, {"root": {"py": "running", "sub": ["x"]}})


# wait_restarted


async def test_a_restart_after_its_backoff(node, tree, autojump_clock):
    old = node.whereis("b")
    node.send("b", "why", "boom")
    pid = await wait_restarted(tree, "b")
    assert pid == node.whereis("b") != old
    assert autojump_clock.current_time() >= 50 * 0.5


async def test_a_restart_that_is_under_way(node, tree):
    await kill_and_wait(node, "b")
    await run_until_idle(node)
    assert state(tree, "b") == "waiting"
    assert await wait_restarted(tree, "b") == node.whereis("b")


async def test_a_restart_that_is_over(node, tree):
    end = await kill_and_wait(node, "a")
    await run_until_idle(node)
    assert await wait_restarted(tree, "a", after=end.pid) == node.whereis("a")
    with pytest.raises(AwaitedInVainError, match="root/a to be restarted"):
        await wait_restarted(tree, "a")


async def test_a_restart_of_a_dynamic_child_by_its_last_pid(node):
    pool = await node.start(DynamicSupervisorSpec("pool"))
    first = (await pool.start_child(ChildSpec("x", lua("s:told")))).pid
    node.terminate(first)
    second = await wait_restarted(pool, first)
    node.terminate(second)
    assert await wait_restarted(pool, second) not in (first, second)
    assert_tree(pool, {"pool": ["x"]})


@pytest.mark.parametrize(
    ("restart", "why"), [(Restart.TRANSIENT, "it is stopped"), (Restart.TEMPORARY, "it is gone")]
)
async def test_no_restart_comes(node, restart, why):
    tree = await node.start(root(child("a", "s:told", restart=restart)))
    node.send("a", "why", False)
    with pytest.raises(AssertionError, match=why):
        await wait_restarted(tree, "a")


async def test_no_restart_comes_from_a_supervisor_that_ends(node, tree):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tree.stop)
        with pytest.raises(AssertionError, match=r"root has ended \(shutdown\)|it is stopped"):
            await wait_restarted(tree, "a")
    with pytest.raises(ChildNotFoundError):
        await wait_restarted(tree, "a")


async def test_a_restart_of_nobody(node, tree):
    with pytest.raises(ChildNotFoundError, match="root has no child 'c'"):
        await wait_restarted(tree, "c")


# assert_tree


async def test_trees_as_text_and_as_values(node, tree):
    await node.start(root(ChildSpec("sub", root(child("x"), id="sub")), id="top"))
    await tree.terminate_child("a")
    assert_tree(
        node,
        """
        root
            a: stopped
            b
        top: running
          sub
             x
        """,
    )
    stopped = {"a": ChildState.STOPPED, "b": "running"}
    assert_tree(node, {"root": stopped, "top": {"sub": ["x"]}})
    assert_tree(tree, {"root": stopped})


async def test_a_supervisor_that_has_ended(node, tree):
    await tree.stop()
    assert_tree(tree, "root: stopped")
    assert_tree(node, {})


async def test_a_difference_is_shown(node, tree):
    await tree.terminate_child("a")
    with pytest.raises(AssertionError) as caught:
        assert_tree(node, {"root": ["a", "b", "c"]})
    assert str(caught.value).splitlines() == [
        "the tree is not as expected (- expected, + is):",
        "  root: running",
        "-   a: running",
        "+   a: stopped",
        "    b: running",
        "-   c: running",
    ]


async def test_the_order_counts(node, tree):
    with pytest.raises(AssertionError, match="the tree is not as expected"):
        assert_tree(node, {"root": ["b", "a"]})


@pytest.mark.parametrize("expected", [{"root": {"a": "up"}}, "root\n  a: up"])
async def test_a_state_that_is_none(node, tree, expected):
    with pytest.raises(ValueError, match="a: 'up' is no state; write one of waiting, starting"):
        assert_tree(node, expected)
