"""What an invariant finds, and how invariants are numbered and named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen

from supervise.testing._records import Record, as_records

if TYPE_CHECKING:
    from supervise.testing._trace import Trace


@frozen
class Violation:
    """A rule that does not hold.

    Attributes:
        what: What is wrong, in words.
        records: The few records that show it.
    """

    what: str
    records: tuple[Record, ...] = field(default=(), converter=as_records)


Invariant: TypeAlias = "Callable[[Trace], Iterable[Violation | str] | None]"
"""A rule: it yields what violates it, or raises an AssertionError."""

NUMBERED: dict[int, Invariant] = {}
"""Filled as the modules with the invariants are imported."""


def invariant(*numbers: int) -> Callable[[Any], Any]:
    """Make a function known under these numbers."""

    def known(
        rule: Callable[[Trace], Iterator[Violation]],
    ) -> Callable[[Trace], Iterator[Violation]]:
        for number in numbers:
            NUMBERED[number] = rule
        return rule

    return known
