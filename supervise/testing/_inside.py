"""What the kit looks at inside a node, and nobody else may. Changes nothing there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervise._plan_dynamic import DynamicPlanner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from specs import ExitReason
    from supervise._events import ChildRow
    from supervise._node import Node
    from supervise._reasons import ChildKey
    from supervise._supervisor import Supervisor


def node_of(supervisor: Supervisor) -> Node:
    """The node that a supervisor belongs to."""
    return supervisor.trees._node


def key_of(supervisor: Supervisor, child: ChildKey) -> ChildKey:
    """What a supervisor calls a child: its id, or the number of a pid if it is dynamic."""
    planner = supervisor._planner
    if isinstance(planner, DynamicPlanner) and isinstance(child, str):
        number = planner.number_of(child)
        return child if number is None else number
    return child


def ended_with(supervisor: Supervisor) -> ExitReason | None:
    """Why a supervisor ended; None if it has not."""
    return supervisor._reason


def all_rows(supervisor: Supervisor, depth: int = 1) -> Iterator[tuple[int, str, ChildRow]]:
    """Everything below a supervisor in start order: how deep it is, its id, its row."""
    for key, row in supervisor.which_children().items():
        child = supervisor.child(key)
        yield depth, str(key) if child is None else child.spec.id, row
        below = supervisor.below(key)
        if below is not None:
            yield from all_rows(below, depth + 1)


def backoff_chance(node: Node) -> Random:
    """Where the jitter of all backoffs of a node comes from."""
    return node.life.need_trees().rng


def alarm_count(node: Node) -> int:
    """How many timers the supervisors of a node have set."""
    return 0 if node.life.trees is None else len(node.life.trees.alarms)


def lua_bytes(node: Node) -> int:
    """The memory that the Lua states need, garbage not counted."""
    node._kernel.collect_garbage()
    if node.states is not None:
        node.states.collect_garbage()
    return node.statistics().lua_bytes
