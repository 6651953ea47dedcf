"""What pids and names of supervised children mean over their restarts."""

from __future__ import annotations

from collections import Counter

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from supervise import ChildSpec, NameRegistered, NameReleased, NoProcessError, StartError, task
from tests.programs import lua
from tests.trees import child, root, told, trees_node

KINDS = [child("c", "s:told"), ChildSpec("c", task(told), name="c")]


def waiting(events):
    """The events that wait."""
    seen = []
    while True:
        try:
            seen.append(events.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return seen


@pytest.mark.parametrize("spec", KINDS, ids=str)
async def test_a_name_has_one_holder_at_a_time_and_is_released_once(spec):
    """Invariants 43 and 44."""
    async with trees_node() as node:
        with node.subscribe() as events:
            tree = await node.start(root(spec))
            with pytest.raises(StartError, match="already registered"):
                await tree.start_child(child("d", name="c"))
            for _ in range(2):
                node.send("c", "end", "boom")
                await wait_all_tasks_blocked()
            await tree.stop()
            await wait_all_tasks_blocked()
            seen = waiting(events)
    holder, released = None, Counter()
    for event in seen:
        if isinstance(event, NameRegistered):
            assert holder is None
            holder = event.pid
        elif isinstance(event, NameReleased):
            assert event.pid == holder
            holder = None
            released[event.pid] += 1
    assert list(released.values()) == [1, 1, 1]


@pytest.mark.parametrize("spec", KINDS, ids=str)
async def test_who_sees_the_end_of_a_child_finds_its_name_free_or_with_the_next_one(spec):
    """Invariants 45 and 46."""
    watch = lua("""
        local events = process.events()
        local old = process.registry.lookup("c")
        process.monitor(old)
        process.send("c", "end", "boom")
        local seen = events:receive()
        return {gone = seen.from == old, still = process.registry.lookup("c") == old}""")
    async with trees_node(entries={"n:watch": watch}) as node:
        tree = await node.start(root(spec))
        assert await node.exec("n:watch") == {"gone": True, "still": False}
        await wait_all_tasks_blocked()
        assert node.whereis("c") == tree.which_children()["c"].pid


@pytest.mark.parametrize("spec", KINDS, ids=str)
async def test_a_message_to_a_pid_never_reaches_the_next_one(spec):
    """Invariant 47: and one to a name is for who holds it when it is sent."""
    async with trees_node() as node:
        tree = await node.start(root(spec))
        old = node.whereis("c")
        # The second is read by nobody: it was for the one that the first has ended.
        node.send("c", "end", "boom")
        node.send("c", "end", "boom")
        await wait_all_tasks_blocked()
        new = node.whereis("c")
        assert tree.child("c").restarts == 1
        with pytest.raises(NoProcessError):
            node.send(old, "end", "boom")
        await wait_all_tasks_blocked()
        assert node.whereis("c") == new
