"""The pytest plugin: async tests under trio, the fixture `node`, seeds, Hypothesis."""

from __future__ import annotations

import asyncio
import sys

import pytest
import trio

import supervise.testing
from supervise.testing import (
    LeakError,
    SeedingError,
    open_test_node,
    seeded,
    seeded_scheduler,
)
from supervise.testing.plugin import _run
from tests.programs import lua, node_of

pytest_plugins = "pytester"

HEAD = """
    import pytest, threading, time, trio
    from supervise import *
    from supervise.testing import *
    from tests.trees import child, root
    from tests.programs import ENTRIES, lua as program

    pytestmark = pytest.mark.supervise(entries=ENTRIES)
"""


@pytest.fixture
def run(pytester):
    """Runs a test file with the plugin; returns the result."""
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --import-mode=importlib\n")

    def run_file(text, *options, plugin="supervise.testing.plugin"):
        path = pytester.makepyfile(test_it=HEAD)
        path.write_text(path.read_text() + _dedented(text))
        # The plugins of these would run what is left to them, if they are installed.
        absent = ("-p", "no:anyio", "-p", "no:asyncio")
        return pytester.runpytest_inprocess("-p", plugin, *absent, *options)

    return run_file


def _dedented(text):
    lines = text.splitlines()
    first = next(line for line in lines if line.strip())
    return "\n\n" + "\n".join(line[len(first) - len(first.lstrip()) :] for line in lines) + "\n"


def says(result, *texts):
    """Whether the run failed and said this, in this order."""
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    shown = result.stdout.str()
    at = 0
    for text in texts:
        assert text in shown[at:], shown
        at = shown.index(text, at)


def test_async_tests_run_under_trio(run):
    run("""
        async def test_here():
            assert trio.lowlevel.in_trio_run()
            assert not isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock)

        class TestIt:
            async def test_method(self, tmp_path):
                await trio.sleep(0)
                assert tmp_path.is_dir()

        @pytest.mark.parametrize("n", [1, 2])
        async def test_parameter(n):
            assert n

        async def test_skipped():
            pytest.skip("now")

        def test_sync():
            assert not trio.lowlevel.in_trio_run()
        """).assert_outcomes(passed=5, skipped=1)


def test_without_the_plugin_pytest_says_so(run):
    result = run("async def test_here(): pass", plugin="no:supervise.testing.plugin")
    says(result, "async def functions are not natively supported")


@pytest.mark.parametrize("mark", ["anyio", "asyncio"])
def test_tests_of_other_plugins_are_left_alone(run, mark):
    result = run(
        f"""
        @pytest.mark.{mark}
        async def test_theirs(): pass
        """,
        "-o",
        f"markers={mark}",
    )
    says(result, "async def functions are not natively supported")


def test_a_test_with_the_fixture_of_anyio_is_left_alone(run):
    result = run("""
        @pytest.fixture
        def anyio_backend(): return "trio"
        async def test_theirs(anyio_backend): pass
        """)
    says(result, "async def functions are not natively supported")


def test_another_plugin_goes_first(run, pytester):
    pytester.makeconftest("""
        import inspect, pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            if inspect.iscoroutinefunction(pyfuncitem.obj):
                return True
    """)
    run("async def test_never_run(): assert False").assert_outcomes(passed=1)


def test_to_load_the_plugin_is_cheap(pytester):
    code = "import sys, supervise.testing.plugin; print(sorted({'trio', 'lupa', 'attrs', 'hypothesis'} & set(sys.modules)))"
    done = pytester.run(sys.executable, "-c", code)
    assert done.outlines == ["[]"]


def test_virtual_time_is_there_for_the_asking(run):
    run("""
        async def test_named(autojump_clock):
            await trio.sleep(1000)
            assert autojump_clock.current_time() == trio.current_time() == 1000

        @pytest.mark.usefixtures("autojump_clock")
        async def test_used():
            await trio.sleep(1000)
        """).assert_outcomes(passed=2)


def test_a_test_has_one_clock(run):
    result = run("""
        @pytest.fixture
        def clock():
            return trio.testing.MockClock()

        async def test_two(clock, autojump_clock): pass
        """)
    says(result, "the test has 2 clocks; it can run on one")


