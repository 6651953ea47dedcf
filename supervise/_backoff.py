"""How long to wait before a restart. Pure: chance is an argument."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specs import Backoff


def delay(backoff: Backoff, failures: int, chance: float) -> float:
    """Seconds to wait after a failure.

    Args:
        backoff: The child's.
        failures: How many failures came right before this one.
        chance: From 0 to 1; 0.5 leaves the wait as it is, the ends take or give the whole jitter.
    """
    try:
        grown = backoff.initial * backoff.factor**failures
    except OverflowError:
        grown = math.inf
    return min(backoff.maximum, grown) * (1 + backoff.jitter * (2 * chance - 1))


def failures_after(backoff: Backoff, failures: int, uptime: float) -> int:
    """How many failures count once a child failed again: none if it had been up for long."""
    return 0 if uptime >= backoff.stable else failures
