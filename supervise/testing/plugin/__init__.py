"""A pytest plugin: async tests under trio, nodes that are checked for leaks, and seeds to replay.

Imported at the start of every pytest run of an environment: everything heavy is imported on use.
"""

from __future__ import annotations

import os
import random
import shlex
import sys
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, Any, Final

import pytest

from supervise.testing.plugin import _items

if TYPE_CHECKING:
    from trio.testing import MockClock

    from supervise import LifecycleEvent, Node

# `supervise.testing.SEED_VARIABLE`, which would be long to import.
_VARIABLE: Final = "SUPERVISE_SEED"
_SEEDING: Final = "supervise.testing.seeding"
_SEEDS: Final = 2**32

_before = pytest.StashKey[str | None]()
_explicit = pytest.StashKey[bool]()
_examples = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--supervise-seed`."""
    parser.getgroup("supervise", "supervision trees").addoption(
        "--supervise-seed",
        type=int,
        metavar="N",
        help="seed of what is left open in tests under trio, of examples and simulations "
        "(default: random)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker and settle the seed, for processes that this one starts too."""
    config.addinivalue_line(
        "markers",
        "supervise(source, hosts, entries, output, allow_leaks, lua_memory): what the fixture "
        "`node` is opened with; see supervise.testing.open_test_node. A relative source is from "
        "the root folder of the tests.",
    )
    config.stash[_explicit] = config.option.supervise_seed is not None
    if not config.stash[_explicit]:
        config.option.supervise_seed = random.SystemRandom().randrange(_SEEDS)
    config.stash[_before] = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = str(config.option.supervise_seed)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take the seed back."""
    before = config.stash.get(_before, None)
    if before is None:
        os.environ.pop(_VARIABLE, None)
    else:
        os.environ[_VARIABLE] = before


def pytest_report_header(config: pytest.Config) -> str:
    """Say the seed."""
    return f"supervise: --supervise-seed={config.option.supervise_seed}"


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """An async fixture of a test under trio is opened when that runs, and promised until then."""
    func = fixturedef.func
    if not _items.is_async(func):
        return (yield)
    item = request._pyfuncitem
    if not _items.runs_under_trio(item):
        return (yield)
    if fixturedef.scope != "function":
        pytest.fail(
            f"the async fixture {fixturedef.argname!r} has the scope {fixturedef.scope!r}: "
            "every test has a trio run of its own, so no async fixture outlives it",
            pytrace=False,
        )
    # pytest calls what it finds here, in the middle of its own work.
    replaced: Any = fixturedef
    replaced.func = _items.promise_of(fixturedef.argname, func, request.instance)
    try:
        return (yield)
    finally:
        replaced.func = func


# Neither first nor last: other plugins that want an async test come before, pytest's refusal after.
@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test under trio."""
    if not _items.runs_under_trio(pyfuncitem):
        return None
    from supervise.testing.plugin import _run  # noqa: PLC0415

    config = pyfuncitem.config
    _run.run_item(pyfuncitem, config.option.supervise_seed, must_seed=config.stash[_explicit])
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Seed the examples of tests under `@given`, whose fixtures may be fresh for each example."""
    if "hypothesis" not in sys.modules or not isinstance(item, pytest.Function):
        return (yield)
    from supervise.testing.plugin import _hypothesis  # noqa: PLC0415

    if _items.runs_under_trio(item):
        _hypothesis.allow_fresh_fixtures(item)
    elif not item.config.stash[_explicit] and _SEEDING not in sys.modules:
        # Nobody asked for it in a project that may never use ours.
        return (yield)
    with _hypothesis.examples_seeded(item, item.config.option.supervise_seed) as seeded:
        item.stash[_examples] = seeded
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the command that replays a failure to what is reported about it."""
    report = yield
    if report.failed and _is_seeded(item):
        report.sections.append(("to replay it", _replay_command(item)))
    return report


def _replay_command(item: pytest.Item) -> str:
    config = item.config
    path, colons, name = item.nodeid.partition("::")
    path = os.path.relpath(config.rootpath / path, config.invocation_params.dir)
    seed = config.option.supervise_seed
    return f"pytest {shlex.quote(path + colons + name)} --supervise-seed={seed}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse nodes to tests without trio, and notice from here on whether the seed is used."""
    seeding = sys.modules.get(_SEEDING)
    if seeding is not None:
        seeding.environment_used.clear()
    if "_supervise_node" in getattr(item, "fixturenames", ()):
        _items.refuse_without_trio(item)


def _is_seeded(item: pytest.Item) -> bool:
    seeding = sys.modules.get(_SEEDING)
    return (
        _items.runs_under_trio(item)
        or item.stash.get(_examples, False)
        or "supervise_seed" in getattr(item, "fixturenames", ())
        or (seeding is not None and seeding.environment_used.is_set())
    )


@pytest.fixture(scope="session")
def supervise_seed(pytestconfig: pytest.Config) -> int:
    """The seed of the session: that of `--supervise-seed`, or a random one."""
    seed: int = pytestconfig.option.supervise_seed
    return seed


@pytest.fixture
def autojump_clock() -> MockClock:
    """Run the test on a virtual clock that jumps to the next deadline while everybody waits."""
    from trio.testing import MockClock  # noqa: PLC0415

    return MockClock(autojump_threshold=0)


@pytest.fixture
async def _supervise_node(
    request: pytest.FixtureRequest,
) -> AsyncGenerator[tuple[Node, list[LifecycleEvent]], None]:
    from supervise.testing import open_test_node  # noqa: PLC0415
    from supervise.testing.plugin import _run  # noqa: PLC0415

    events: list[LifecycleEvent] = []
    options = _run.node_options(request.node)
    async with open_test_node(**options, events=events) as node:
        yield node, events


@pytest.fixture
async def node(_supervise_node: tuple[Node, list[LifecycleEvent]]) -> Node:
    """A node for the test, made as the `supervise` markers say, and checked for leaks at its end.

    Under `@given` every example has one of its own.
    """
    return _supervise_node[0]


@pytest.fixture
async def recorded_events(
    _supervise_node: tuple[Node, list[LifecycleEvent]],
) -> list[LifecycleEvent]:
    """Every lifecycle and supervision event of the fixture `node`, in order; the list grows."""
    return _supervise_node[1]
