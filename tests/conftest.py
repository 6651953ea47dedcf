"""Runs `async def` tests under trio, on a virtual clock that jumps while everybody waits.

The gate is the same every time; `--hypothesis-profile=long` lets Hypothesis hunt elsewhere, and longer.
"""

from __future__ import annotations

import inspect
from functools import partial

import pytest
import trio
from hypothesis import HealthCheck, settings
from trio.testing import MockClock

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile(
    "default", deadline=None, derandomize=True, max_examples=40, suppress_health_check=_SLOW
)
settings.register_profile(
    "long", deadline=None, max_examples=2000, stateful_step_count=100, suppress_health_check=_SLOW
)
settings.load_profile("default")


@pytest.fixture
def autojump_clock():
    """The clock of the test that asks for it."""
    return MockClock(autojump_threshold=0)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    clock = arguments.get("autojump_clock") or MockClock(autojump_threshold=0)
    trio.run(partial(pyfuncitem.obj, **arguments), clock=clock)
    return True
