"""Trees as text, for tests and their messages: a line for each child, with its state."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from supervise._events import ChildState
from supervise.testing import _inside

if TYPE_CHECKING:
    from supervise._node import Node
    from supervise._supervisor import Supervisor

Expected: TypeAlias = "str | ChildState | Sequence[str] | Mapping[str, Expected]"
"""What a child is expected to be: a state; or a running supervisor with these children."""

_RUNNING: Final = ChildState.RUNNING.value
_STATES: Final = tuple(state.value for state in ChildState if state is not ChildState.REMOVED)
_INDENT: Final = "  "


def tree_lines(roots: Iterable[Supervisor]) -> list[str]:
    """What is from these supervisors down, as `  id: state` lines."""
    return [line for root in roots for line in _from_supervisor(root)]


def _from_supervisor(supervisor: Supervisor) -> Iterator[str]:
    ended = _inside.ended_with(supervisor) is not None
    yield f"{supervisor.spec.id}: {ChildState.STOPPED.value if ended else _RUNNING}"
    for depth, id_, row in _inside.all_rows(supervisor):
        yield f"{_INDENT * depth}{id_}: {row.state.value}"


def expected_lines(expected: str | Mapping[str, Expected]) -> list[str]:
    """What is expected, in the form of `tree_lines`.

    Raises:
        ValueError: A state is none.
    """
    if isinstance(expected, str):
        return list(_from_text(expected))
    return list(_from_literal(expected, ""))


def _from_text(expected: str) -> Iterator[str]:
    """Lines with any indentation, each level deeper than the one before."""
    levels: list[int] = []
    for line in expected.expandtabs().splitlines():
        if not line.strip():
            continue
        width = len(line) - len(line.lstrip())
        while levels and levels[-1] >= width:
            levels.pop()
        yield _INDENT * len(levels) + _with_state(line.strip())
        levels.append(width)


def _with_state(line: str) -> str:
    name, colon, state = line.rpartition(": ")
    if not colon:
        return f"{line}: {_RUNNING}"
    return f"{name}: {_state(state, name)}"


def _state(state: str, name: str) -> str:
    if state not in _STATES:
        raise ValueError(f"{name}: {state!r} is no state; write one of {', '.join(_STATES)}")
    return state


def _from_literal(expected: Mapping[str, Expected], indent: str) -> Iterator[str]:
    for name, what in expected.items():
        if isinstance(what, ChildState | str):
            state = what.value if isinstance(what, ChildState) else what
            yield f"{indent}{name}: {_state(state, name)}"
            continue
        yield f"{indent}{name}: {_RUNNING}"
        if isinstance(what, Mapping):
            yield from _from_literal(what, indent + _INDENT)
        else:
            yield from (f"{indent}{_INDENT}{child}: {_RUNNING}" for child in what)


def difference(expected: list[str], actual: list[str]) -> str:
    """Both in one text: lines that are only expected after `-`, those only there after `+`."""
    lines = difflib.ndiff(expected, actual)
    return "\n".join(line for line in lines if not line.startswith("?"))


def describe(node: Node) -> str:
    """The trees of a node, and its processes that are in none."""
    roots = node.trees()
    supervised = {row.pid for root in roots for _, _, row in _inside.all_rows(root)}
    supervised.update(root.pid for root in roots)
    others = [
        f"{info.pid} {info.entry}: {info.state}, {info.mailbox} unread"
        for info in node.processes()
        if info.pid not in supervised
    ]
    return "\n".join([*(tree_lines(roots) or ["no trees"]), *others])
