"""What tests of a tree wait for and compare. Nothing here sleeps or polls: it waits for events."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import trio
from trio.testing import wait_all_tasks_blocked

from supervise._errors import ChildNotFoundError, NodeClosedError
from supervise._events import ChildEvent, ChildState, Event
from supervise._reasons import described
from supervise._supervisor import Supervisor
from supervise.testing import _inside
from supervise.testing._tree_text import Expected, difference, expected_lines, tree_lines
from supervise.testing._wait import awaiting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervise._events import ChildRow
    from supervise._lifecycle import LifecycleEvent
    from supervise._node import Node
    from supervise._process import Exit
    from supervise._reasons import ChildKey


async def run_until_idle(node: Node) -> None:
    """Wait until nothing can go on by itself: everything waits for a message, a time, or I/O.

    Every Lua process waits, everything they asked for is done, and every task of the trio run
    waits, those of the test included. The clock does not move meanwhile, if it is a virtual one.

    Raises:
        AwaitedInVainError: Something never waits.
    """
    with awaiting(node, "everything to be idle"):
        await wait_all_tasks_blocked()


async def wait_exit(node: Node, dest: str) -> Exit:
    """Wait for the end of a process: Lua, Python or a supervisor.

    Args:
        node: Where it runs.
        dest: Its pid or name; a name is resolved once, at the call.

    Returns:
        How it ended.

    Raises:
        NoProcessError: It is not alive now.
        AwaitedInVainError: It does not end.
    """
    with awaiting(node, f"the end of {dest}"):
        return await node.wait_exit(dest)


async def kill_and_wait(node: Node, dest: str) -> Exit:
    """End a process by force and wait until it has ended.

    Its watchers have been told, and its supervisor may have restarted it: the `pid` of what is
    returned is the one that was ended, for `wait_restarted(..., after=exit.pid)`.

    Args:
        node: Where it runs.
        dest: Its pid or name.

    Raises:
        NoProcessError: It is not alive.
        AwaitedInVainError: It does not end.
    """
    with awaiting(node, f"the end of {dest}, which was terminated"):
        async with node.open_process() as watcher:
            pid = node.whereis(dest) or dest
            watcher.monitor(pid)
            node.terminate(pid)
            return cast("Exit", await watcher.events.receive())


async def wait_restarted(supervisor: Supervisor, child: ChildKey, *, after: object = None) -> str:
    """Wait until a child runs in a later life than now; returns its pid.

    Args:
        supervisor: Its supervisor; what is waited for must happen while this one lives.
        child: Its id; under a dynamic supervisor its pid, or what `which_children` calls it.
        after: The pid of the life that ended, where the restart may be over already.

    Raises:
        ChildNotFoundError: The supervisor has no such child.
        AssertionError: It will not run again: it is stopped or gone, or the supervisor ended.
        AwaitedInVainError: It is not restarted.

    Example:
        ended = await kill_and_wait(node, "stock")
        await wait_restarted(shop, "stock", after=ended.pid)
    """
    key = _inside.key_of(supervisor, child)
    where = f"{supervisor.path}/{child}"
    first = supervisor.which_children().get(key)
    if first is None:
        raise ChildNotFoundError(supervisor.path, str(child))
    node = _inside.node_of(supervisor)
    with node.subscribe() as events, awaiting(node, f"{where} to be restarted"):
        while True:
            row = supervisor.which_children().get(key)
            if row is not None and _is_later(row, first, after):
                await trio.lowlevel.checkpoint()
                return str(row.pid)
            _refuse_if_over(supervisor, row, where)
            await _next_of(events, supervisor, key)


def _is_later(row: ChildRow, first: ChildRow, after: object) -> bool:
    if row.state is not ChildState.RUNNING:
        return False
    if after is not None:
        return row.pid != after
    return row.incarnation > first.incarnation or first.state is ChildState.STARTING


def _refuse_if_over(supervisor: Supervisor, row: ChildRow | None, where: str) -> None:
    reason = _inside.ended_with(supervisor)
    if reason is not None:
        why = f"{supervisor.path} has ended ({described(reason)})"
    elif row is None:
        why = "it is gone"
    elif row.state is ChildState.STOPPED:
        why = "it is stopped, and stays so until restart_child"
    else:
        return
    raise AssertionError(f"waited for {where} to be restarted, in vain: {why}")


async def _next_of(
    events: trio.MemoryReceiveChannel[LifecycleEvent], supervisor: Supervisor, key: ChildKey
) -> None:
    """Wait for the next event of the supervisor or of this child."""
    async for event in events:
        if not isinstance(event, Event) or event.supervisor != supervisor.path:
            continue
        if not isinstance(event, ChildEvent) or event.child == key:
            return
    raise NodeClosedError


def assert_tree(of: Node | Supervisor, expected: str | Mapping[str, Expected]) -> None:
    """Compare the trees of a node, or what is from a supervisor down, with what is expected.

    Args:
        of: A node, for all of its trees, or a supervisor.
        expected: Lines with an id each, in start order and indented below their supervisor; after
            `: ` may stand a state, which is `running` otherwise. Or the same as a mapping: id to
            state, or to the children of a running supervisor, as a mapping, or as a list if they
            all run.

    Raises:
        AssertionError: They differ; the message shows where.
        ValueError: `expected` has something that is no state.

    Example:
        assert_tree(node, '''
            shop
              stock
              tills
                till_1
                till_2: waiting
            ''')
        assert_tree(node, {"shop": {"stock": "running", "tills": ["till_1", "till_2"]}})
    """
    __tracebackhide__ = True
    wanted = expected_lines(expected)
    actual = tree_lines([of] if isinstance(of, Supervisor) else of.trees())
    if wanted != actual:
        shown = difference(wanted, actual)
        raise AssertionError(f"the tree is not as expected (- expected, + is):\n{shown}")
