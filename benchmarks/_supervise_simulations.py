"""Simulations of our own: how long one takes. Knows how a tree is simulated, and no workload."""

from __future__ import annotations

import time

from specs import ChildSpec, Entry, Restart, SupervisorSpec, lua
from supervise.testing import FaultPlan, KillAtStep, Sent, simulate

CHILDREN = 10
MESSAGES = 2000  # to itself, of the process whose steps are timed

_ENTRIES = {
    "bench:waiter": Entry(
        text="return function() local inbox = process.inbox() while true do inbox:receive() end end"
    ),
    "bench:talker": Entry(
        text="return function(n) local me, inbox = process.pid(), process.inbox() "
        "for i = 1, n do process.send(me, 'n', i) inbox:receive() end end"
    ),
}
_TREE = SupervisorSpec(
    "top", children=[ChildSpec(f"c{i}", lua("bench:waiter")) for i in range(CHILDREN)]
)
_TALK = SupervisorSpec(
    "top",
    children=[ChildSpec("talker", lua("bench:talker", MESSAGES), restart=Restart.TEMPORARY)],
)


def simulate_schedules(count: int) -> float:
    """Seconds for each of many schedules of a tree, in each of which another child is killed."""
    plans = [FaultPlan([KillAtStep(f"top/c{i % CHILDREN}", 2)]) for i in range(count)]
    started = time.perf_counter()
    for seed, plan in enumerate(plans):
        simulate(_TREE, seed=seed, faults=plan, entries=_ENTRIES)
    return (time.perf_counter() - started) / count


def simulate_steps() -> float:
    """Seconds for each request that a process makes in a simulation, notes of it included."""
    started = time.perf_counter()
    trace = simulate(_TALK, entries=_ENTRIES)
    seconds = time.perf_counter() - started
    return seconds / (2 * len(trace.of(Sent)))
