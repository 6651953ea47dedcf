"""Rules that hold whatever fails, as functions over a trace: each yields what violates it.

Numbers and wording are those of section 12 of the supervision reference. A rule of your own is a
function like these: it takes a trace and yields `Violation`s or texts, or raises an AssertionError.

What no single trace can show has no function here: among others 5 and 61 (they need a model), 29
and 69 (they compare runs), 39 to 41, 74 to 76 and 80 (the trace does not tell what a child means to
its supervisor), 71 (it compares two traces).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from supervise.testing._invariants_order import (
    children_start_in_order,
    children_stop_in_reverse_order,
    groups_stop_before_they_start,
    nothing_starts_after_the_decision_to_end,
    one_for_all_restarts_all,
    one_for_one_stops_nobody,
    one_request_to_stop,
    rest_for_one_spares_earlier_children,
    stops_come_to_an_end,
    supervisors_end_as_they_decided,
)
from supervise.testing._invariants_process import (
    exit_once,
    failures_cross_links,
    link_down_once,
    messages_keep_their_order,
    names_are_free_before_anybody_hears,
    names_are_released_once,
    names_have_one_holder,
    nobody_speaks_after_its_end,
    nothing_is_left,
    pids_are_never_reused,
)
from supervise.testing._invariants_restart import (
    ignored_starts_leave_nothing,
    limits_are_not_reached_early,
    permanent_children_restart,
    restarts_stay_within_the_limit,
    restarts_wait_for_their_backoff,
    temporary_children_live_once,
    temporary_children_stop_nobody,
    transient_children_restart_after_failures,
)
from supervise.testing._invariants_tree import (
    every_step_is_told_once,
    ids_are_unique,
    nothing_outlives_its_supervisor,
    one_life_at_a_time,
    one_place_for_each_pid,
    permanent_children_are_up,
)
from supervise.testing._trace import Trace, show
from supervise.testing._violation import NUMBERED, Invariant, Violation

INVARIANTS: Final[Mapping[int, Invariant]] = dict(sorted(NUMBERED.items()))
"""Every rule by its number. Some rules have several numbers, as one look shows them all."""

_MOST: Final = 8
"""How many records of one violation are shown."""


class InvariantError(AssertionError):
    """A trace violates invariants.

    Attributes:
        violations: What violates which: the name of the invariant, its numbers, and the violation.
    """

    def __init__(self, trace: Trace, violations: list[tuple[str, list[int], Violation]]) -> None:
        self.violations = violations
        lines = [f"{len(violations)} violated, with seed={trace.seed}, faults={trace.faults}"]
        for name, numbers, violation in violations:
            label = f"{name} ({', '.join(map(str, numbers))})" if numbers else name
            lines.append(f"{label}: {violation.what}")
            if violation.records:
                lines.append(show(violation.records[:_MOST]))
        super().__init__("\n".join(lines))


class UnknownInvariantError(LookupError):
    """No invariant has this number or name."""


def _named() -> dict[str, Invariant]:
    return {rule.__name__: rule for rule in INVARIANTS.values()}


def invariant_of(which: int | str | Invariant) -> Invariant:
    """The invariant with a number or a name; a function is one itself.

    Raises:
        UnknownInvariantError: With the nearest ones that are known.
    """
    if callable(which):
        return which
    if isinstance(which, int) and which in INVARIANTS:
        return INVARIANTS[which]
    named = _named()
    if isinstance(which, str):
        if which in named:
            return named[which]
        close = difflib.get_close_matches(which, named, 3)
        raise UnknownInvariantError(f"no invariant is called {which!r}; near it: {close}")
    near = sorted(INVARIANTS, key=lambda number: abs(number - which))[:3]
    known = ", ".join(map(str, INVARIANTS))
    raise UnknownInvariantError(
        f"no invariant that a trace shows has the number {which}; near it: {sorted(near)}; "
        f"all: {known}"
    )


def violations(trace: Trace, rule: Invariant) -> list[Violation]:
    """Everything that violates one rule."""
    try:
        found: Iterable[Violation | str] = rule(trace) or ()
        return [each if isinstance(each, Violation) else Violation(each) for each in found]
    except AssertionError as exc:
        return [Violation(str(exc) or "assertion failed")]


def check(trace: Trace, *which: int | str | Invariant) -> None:
    """Hold a trace against invariants; report all violations, each with the records that show it.

    Args:
        trace: What happened.
        which: Numbers, names or functions; every known invariant if none is given.

    Raises:
        InvariantError: Something is violated.
        UnknownInvariantError: A number or a name is not known.

    Example:
        check(simulate(TREE, seed=3))
        check(trace, 2, "exit_once", my_own_rule)
    """
    rules = [invariant_of(each) for each in which] or list(_named().values())
    found = [
        (
            rule.__name__,
            [number for number, known in INVARIANTS.items() if known is rule],
            violation,
        )
        for rule in rules
        for violation in violations(trace, rule)
    ]
    if found:
        raise InvariantError(trace, found)


__all__ = [
    "INVARIANTS",
    "InvariantError",
    "UnknownInvariantError",
    "Violation",
    "check",
    "children_start_in_order",
    "children_stop_in_reverse_order",
    "every_step_is_told_once",
    "exit_once",
    "failures_cross_links",
    "groups_stop_before_they_start",
    "ids_are_unique",
    "ignored_starts_leave_nothing",
    "invariant_of",
    "limits_are_not_reached_early",
    "link_down_once",
    "messages_keep_their_order",
    "names_are_free_before_anybody_hears",
    "names_are_released_once",
    "names_have_one_holder",
    "nobody_speaks_after_its_end",
    "nothing_is_left",
    "nothing_outlives_its_supervisor",
    "nothing_starts_after_the_decision_to_end",
    "one_for_all_restarts_all",
    "one_for_one_stops_nobody",
    "one_life_at_a_time",
    "one_place_for_each_pid",
    "one_request_to_stop",
    "permanent_children_are_up",
    "permanent_children_restart",
    "pids_are_never_reused",
    "rest_for_one_spares_earlier_children",
    "restarts_stay_within_the_limit",
    "restarts_wait_for_their_backoff",
    "stops_come_to_an_end",
    "supervisors_end_as_they_decided",
    "temporary_children_live_once",
    "temporary_children_stop_nobody",
    "transient_children_restart_after_failures",
    "violations",
]
