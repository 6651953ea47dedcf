"""Draws a running tree with rich. Knows no terminal and no clock."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from rich.text import Text
from rich.tree import Tree

from specs import DynamicSupervisorSpec
from supervise._events import ChildState, count
from supervise._show import duration

if TYPE_CHECKING:
    from supervise._events import ChildRow
    from supervise._plan_child import Child
    from supervise._supervisor import Supervisor

MOST: Final = 50
"""How many children of one supervisor are drawn; of the others it is told how many there are."""

_STYLES: Final = {
    ChildState.RUNNING: "green",
    ChildState.STOPPED: "red",
}


def render_tree(supervisor: Supervisor, now: float) -> Tree:
    """Draw a supervisor and everything below it.

    Each line has the id, the state, the pid, the uptime and the number of restarts of a child
    that its supervisor made by itself, and of a supervisor also its strategy.

    Args:
        supervisor: A running one.
        now: The moment of the drawing on trio's clock.
    """
    label = _head(supervisor.spec.id, supervisor)
    label.append(f"  {supervisor.pid}  up {duration(now - supervisor.opened_at)}", "dim")
    tree = Tree(label)
    _grow(tree, supervisor, now)
    return tree


def _grow(tree: Tree, supervisor: Supervisor, now: float) -> None:
    table = supervisor.which_children()
    for key, row in islice(table.items(), MOST):
        child = supervisor.child(key)
        if child is None:
            continue
        below = supervisor.below(key)
        branch = tree.add(_label(row, child, below, now))
        if below is not None:
            _grow(branch, below, now)
    rest = count(dict(islice(table.items(), MOST, None)))
    if rest.specs:
        tree.add(Text(f"and {rest.specs} more, {rest.active} of them up", "dim"))


def _label(row: ChildRow, child: Child, below: Supervisor | None, now: float) -> Text:
    # A dynamic supervisor numbers its children, whose ids need not be unique.
    name = child.spec.id if row.child == child.spec.id else f"{child.spec.id} #{row.child}"
    label = _head(name, below)
    label.append(f"  {row.state.value}", _STYLES.get(row.state, "yellow"))
    if row.pid is not None:
        label.append(f"  {row.pid}", "dim")
    if row.pid is not None and child.started_at is not None:
        label.append(f"  up {duration(now - child.started_at)}", "dim")
    if child.restarts:
        label.append(f"  {child.restarts} restart{'s' if child.restarts > 1 else ''}", "bold")
    return label


def _head(name: str, supervisor: Supervisor | None) -> Text:
    label = Text()
    label.append(name, "bold" if supervisor is not None else "")
    if supervisor is not None:
        spec = supervisor.spec
        kind = "dynamic" if isinstance(spec, DynamicSupervisorSpec) else spec.strategy.value
        label.append(f"  {kind}", "cyan")
    return label
