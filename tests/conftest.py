"""Tests run on a virtual clock that jumps while everybody waits.

The gate is the same every time; `--hypothesis-profile=long` lets Hypothesis hunt elsewhere, and longer.
"""

from __future__ import annotations

import zlib

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests import placement

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


def pytest_addoption(parser):
    parser.addoption("--placement", default="one", choices=list(placement.PLACEMENTS))
    parser.addoption("--lua", default="5.4", choices=placement.VERSIONS)


def _usual(config):
    return placement.Placement(config.getoption("placement"), config.getoption("lua"))


def _place(item):
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return params.get("_placement", _usual(item.config))


def pytest_generate_tests(metafunc):
    """Every third of the tests that wander runs in one more placement, which its name picks."""
    usual = _usual(metafunc.config)
    if metafunc.definition.get_closest_marker("wander") and usual == placement.USUAL:
        others, drawn = placement.ALL[1:], zlib.crc32(metafunc.definition.nodeid.encode())
        if drawn % 3 == 0:
            other = others[drawn // 3 % len(others)]
            metafunc.parametrize("_placement", [usual, other], ids=str, indirect=True)


def pytest_collection_modifyitems(items):
    for item in items:
        place = _place(item)
        one_state = item.get_closest_marker("one_state")
        in_hub = item.get_closest_marker("in_hub")
        versions = item.get_closest_marker("lua")
        if one_state and place.where != "one":
            item.add_marker(pytest.mark.skip(reason=f"one state: {one_state.args[0]}"))
        if in_hub and place != placement.USUAL:
            item.add_marker(pytest.mark.skip(reason=f"in the hub: {in_hub.args[0]}"))
        if versions and place.lua not in versions.args:
            only = f"Lua {', '.join(versions.args)} only: {versions.kwargs['why']}"
            item.add_marker(pytest.mark.skip(reason=only))


@pytest.fixture(autouse=True)
def _placement(request, monkeypatch):
    """Where the processes of this test live."""
    monkeypatch.setattr(placement, "now", getattr(request, "param", _usual(request.config)))