def test_a_node_for_each_test(run, pytester):
    (pytester.mkdir("app") / "hello.lua").write_text("return {main = function(n) return n end}")
    run(
        """
        async def test_one(node):
            assert await node.exec("t:add", 1, 2) == 3
            await node.spawn("t:wait")
            assert len(node.processes()) == 1

        async def test_another(node):
            assert node.processes() == []

        @pytest.mark.supervise(source="app", hosts=[HostSpec("a"), HostSpec("b")])
        async def test_nearer_markers_win(node):
            assert await node.exec("t:add", 1, 2, host="a") == 3
            assert await node.exec("app:hello", "you", host="b") == "you"
        """.replace('source="app"', 'source="."')
    ).assert_outcomes(passed=3)


def test_recorded_events_are_all_events_of_the_node(run):
    run("""
        @pytest.fixture
        async def tree(node):
            return await node.start(root(child("a")))

        async def test_list(tree, recorded_events, node):
            kinds = [type(event).__name__ for event in recorded_events]
            assert kinds == ["ChildAdded", "ChildStarting", "NameRegistered", "ProcessSpawned",
                             "ChildStarted", "SupervisorStarted"]
            await kill_and_wait(node, "a")
            await run_until_idle(node)
            assert [event.incarnation for event in recorded_events
                    if isinstance(event, ChildStarted)] == [1, 2]
        """).assert_outcomes(passed=1)


def test_a_tree_that_gives_up_fails_the_test(run):
    result = run("""
        async def test_it(node):
            tree = await node.start(root(child("a"), max_restarts=0))
            node.terminate("a")
            await trio.sleep_forever()
        """)
    says(result, "RestartIntensityError: root gave up on a")


def test_async_fixtures_are_in_the_run_of_the_test(run):
    result = run("""
        ends = []

        class TestIt:
            @pytest.fixture
            async def nursery(self):
                async with trio.open_nursery() as nursery:
                    yield nursery
                    nursery.cancel_scope.cancel()
                ends.append(self)

            @pytest.fixture
            async def event(self, nursery):
                event = trio.Event()
                nursery.start_soon(event.wait)
                return event

            async def test_same(self, event, nursery):
                assert len(nursery.child_tasks) == 1
                await trio.testing.wait_all_tasks_blocked()

        def test_ended():
            assert len(ends) == 1

        @pytest.fixture
        async def unnamed():
            ends.clear()

        @pytest.mark.usefixtures("unnamed")
        async def test_used():
            assert not ends
        """)
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "def test_it(node): pass\nasync def test_next(node): pass",
            "the fixtures `node` and `recorded_events` need a test that runs under trio: write `async def test_it`",
        ),
        (
            """
            @pytest.mark.asyncio
            async def test_it(node): pass
            """,
            "need a test that runs under trio: leave @pytest.mark.asyncio out",
        ),
        (
            """
            @pytest.fixture
            def early(node): return node.processes()
            async def test_it(early): pass
            """,
            "node.processes: the async fixture 'node' is there when the test runs; a fixture "
            "that uses it must be async too",
        ),
        (
            """
            @pytest.fixture(scope="module")
            async def long(): pass
            async def test_it(long): pass
            """,
            "the async fixture 'long' has the scope 'module'",
        ),
        (
            """
            @pytest.mark.supervise(sauce="app")
            async def test_it(node): pass
            """,
            "does not know sauce; give by name some of source, hosts, entries",
        ),
        (
            """
            @pytest.mark.supervise(allow_leaks=["thread"])
            async def test_it(node): pass
            """,
            "allow_leaks: 'thread' is none of processes, names, timers, threads, memory",
        ),
    ],
)
def test_bad_input(run, text, message):
    result = run(text, "-o", "markers=asyncio")
    assert message in result.stdout.str()
    outcomes = result.parseoutcomes()
    assert outcomes.pop("passed", 0) <= 1
    assert sum(outcomes.values()) == 1


# Leaks

