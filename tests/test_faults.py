"""Faults at every step of a node with trees, and whatever the step: nothing is left behind.

A scenario starts, crashes, restarts, changes and stops a mixed tree. It runs again and again, each
time with a fault one step later, until a run has no such step.
"""

from __future__ import annotations

import logging
import signal
from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock

from supervise import (
    Backoff,
    ChildSpec,
    ChildState,
    ChildStopping,
    DynamicSupervisorSpec,
    Ignore,
    Restart,
    Strategy,
    SupervisorExited,
    SupervisorSpec,
    current_process,
    task,
)
from supervise import _events as ev
from supervise import lua as lua_start
from tests.programs import lua
from tests.trees import child, trees_node

AT_LAST = 10_000.0
ENTRIES = {
    "f:talks": lua("print('up') local why = process.inbox():receive():payload() error(why, 0)"),
    "f:slow": lua(
        "process.started('up') process.events():receive() time.sleep('2s') print('down')"
    ),
}
ALIVE = (ChildState.STARTING, ChildState.RUNNING, ChildState.STOPPING)


class HangsError(Exception):
    """Nothing can happen any more, and the scenario is not over."""


def clock():
    """A virtual clock that ends a run in which everybody waits for ever."""
    mock = MockClock(autojump_threshold=0)
    show = mock.current_time

    def current_time():
        if show() >= AT_LAST:
            raise HangsError
        return show()

    mock.current_time = current_time
    return mock


class Steps(trio.abc.Instrument):
    """Brings about a fault before the nth step that any task takes, or `only` this one."""

    def __init__(self, at, fault):
        self.left, self.fault = at, fault
        self.only = None

    def before_task_step(self, task):
        if self.only in (None, task):
            self.left -= 1
            if self.left == 0:
                self.fault()


class Witness:
    """Sees each step of the supervisors as it happens, and all Python children."""

    def __init__(self, node):
        self.node = node
        self.tables = {}
        self.living = set()
        self.publish, node.publish = node.publish, self.see

    def see(self, event):
        table = self.tables.setdefault(event.supervisor, {})
        if isinstance(event, ChildStopping) and event.supervisor != "root/pool":
            siblings = list(table)
            later = siblings[siblings.index(event.child) + 1 :]
            assert all(table[key].state not in ALIVE for key in later), "invariant 14"
        ev.apply(table, event)
        if isinstance(event, SupervisorExited):
            path = event.supervisor
            assert not [one for one in self.living if one.startswith(f"{path}/")], "invariant 2"
            if path == "root":
                entries = {info.entry for info in self.node.processes()}
                assert not entries & {*ENTRIES, "t:wait"}, "invariant 2"
        self.publish(event)

    async def worker(self, path, cleanup=0, task_status=trio.TASK_STATUS_IGNORED):
        self.living.add(path)
        try:
            await trio.lowlevel.checkpoint()
            task_status.started(path)
            with suppress(trio.EndOfChannel):
                message = await current_process().receive()
                raise RuntimeError(message.payload)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(cleanup)
            self.living.remove(path)

    def tree(self):
        def py(path, **fields):
            cleanup = fields.pop("cleanup", 0)
            id_ = path.rpartition("/")[2]
            return ChildSpec(id_, task(self.worker, path, cleanup), name=id_, **fields)

        async def not_needed(task_status):
            raise Ignore

        return SupervisorSpec("root", strategy=Strategy.REST_FOR_ONE, max_restarts=9, children=[
            child("slow", "f:slow", ready=True),
            py("root/first", cleanup=1),
            ChildSpec("ignored", task(not_needed)),
            SupervisorSpec("group", name="group", strategy=Strategy.ONE_FOR_ALL, children=[
                child("talks", "f:talks", backoff=Backoff(initial=1)),
                py("root/group/second"),
            ]),
            DynamicSupervisorSpec("pool", name="pool", extra_arguments=("root/pool/one",)),
        ])  # fmt: skip


