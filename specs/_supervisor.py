"""What a supervisor is: its strategy, its limit on restarts, its children."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs
from attrs import field, frozen

from specs import _child
from specs import _fields as f
from specs._child import ChildSpec
from specs._repr import spec_repr

if TYPE_CHECKING:
    from collections.abc import Iterable


class Strategy(Enum):
    """Who is restarted together with a child that failed."""

    ONE_FOR_ONE = "one_for_one"
    """Nobody else: for children that do not depend on each other. The default."""
    ONE_FOR_ALL = "one_for_all"
    """All its siblings: for children that are of no use without each other."""
    REST_FOR_ONE = "rest_for_one"
    """The siblings that started after it: for children that depend on earlier ones."""


class AutoShutdown(Enum):
    """Whether the end of significant children ends the supervisor."""

    NEVER = "never"
    """No. The default."""
    ANY_SIGNIFICANT = "any_significant"
    """When the first of them ends of its own accord and is not restarted."""
    ALL_SIGNIFICANT = "all_significant"
    """When the last of them does."""


_MAX_RESTARTS = f.at_least(0)
_MAX_SECONDS = f.number("seconds, more than 0", above=0)


@frozen(repr=False)
class DynamicSupervisorSpec:
    """A supervisor whose children are added while it runs; each is restarted for itself.

    Attributes:
        id: What its own supervisor calls it; of the tree's root, its name in messages.
        name: A name to register it under, by which Lua and Python reach it; none by default.
        max_restarts: How many restarts, of all children together, are still in order within
            `max_seconds`; one more and the supervisor gives up. 3 by default.
        max_seconds: The length of that window in seconds; 5.0 by default.
        max_children: How many children it may have, restarting ones included; no limit by default.
        extra_arguments: Given to every child before its own arguments; none by default.
        labels: Strings that are kept and shown, never interpreted; none by default.
    """

    id: str = field(metadata=f.must(f.NAME))
    name: str | None = field(kw_only=True, default=None, metadata=f.must(f.OPTIONAL_NAME))
    max_restarts: int = field(kw_only=True, default=3, metadata=f.must(_MAX_RESTARTS))
    max_seconds: float = field(
        kw_only=True, default=5.0, converter=f.as_float, metadata=f.must(_MAX_SECONDS)
    )
    max_children: float = field(
        kw_only=True, default=math.inf, metadata=f.must(f.at_least_or_infinity(0))
    )
    extra_arguments: tuple[Any, ...] = field(
        kw_only=True, default=(), converter=f.as_tuple, metadata=f.must(f.ARGUMENTS)
    )
    labels: dict[str, str] = field(
        kw_only=True, factory=dict, converter=f.as_dict, metadata=f.must(f.LABELS), hash=False
    )
    __repr__ = spec_repr


def _as_children(
    children: Iterable[ChildSpec | SupervisorSpec | DynamicSupervisorSpec],
) -> tuple[ChildSpec, ...]:
    listed = f.as_tuple(children)
    if not isinstance(listed, tuple):
        return listed
    return tuple(
        ChildSpec(child.id, child)
        if isinstance(child, SupervisorSpec | DynamicSupervisorSpec)
        else child
        for child in listed
    )


@frozen(repr=False)
class SupervisorSpec:
    """A supervisor with a fixed list of children in the order in which they start.

    Attributes:
        id: What its own supervisor calls it; of the tree's root, its name in messages.
        name: A name to register it under, by which Lua and Python reach it; none by default.
        strategy: Who is restarted together with a child that failed; one_for_one by default.
        max_restarts: How many restarts are still in order within `max_seconds`; one more and the
            supervisor gives up, which is a failure for its own supervisor. 3 by default.
        max_seconds: The length of that window in seconds; 5.0 by default.
        auto_shutdown: Whether the end of significant children ends it; never by default.
        children: `ChildSpec`s, or supervisors as they are; started in this order, stopped in
            reverse. None by default.
        labels: Strings that are kept and shown, never interpreted; none by default.
    """

    id: str = field(metadata=f.must(f.NAME))
    name: str | None = field(kw_only=True, default=None, metadata=f.must(f.OPTIONAL_NAME))
    strategy: Strategy = field(
        kw_only=True, default=Strategy.ONE_FOR_ONE, metadata=f.must(f.one_of(Strategy))
    )
    max_restarts: int = field(kw_only=True, default=3, metadata=f.must(_MAX_RESTARTS))
    max_seconds: float = field(
        kw_only=True, default=5.0, converter=f.as_float, metadata=f.must(_MAX_SECONDS)
    )
    auto_shutdown: AutoShutdown = field(
        kw_only=True, default=AutoShutdown.NEVER, metadata=f.must(f.one_of(AutoShutdown))
    )
    children: tuple[ChildSpec, ...] = field(kw_only=True, default=(), converter=_as_children)
    labels: dict[str, str] = field(
        kw_only=True, factory=dict, converter=f.as_dict, metadata=f.must(f.LABELS), hash=False
    )
    __repr__ = spec_repr


# ChildSpec names the classes of this module, which it cannot import.
attrs.resolve_types(ChildSpec, vars(_child) | globals())