ORPHAN = """
        @pytest.mark.supervise(entries={{
            "t:mother": program("process.spawn({entry}, 'app:processes') return 1"),
            "t:named": program("process.registry.register('orphan') channel.new():receive()"),
            "t:sleepy": program("time.sleep('1h')"),
            "t:big": program("local t = {{}} for i = 1, 200000 do t[i] = i end channel.new():receive()"),
        }}, {options})
        async def test_it(node):
            await node.exec("t:mother")
"""


@pytest.mark.parametrize(
    ("entry", "options", "leak"),
    [
        ("'t:wait'", "", "process {app:processes|0x00003} t:wait, waiting, spawned by {app:processes|0x00002}"),
        ("'t:named'", "allow_leaks=['processes']", 'name "orphan" of {app:processes|0x00003}'),
        ("'t:sleepy'", "allow_leaks=['processes']", "timers that have not gone off: 1"),
        ("'t:big'", "allow_leaks=['processes']", "bytes more than allowed"),
    ],
)  # fmt: skip
def test_what_lives_on_is_a_leak(run, entry, options, leak):
    says(run(ORPHAN.format(entry=entry, options=options)), "LeakError", "left over after", leak)


def test_leaks_can_be_allowed(run):
    allowed = "allow_leaks=['processes', 'names']"
    run(ORPHAN.format(entry="'t:named'", options=allowed)).assert_outcomes(passed=1)
    run(ORPHAN.format(entry="'t:big'", options="allow_leaks=['processes'], lua_memory=10**8")).assert_outcomes(passed=1)  # fmt: skip


async def test_an_alarm_of_a_supervisor_that_lives_on_is_a_leak():
    with pytest.raises(LeakError, match="timers that have not gone off: 1"):
        async with open_test_node() as node:
            node.life.need_trees().alarms.set(1000, print)


async def test_what_never_waits_is_a_leak(monkeypatch):
    monkeypatch.setattr("supervise.testing._wait.PATIENCE", 0.05)
    mother = lua("process.spawn('t:busy', 'app:processes')")
    with pytest.raises(LeakError, match="t:busy, ready"):
        async with node_of(entries={"t:mother": mother}) as node:
            await node.exec("t:mother")


def test_a_thread_that_lives_on_is_a_leak(run):
    result = run("""
        release = threading.Event()

        async def test_awaited(node):
            await trio.to_thread.run_sync(lambda: None)

        async def test_it(node):
            threading.Thread(target=release.wait, name="forgotten").start()

        def teardown_module():
            release.set()
        """)
    says(result, "LeakError", "thread forgotten")
    result.assert_outcomes(passed=1, failed=1)


def test_what_python_outside_the_trees_spawned_is_no_leak(run):
    run("""
        async def test_it(node):
            await node.spawn("t:wait")
            await node.spawn("t:sleep", "1h")
            async with node.open_process() as me:
                await me.spawn("t:wait")
            await node.start(root(child("a")))
        """).assert_outcomes(passed=1)


def test_what_a_child_left_behind_is_a_leak(run):
    result = run("""
        async def feeder():
            await current_process().spawn("t:wait")
            await trio.sleep_forever()

        async def test_it(node):
            await node.start(root(ChildSpec("feed", task(feeder))))
            await run_until_idle(node)
        """)
    says(result, "LeakError", "t:wait, waiting, spawned by {python|")


def test_a_failed_test_is_not_checked(run):
    result = run(ORPHAN.format(entry="'t:wait'", options="") + "            assert 1 == 2\n")
    says(result, "assert 1 == 2")
    result.stdout.no_fnmatch_line("*LeakError*")


# Seeds

ORDER = """
        async def test_it():
            order = []
            async def note(n):
                for _ in range(5):
                    order.append(n)
                    await trio.lowlevel.checkpoint()
            async with trio.open_nursery() as nursery:
                for n in range(9):
                    nursery.start_soon(note, n)
            print("ORDER", order)
"""


def order(result):
    (line,) = [line for line in result.outlines if "ORDER" in line]
    return line.partition("ORDER")[2]


