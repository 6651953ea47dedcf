"""Which tests and fixtures are ours. Imports nothing heavy."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard

import pytest

# Tests with these markers are run by other plugins.
_FOREIGN: Final = ("anyio", "asyncio")


class Promise:
    """An async fixture of a test that has not begun; the test itself gets what it yields.

    Attributes:
        name: Its name.
        func: The async function or generator.
        arguments: What it is called with; promises among them.
    """

    def __init__(self, name: str, func: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
        self.name, self.func, self.arguments = name, func, arguments

    def __getattr__(self, attribute: str) -> object:
        raise AttributeError(
            f"{self.name}.{attribute}: the async fixture {self.name!r} is there when the test "
            "runs; a fixture that uses it must be async too"
        )


def promise_of(name: str, func: Callable[..., Any], instance: object) -> Callable[..., Promise]:
    """What stands in for an async fixture function."""
    if instance is not None and inspect.ismethod(func):
        func = func.__func__.__get__(instance)

    def promise(**arguments: object) -> Promise:
        return Promise(name, func, arguments)

    return promise


def is_async(func: object) -> bool:
    """Whether this is an async function or an async generator function."""
    return inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func)


def is_async_test(item: object) -> bool:
    """Whether this is an `async def` test, with or without `@given`."""
    if not isinstance(item, pytest.Function):
        return False
    given = getattr(item.obj, "hypothesis", None)
    return inspect.iscoroutinefunction(getattr(given, "inner_test", item.obj))


def refuse_without_trio(item: pytest.Item) -> None:
    """Fail a test that uses a node and is not under trio, as far as that can be known."""
    if not is_async_test(item):
        advice = f"write `async def {item.name}`"
    elif item.get_closest_marker("asyncio"):
        advice = "leave @pytest.mark.asyncio out"
    else:
        return
    pytest.fail(
        "the fixtures `node` and `recorded_events` need a test that runs under trio: " + advice,
        pytrace=False,
    )


def runs_under_trio(item: object) -> TypeGuard[pytest.Function]:
    """Whether we run this test: it is async, and no other plugin is asked to run it."""
    if not isinstance(item, pytest.Function) or not is_async_test(item):
        return False
    foreign = any(item.get_closest_marker(name) for name in _FOREIGN)
    pytest_trio = item.config.pluginmanager.hasplugin("trio")
    return not (
        foreign
        or "anyio_backend" in item.fixturenames
        or (pytest_trio and item.get_closest_marker("trio"))
    )
