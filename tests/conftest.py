"""Runs `async def` tests under trio, on a virtual clock that jumps while everybody waits."""

from __future__ import annotations

import inspect
from functools import partial

import pytest
import trio
from trio.testing import MockClock


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