async def live(node, witness):
    """The scenario."""
    root = await node.start(witness.tree())
    pool, group = node.supervisor("pool"), node.supervisor("group")
    await pool.start_child(ChildSpec("one", task(witness.worker)))
    await pool.start_child(ChildSpec("two", lua_start("t:wait"), restart=Restart.TEMPORARY))
    node.send("talks", "end", "boom")
    await trio.sleep(2)
    await group.terminate_child("second")
    await group.restart_child("second")
    node.send("first", "end", "boom")
    await trio.sleep(5)
    await root.start_child(child("late", "f:slow"))
    await root.terminate_child("late")
    await root.delete_child("late")
    await root.stop()


class Run:
    """One run of the scenario, which a fault may hit before any step or in any callback.

    Args:
        step: Before which step of a task `fault` happens.
        turn: Before which step of the main task it happens.
        call: In which call of a callback, the node's output or a handler of the log, it happens.
        fault: What happens; it is given the scope around the node.
    """

    def __init__(self, fault, step=0, turn=0, call=0):
        self.fault, self.turn, self.call = fault, turn, call
        self.steps = Steps(step or turn, lambda: fault(self.scope))
        self.scope = trio.CancelScope()
        self.node = self.witness = None
        self.ended = False

    def run(self):
        logger = logging.getLogger("supervise")
        logger.addFilter(self.called)
        try:
            trio.run(self.main, clock=clock(), instruments=[self.steps])
        finally:
            logger.removeFilter(self.called)

    async def main(self):
        trio.lowlevel.spawn_system_task(trio.sleep, AT_LAST + 1)
        if self.turn:
            self.steps.only = trio.lowlevel.current_task()
        with self.scope:
            async with trees_node(entries=ENTRIES, output=self.called) as node:
                self.node, self.before = node, held(node)
                self.witness = Witness(node)
                await live(node, self.witness)
                self.ended = True

    def called(self, *_):
        self.call -= 1
        if self.call == 0:
            self.fault(self.scope)
        return True

    def check(self, *, in_order=True):
        """Invariants 2 and 67: nothing lives, waits or is kept, however the run ended."""
        if self.witness is None:
            return
        assert not self.witness.living
        assert not self.node._processes
        if in_order:
            assert held(self.node) == self.before


def held(node):
    """What a node holds."""
    trees, counts = node.life.trees, node._kernel.statistics()
    return {
        "kernel": (counts.processes, counts.names, counts.timers),
        "supervisors": (trees and len(trees.supervisors) + len(trees._roots)) or 0,
        "children": len(node._processes) + ((trees and len(trees._seats) + len(trees.strays)) or 0),
        "alarms": (trees and len(trees.alarms)) or 0,
    }


def sweep(fault, *, at, raised=trio.Cancelled, in_order=True):
    """Run with the fault at each step, or in each call; returns how many there are."""
    n, over = 0, False
    while not over:
        n += 1
        run = Run(fault, **{at: n})
        try:
            run.run()
        except* raised:
            pass
        run.check(in_order=in_order)
        over = max(run.steps.left, run.call) > 0
    assert run.ended
    return n


def test_a_cancellation_at_any_step_stops_everything_in_order():
    """Invariants 2, 14 and 67."""
    assert sweep(trio.CancelScope.cancel, at="step") > 90


def test_an_interrupt_at_any_await_leaves_nothing_behind():
    """Invariants 2 and 14: it comes out where the program waits, which may be for the last stop."""

    def interrupt(_):
        signal.raise_signal(signal.SIGINT)

    assert sweep(interrupt, at="turn", raised=KeyboardInterrupt, in_order=False) > 15


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt])
def test_a_callback_that_raises_anywhere_leaves_nothing_behind(error):
    """Invariants 2 and 14; the error comes out of the node's block."""

    def fail(_):
        raise error

    assert sweep(fail, at="call", raised=error, in_order=False) > 7