def test_a_seed_decides_the_order_of_tasks(run):
    first, second, other = (
        order(run(ORDER, "-s", f"--supervise-seed={seed}")) for seed in (7, 7, 8)
    )
    assert first == second != other


def test_the_seed_is_random_and_in_the_header(run):
    seeds = set()
    for _ in range(2):
        result = run("async def test_it(): pass")
        (line,) = [line for line in result.outlines if line.startswith("supervise: ")]
        seeds.add(int(line.removeprefix("supervise: --supervise-seed=")))
    assert len(seeds) == 2


def test_a_failure_says_how_to_replay_it(run):
    text = """
        @pytest.mark.parametrize("what", ["a b"])
        async def test_it(what): assert not what

        def test_plain(): assert False

        def test_asks_late(): assert current_seed() == 1

        def test_by_fixture(supervise_seed): assert supervise_seed == 1
        """
    shown = run(text, "--supervise-seed=99").stdout.str()
    assert "pytest 'test_it.py::test_it[a b]' --supervise-seed=99" in shown
    assert "pytest test_it.py::test_asks_late --supervise-seed=99" in shown
    assert "pytest test_it.py::test_by_fixture --supervise-seed=99" in shown
    assert "test_plain --supervise-seed" not in shown


def test_the_seed_for_whoever_asks(run, monkeypatch):
    monkeypatch.setenv("SUPERVISE_SEED", "5")
    text = """
        def test_it(supervise_seed):
            assert supervise_seed == current_seed() == 12
            with seeded(13):
                assert current_seed() == 13
        """
    run(text, "--supervise-seed=12").assert_outcomes(passed=1)
    assert supervise.testing.current_seed() == 5


