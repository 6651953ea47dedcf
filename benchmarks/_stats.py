"""Median and percentile of a few samples. Pure."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Summary:
    """What the table shows of one contender's samples of one metric."""

    median: float
    p99: float
    count: int


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` of all do not exceed (nearest rank)."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def summarise(samples: Sequence[float]) -> Summary:
    """Summarise one metric; with fewer than 100 samples p99 is the worst of them."""
    return Summary(statistics.median(samples), percentile(samples, 99), len(samples))
