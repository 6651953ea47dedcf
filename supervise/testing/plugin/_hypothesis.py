"""Tests under `@given`, which a seed repeats; each example of an async one is a trio run.

What is private to Hypothesis is used only here.
"""

from __future__ import annotations

import functools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import hypothesis
from trio.abc import Clock

from supervise.testing.plugin._items import Promise

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import pytest

_SETTINGS: Final = "_hypothesis_internal_use_settings"
_SEED: Final = "_hypothesis_internal_use_seed"
_MACHINE: Final = "_hypothesis_state_machine_class"


@contextmanager
def examples_seeded(item: pytest.Function, seed: int) -> Generator[bool, None, None]:
    """Let the seed decide which examples of a test are tried, unless something else does already.

    Yields:
        Whether it does.
    """
    function = getattr(item.obj, "__func__", item.obj)
    # The seed of a state machine is that of its class.
    seeded = getattr(function, _MACHINE, function)
    decided = (
        not hypothesis.is_hypothesis_test(function)
        or getattr(seeded, _SEED, None) is not None
        or _settings(function).derandomize
        or item.config.getoption("--hypothesis-seed", None) is not None
    )
    if decided:
        yield False
        return
    hypothesis.seed(seed)(seeded)
    try:
        yield True
    finally:
        setattr(seeded, _SEED, None)


@contextmanager
def inner_test_replaced(
    test: Any,  # noqa: ANN401 - a function with what `@given` adds to it
    run: Callable[..., None],
) -> Generator[None, None, None]:
    """Let each example of a test be run by `run(function, *args, **kwargs)`.

    Args:
        test: The test.
        run: Runs an async function.
    """
    handle = test.hypothesis
    inner = handle.inner_test
    handle.inner_test = _as_inner_test(inner, run)
    try:
        yield
    finally:
        handle.inner_test = inner


def _as_inner_test(inner: Callable[..., Any], run: Callable[..., None]) -> Callable[..., None]:
    def inner_test(*args: object, **kwargs: object) -> None:
        run(inner, *args, **kwargs)

    return functools.wraps(inner)(inner_test)


def allow_fresh_fixtures(item: pytest.Function) -> None:
    """Tell Hypothesis that fixtures which are fresh for each example are no mistake."""
    function = getattr(item.obj, "__func__", item.obj)
    if not hypothesis.is_hypothesis_test(function) or not _all_fresh(item):
        return
    settings = _settings(function)
    check = hypothesis.HealthCheck.function_scoped_fixture
    if check not in settings.suppress_health_check:
        suppressed = (*settings.suppress_health_check, check)
        setattr(
            function, _SETTINGS, hypothesis.settings(settings, suppress_health_check=suppressed)
        )


def _settings(function: object) -> hypothesis.settings:
    machine = getattr(function, _MACHINE, None)
    if machine is not None:
        return cast("hypothesis.settings", machine.TestCase.settings)
    return cast("hypothesis.settings", getattr(function, _SETTINGS, hypothesis.settings.default))


def _all_fresh(item: pytest.Function) -> bool:
    """Whether every fixture that the test names, and that is for one test only, is made anew."""
    definitions = item._fixtureinfo.name2fixturedefs
    return all(
        isinstance(item.funcargs.get(name), Promise | Clock)
        for name in item._fixtureinfo.argnames
        if definitions[name][-1].scope == "function"
    )