def test_a_seed_is_an_integer(run, monkeypatch):
    result = run("def test_it(): pass", "--supervise-seed=x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--supervise-seed: invalid int value: 'x'" in result.stderr.str()
    monkeypatch.setenv("SUPERVISE_SEED", "x")
    with pytest.raises(supervise.testing.SeedingError, match="must be an integer"):
        supervise.testing.current_seed()


async def test_a_seed_decides_the_jitter_of_backoffs():
    drawn = []
    for seed in (1, 1, 2):
        with seeded(seed):
            async with open_test_node() as node:
                drawn.append(node.life.need_trees().rng.random())
    assert drawn[0] == drawn[1] != drawn[2]


def test_what_is_seeded_is_as_before_afterwards(monkeypatch):
    scheduler = trio._core._run
    monkeypatch.setattr(scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING", False)
    before = scheduler._r.getstate()
    with seeded_scheduler(1):
        assert scheduler._ALLOW_DETERMINISTIC_SCHEDULING
        assert scheduler._r.getstate() != before
    assert not scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    assert scheduler._r.getstate() == before


def test_without_a_seed_of_the_user_a_test_need_not_be_seeded(run, monkeypatch):
    def refuse(seed):
        raise SeedingError

    monkeypatch.setattr(_run, "seeded_scheduler", refuse)
    text = "async def test_it(): await trio.lowlevel.checkpoint()"
    run(text).assert_outcomes(passed=1)
    run(text, "--supervise-seed=1").assert_outcomes(failed=1)


def test_a_trio_that_cannot_be_seeded(run, monkeypatch):
    monkeypatch.delattr("trio._core._run._r")
    text = "async def test_it(): await trio.lowlevel.checkpoint()"
    says(run(text, "--supervise-seed=1"), "orders its tasks in a way that cannot be seeded")
    monkeypatch.undo()
    monkeypatch.delattr("trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING")
    with pytest.raises(supervise.testing.SeedingError), supervise.testing.seeded_scheduler(1):
        pass


# Hypothesis

GIVEN = """
        from hypothesis import Phase, given, settings, strategies as st

        settings.register_profile("here", max_examples=5, derandomize=False, database=None, deadline=None,
                                  phases=[Phase.generate, Phase.shrink])
        settings.load_profile("here")
"""


def test_given_with_async_tests(run):
    run(
        GIVEN
        + """
        seen = []

        @given(n=st.integers())
        async def test_node_is_fresh(node, recorded_events, autojump_clock, n):
            assert trio.current_time() == autojump_clock.current_time() == 0
            assert node.processes() == recorded_events == []
            await node.exec("t:add", n % 10, 1)
            await trio.sleep(5)
            assert recorded_events
            seen.append(node)

        def test_each_had_its_own():
            assert len(seen) == len(set(map(id, seen))) > 1

        class TestIt:
            @pytest.mark.parametrize("more", [1, 2])
            @given(func=st.integers(), seed=st.integers())
            async def test_method(self, func, seed, more):
                await trio.sleep(0)
        """
    ).assert_outcomes(passed=4)


def test_a_fixture_that_is_not_fresh_is_still_a_mistake(run):
    result = run(
        GIVEN
        + """
        @given(n=st.integers())
        async def test_it(node, tmp_path, n): pass
        """
    )
    says(result, "uses a function-scoped fixture")


def test_a_leak_in_an_example(run):
    result = run(
        GIVEN
        + """
        @given(n=st.integers())
        async def test_it(n):
            entries = {"t:m": program("process.spawn('t:wait', 'app:processes')")}
            async with open_test_node(entries={**ENTRIES, **entries}) as node:
                await node.exec("t:m")
        """
    )
    says(result, "LeakError", "t:wait", "Failing test case: test_it(", "n=0", "--supervise-seed=")


def order_is_decided(run, text, *more):
    """Whether another seed prints something else; the same one prints the same."""
    first, second, other = (
        order(run(text, "-s", f"--supervise-seed={seed}", *more)) for seed in (7, 7, 8)
    )
    assert first == second
    return first != other


@pytest.mark.parametrize("define", ["async def", "def"])
@pytest.mark.parametrize(
    ("decorator", "decided"),
    [("settings()", True), ("settings(derandomize=True)", False), ("hypothesis.seed(3)", False)],
)
def test_the_seed_decides_the_examples(run, define, decorator, decided):
    text = (
        GIVEN
        + f"""
        import hypothesis

        drawn = []

        @{decorator}
        @given(n=st.integers(0, 10**9))
        {define} test_it(n): drawn.append(n)

        def test_print(): print("ORDER", drawn)
        """
    )
    assert order_is_decided(run, text) == decided
    assert not order_is_decided(run, text, "--hypothesis-seed=3")


def test_the_seed_decides_the_steps_of_a_state_machine(run):
    text = (
        GIVEN
        + """
        from hypothesis.stateful import RuleBasedStateMachine, rule

        drawn = []

        class Machine(RuleBasedStateMachine):
            @rule(n=st.integers(0, 10**9))
            def step(self, n): drawn.append(n)

        TestMachine = Machine.TestCase

        def test_print(): print("ORDER", drawn)
        """
    )
    assert order_is_decided(run, text)


def test_examples_that_were_seeded_are_replayed(run):
    text = GIVEN + "\n        @given(n=st.integers())\n        def test_it(n): assert n < 1000"
    command = "pytest test_it.py::test_it --supervise-seed=5"
    says(run(text, "--supervise-seed=5"), command)
    assert command not in run(text, "--supervise-seed=5", "--hypothesis-seed=3").stdout.str()


def test_examples_are_left_alone_where_nobody_uses_the_kit(run, monkeypatch):
    text = GIVEN + "\n        @given(n=st.integers())\n        def test_it(n): assert n is None"
    assert "test_it --supervise-seed" in run(text).stdout.str()
    monkeypatch.setattr("supervise.testing.plugin._SEEDING", "never.imported")
    assert "test_it --supervise-seed" not in run(text).stdout.str()


def test_a_node_needs_trio():
    async def open_one():
        async with supervise.testing.open_test_node():
            pass

    with pytest.raises(RuntimeError, match="work under trio only"):
        asyncio.run(open_one())


def test_the_nearer_marker_wins(run):
    run("""
        @pytest.mark.supervise(hosts=[HostSpec("far")])
        class TestIt:
            @pytest.mark.supervise(hosts=[HostSpec("near")])
            async def test_it(self, node):
                assert await node.exec("t:add", 1, 2, host="near") == 3
        """).assert_outcomes(passed=1)
