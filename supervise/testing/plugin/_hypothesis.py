"""Async tests under `@given`: each example is a trio run. Its private parts are used only here."""

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


@contextmanager
def inner_test_replaced(
    test: Any,  # noqa: ANN401 - a function with what `@given` adds to it
    seed: int,
    run: Callable[..., None],
) -> Generator[None, None, None]:
    """Let each example of a test be run by `run(function, *args, **kwargs)`.

    Args:
        test: The test.
        seed: Decides which examples are tried, unless the test is the same every time anyway.
        run: Runs an async function.
    """
    function = getattr(test, "__func__", test)
    handle = test.hypothesis
    inner = handle.inner_test
    seeds = getattr(function, _SEED, None) is None and not _settings(function).derandomize
    handle.inner_test = _as_inner_test(inner, run)
    if seeds:
        hypothesis.seed(seed)(function)
    try:
        yield
    finally:
        handle.inner_test = inner
        if seeds:
            setattr(function, _SEED, None)


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
    return cast("hypothesis.settings", getattr(function, _SETTINGS, hypothesis.settings.default))


def _all_fresh(item: pytest.Function) -> bool:
    """Whether every fixture that the test names, and that is for one test only, is made anew."""
    definitions = item._fixtureinfo.name2fixturedefs
    return all(
        isinstance(item.funcargs.get(name), Promise | Clock)
        for name in item._fixtureinfo.argnames
        if definitions[name][-1].scope == "function"
    )
