"""Tests run on a virtual clock that jumps while everybody waits.

The gate is the same every time; `--hypothesis-profile=long` lets Hypothesis hunt elsewhere, and longer.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile(
    "default", deadline=None, derandomize=True, max_examples=40, suppress_health_check=_SLOW
)
settings.register_profile(
    "long", deadline=None, max_examples=2000, stateful_step_count=100, suppress_health_check=_SLOW
)
# A mutant is dead at the first failure, however large that is.
settings.register_profile(
    "mutants",
    settings.get_profile("default"),
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
)
settings.load_profile("default")


@pytest.fixture(autouse=True)
def _virtual_time(autojump_clock):
    """Every test that is async runs on it."""
