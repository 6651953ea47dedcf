"""Supervisors on trio: start, rollback, restart, giving up. The invariants are supervision.md's."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.lowlevel

from supervise import (
    BRUTAL_KILL,
    AutoShutdown,
    Backoff,
    ChildFailedToStart,
    ChildSpec,
    EndedBeforeStarted,
    Entry,
    ExitKind,
    ExitReason,
    NameTakenError,
    NodeClosedError,
    NoProcessError,
    ProcessExited,
    Restart,
    RestartIntensityError,
    RestartLimitReached,
    SpecError,
    StartError,
    StartTimedOut,
    Strategy,
    SupervisorFailedError,
    current_process,
    fold,
    lua,
    open_node,
    task,
)
from supervise.testing import run_until_idle, wait_restarted
from tests.trees import child, drain, forever, root, state, steps, told, trees_node


def slow_to_stop(stopped):
    """A Python child that needs a second to clean up, and then says that it has stopped."""

    async def clean_up(name):
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            stopped.append(name)

    return clean_up


async def settled(node, *names):
    """Let everything happen that can."""
    await run_until_idle(node)
    return [node.whereis(name) for name in names]


@pytest.mark.parametrize("entry", ["t:wait", "t:obey"])
async def test_processes_and_supervisors_are_told_of_in_the_order_of_what_happened(entry):
    async with trees_node() as node:
        tree = await node.start(root(child("a", entry)))
        with node.subscribe() as events:
            await tree.terminate_child("a")
            await tree.restart_child("a")
            await run_until_idle(node)
            seen = [type(events.receive_nowait()).__name__ for _ in range(8)]
    assert seen == [
        "ChildStopping",
        "NameReleased",
        "ProcessExited",
        "ChildExited",
        "ChildStarting",
        "NameRegistered",
        "ProcessSpawned",
        "ChildStarted",
    ]


# Start


async def test_children_start_in_order_and_are_up_when_start_returns():
    """Invariant 13."""
    async with trees_node() as node:
        with node.subscribe() as events:
            tree = await node.start(
                root(child("a"), ChildSpec("p", task(forever), name="p"), root(child("b"), id="in"))
            )
            assert steps(events) == [
                "start a", "up a", "start p", "up p", "start in", "start b", "up b", "up in",
            ]  # fmt: skip
        assert [row.pid for row in tree.which_children().values()][:2] == [
            node.whereis("a"), node.whereis("p"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("faulty", "kind", "words"),
    [
        (child("c", "no.such:entry"), ExitKind.ERROR, "entry not found"),
        (child("c", "bad:syntax"), ExitKind.ERROR, "bad:syntax:1"),
        (child("c", "bad:raises"), ExitKind.ERROR, "not today"),
        (ChildSpec("c", lua("t:wait", host="nowhere")), ExitKind.ERROR, "host not found"),
        (ChildSpec("c", lua("t:wait", object())), ExitKind.ERROR, "args"),
        (child("c", "s:unready", ready=True), ExitKind.ERROR, "before it said"),
        (child("c", "s:crash", ready=True), ExitKind.ERROR, "at once"),
        (child("c", "s:never", ready=True, start_timeout=2), ExitKind.ERROR, "within 2 s"),
        (child("c", name="taken"), ExitKind.ERROR, "already registered"),
    ],
)
async def test_a_lua_child_that_does_not_start_rolls_back_what_did(
    faulty, kind, words, autojump_clock
):
    """Invariant 19: exactly those before it stop, in reverse, and nothing after it starts."""
    bad = {
        "bad:syntax": Entry(text="return {"),
        "bad:raises": Entry(text="error('not today')"),
    }
    async with trees_node(entries=bad) as node, node.open_process("taken") as me:
        with node.subscribe() as events:
            spec = root(child("b0"), child("b1", name="b"), faulty, child("d"))
            with pytest.raises(StartError, match=words) as caught:
                await node.start(spec)
            assert caught.value.path == "root/c"
            assert caught.value.reason.kind is kind
            seen = steps(events)
        assert seen[seen.index("failed c") + 1 :] == [
            "stop b1", "down b1 shutdown", "stop b0", "down b0 shutdown", "end root",
        ]  # fmt: skip
        assert "start d" not in seen
        assert [info.pid for info in node.processes()] == [me.pid]
    assert autojump_clock.current_time() <= 3


def raises():
    raise LookupError("no")


def junk():
    return 5


async def returns_early(task_status):
    """Says nothing."""


async def fails_early(task_status):
    raise LookupError("early")


async def hangs(task_status):
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("fn", "error"),
    [
        (raises, LookupError),
        (junk, TypeError),
        (lambda _needed: forever(), TypeError),
        (returns_early, EndedBeforeStarted),
        (fails_early, LookupError),
        (hangs, StartTimedOut),
    ],
)
async def test_a_python_child_that_does_not_start_fails_the_tree(fn, error, autojump_clock):
    spec = ChildSpec("p", task(fn), name="p", start_timeout=5)
    async with trees_node() as node:
        with pytest.raises(StartError) as caught:
            await node.start(root(child("a"), root(spec, id="in")))
        assert caught.value.path == "root/in/p"
        assert isinstance(caught.value.reason.error, error)
        assert node.whereis("p") is None
        assert node.processes() == []
    assert autojump_clock.current_time() == pytest.approx(5 if fn is hangs else 0)


async def test_a_supervisor_may_take_as_long_to_start_as_its_children_do(autojump_clock):
    async def slow(task_status):
        await trio.sleep(20)
        task_status.started()
        await trio.sleep_forever()

    slow_ones = [ChildSpec(id_, task(slow)) for id_ in "abc"]
    async with trees_node() as node:
        await node.start(root(root(*slow_ones, id="in")))
        assert autojump_clock.current_time() == 60
        with pytest.raises(StartError, match="within 30 s"):
            below = root(*slow_ones, id="in")
            await node.start(root(ChildSpec("in", below, start_timeout=30), id="bounded"))


async def test_a_faulty_tree_starts_nothing():
    """Invariant 64."""
    async with trees_node() as node:
        with pytest.raises(SpecError, match="max_restarts"):
            await node.start(root(child("a"), max_restarts=-1))
        assert node.processes() == []


async def test_readiness_is_waited_for_and_its_value_is_handed_on():
    async def ready(task_status):
        task_status.started("value")
        with pytest.raises(RuntimeError, match="twice"):
            task_status.started()
        await trio.sleep_forever()

    async with trees_node() as node, trio.open_nursery() as nursery:
        tree = await node.start(root())
        started = []

        async def start():
            started.append(await tree.start_child(child("r", "s:ready", ready=True)))

        nursery.start_soon(start)
        await settled(node)
        assert state(tree, "r") == "starting"
        assert not started
        node.send("r", "go", {"port": 80})
        await settled(node)
        assert state(tree, "r") == "running"
        assert started[0].info == {"port": 80}
        assert (await tree.start_child(ChildSpec("p", task(ready)))).info == "value"


async def test_a_python_child_has_a_mailbox_under_its_name():
    async with trees_node() as node:
        tree = await node.start(root(ChildSpec("p", task(told), name="p")))
        first = node.whereis("p")
        node.send("p", "x", "boom")
        second = await settled(node, "p")
        assert second[0] not in (None, first)
        assert tree.which_children()["p"].pid == second[0]


async def test_the_name_of_a_supervisor_is_registered_and_found():
    async with trees_node() as node:
        tree = await node.start(root(root(id="in", name="in"), name="top"))
        assert node.supervisor("top") is tree
        assert node.supervisor("in").path == "root/in"
        assert node.supervisor(tree.pid) is tree
        with pytest.raises(NoProcessError):
            node.supervisor("none")
        with pytest.raises(NameTakenError):
            await node.start(root(id="other", name="top"))
        with pytest.raises(StartError, match="already registered"):
            await node.start(root(root(id="in", name="in"), id="other"))
        assert len(node.processes()) == 2


# Restart


async def test_a_crashed_lua_child_is_back_under_its_name_with_a_new_pid():
    """Invariants 3, 42, 45."""
    async with trees_node() as node:
        tree = await node.start(root(child("a", "s:told"), child("b")))
        a, b = node.whereis("a"), node.whereis("b")
        node.send("a", "x", "boom")
        again, same = await settled(node, "a", "b")
        assert same == b
        assert again not in (None, a)
        assert tree.which_children()["a"].pid == again


@pytest.mark.parametrize("payload", ["boom", False])
@pytest.mark.parametrize("restart", list(Restart))
@pytest.mark.parametrize("start", [lua("s:told"), task(told)])
async def test_restart_type_and_kind_of_end_decide(start, restart, payload):
    """Invariants 7 to 9."""
    async with trees_node() as node:
        tree = await node.start(root(ChildSpec("a", start, name="a", restart=restart)))
        node.send("a", "x", payload)
        await settled(node)
        expected = {
            Restart.PERMANENT: "running",
            Restart.TRANSIENT: "running" if payload else "stopped",
            Restart.TEMPORARY: None,
        }
        assert state(tree, "a") == expected[restart]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, "abc"),
        (Strategy.REST_FOR_ONE, "a"),
        (Strategy.ONE_FOR_ALL, ""),
    ],
)
async def test_a_strategy_decides_who_keeps_its_pid(strategy, expected):
    """Invariants 15 to 18."""
    async with trees_node() as node:
        await node.start(
            root(child("a"), ChildSpec("p", task(told), name="p"), child("b"), child("c"),
                 strategy=strategy)
        )  # fmt: skip
        before = {name: node.whereis(name) for name in "abcp"}
        node.send("p", "x", "boom")
        await settled(node)
        after = {name: node.whereis(name) for name in "abcp"}
        assert None not in after.values()
        kept = "".join(name for name in "abc" if before[name] == after[name])
        assert kept == (expected if strategy is not Strategy.REST_FOR_ONE else "a")
        assert after["p"] != before["p"]


async def test_exits_of_one_step_are_one_restart_of_the_group():
    """Invariant 26 and decision 8: what waits together is handled as one."""
    async with trees_node() as node:
        tree = await node.start(
            root(*[child(name, "s:told") for name in "abc"],
                 strategy=Strategy.ONE_FOR_ALL, max_restarts=1)
        )  # fmt: skip
        for name in "cab":
            node.send(name, "x", "boom")
        await settled(node)
        assert [state(tree, name) for name in "abc"] == ["running"] * 3


async def test_a_backoff_holds_back_the_restart(autojump_clock):
    """Invariant 72."""
    async with trees_node() as node:
        backoff = Backoff(initial=4, jitter=0, factor=2, stable=100)
        tree = await node.start(root(child("a", "s:told", backoff=backoff)))
        for _ in (4, 8):
            node.send("a", "x", "boom")
            await settled(node)
            assert state(tree, "a") == "waiting"
            await node.wait_registered("a")
            await settled(node)
        assert autojump_clock.current_time() == pytest.approx(12)


async def test_a_lua_helper_that_is_linked_ends_with_its_child():
    """Invariant 2."""
    async with trees_node() as node:
        tree = await node.start(root(child("a", "s:helped")))
        await settled(node)
        assert len(node.processes()) == 3
        node.terminate("a")
        await settled(node)
        assert len(node.processes()) == 3
        await tree.stop()
        assert node.processes() == []


async def test_killing_a_lua_child_is_a_killed_exit():
    async with trees_node() as node:
        with node.subscribe() as events:
            await node.start(root(child("a"), ChildSpec("p", task(forever), name="p")))
            node.terminate("a")
            await settled(node)
            node.terminate("p")
            await settled(node)
            downs = [step for step in steps(events) if step.startswith("down")]
        assert downs == ["down a killed", "down p killed"]


# Giving up


async def test_a_tree_that_gives_up_is_one_error_out_of_the_block():
    """Invariants 24 and 77: it names supervisor, child, last error and times."""
    with pytest.raises(
        RestartIntensityError, match=r"root gave up on a \(error: boom 2\)"
    ) as caught:
        async with trees_node() as node:
            tree = await node.start(root(child("a", "s:told"), max_restarts=2))
            for n in range(2):
                pid = node.whereis("a")
                node.send("a", "x", f"boom {n}")
                await wait_restarted(tree, "a", after=pid)
            node.send("a", "x", "boom 2")
            await trio.sleep_forever()
    error = caught.value
    assert (error.supervisor, error.child, len(error.restarts)) == ("root", "a", 3)
    assert error.last.error.message == "boom 2"


async def test_the_exception_of_a_python_child_is_the_cause():
    async def crash():
        raise KeyError("k")

    with pytest.raises(RestartIntensityError, match="KeyError") as caught:
        async with trees_node() as node:
            await node.start(root(root(ChildSpec("p", task(crash)), id="in")))
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("intensity", [0, 1, 2])
async def test_a_crash_loop_multiplies_over_three_levels(intensity):
    """Invariant 29: (I + 1) ** 3 starts of the leaf."""
    starts = 0
    with pytest.raises(RestartIntensityError) as caught:
        async with trees_node() as node:
            with node.subscribe() as events:
                leaf = root(child("c", "s:crash"), id="c3", max_restarts=intensity)
                middle = root(leaf, id="c2", max_restarts=intensity)
                try:
                    await node.start(root(middle, max_restarts=intensity))
                    await trio.sleep_forever()
                finally:
                    starts = steps(events).count("up c")
    assert starts == (intensity + 1) ** 3
    assert isinstance(caught.value.last.error, RestartLimitReached)
    assert "root/c2/c3 gave up on c" in str(caught.value)


async def test_an_inner_supervisor_that_gave_up_is_a_failure_for_its_parent():
    """Decision 5: a transient one is restarted."""
    async with trees_node() as node:
        inner = root(child("a", "s:told"), id="in", max_restarts=0)
        tree = await node.start(root(ChildSpec("in", inner, restart=Restart.TRANSIENT)))
        first = tree.which_children()["in"].pid
        node.send("a", "x", "boom")
        await settled(node)
        assert tree.which_children()["in"].pid not in (None, first)
        assert node.whereis("a") is not None


async def test_a_significant_end_shuts_the_tree_down_without_an_error():
    """Invariant 39."""
    async with trees_node() as node:
        tree = await node.start(
            root(child("a"), child("s", "s:told", restart=Restart.TRANSIENT, significant=True),
                 auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
        )  # fmt: skip
        node.send("s", "x", False)
        reason = await tree.wait_ended()
        assert reason.kind is ExitKind.SHUTDOWN
        assert node.processes() == []


async def test_a_child_that_dies_while_its_supervisor_gives_up_is_handled_once():
    """Invariant 38."""
    with pytest.raises(RestartIntensityError):
        async with trees_node() as node:
            with node.subscribe() as events:
                try:
                    await node.start(
                        root(
                            child("a"),
                            child("s", "s:slow", "1s"),
                            child("b", "s:told"),
                            max_restarts=0,
                        )
                    )
                    node.send("b", "x", "boom")
                    await settled(node)
                    node.terminate("a")
                    await trio.sleep_forever()
                finally:
                    seen = steps(events)
    assert [step for step in seen if "down" in step] == [
        "down b error",
        "down a killed",
        "down s shutdown",
    ]


# Isolation


async def test_a_group_from_a_python_child_is_its_error_and_touches_nobody():
    """Invariant 77."""

    async def group():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise ValueError("in a nursery")

    async with trees_node() as node:
        with node.subscribe() as events:
            tree = await node.start(
                root(ChildSpec("p", task(group), restart=Restart.TEMPORARY), child("a"))
            )
            a = node.whereis("a")
            await settled(node)
            downs = [event for event in drain(events) if type(event).__name__ == "ChildExited"]
        assert isinstance(downs[0].reason.error, ExceptionGroup)
        assert node.whereis("a") == a
        assert list(tree.which_children()) == ["a"]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
async def test_an_interrupt_from_a_child_ends_the_node_in_order(interrupt):
    """Invariant 79."""

    async def interrupted():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await current_process().receive()
            raise interrupt

    stopped = []
    clean_up = slow_to_stop(stopped)

    with pytest.raises(interrupt):
        async with trees_node() as node:
            await node.start(
                root(
                    ChildSpec("1", task(clean_up, 1)),
                    ChildSpec("2", task(clean_up, 2)),
                    ChildSpec("p", task(interrupted), name="p", restart=Restart.TEMPORARY),
                )
            )
            await settled(node)
            node.send("p", "x")
            await trio.sleep_forever()
    assert stopped == [2, 1]


# Seeing it


async def test_folding_the_events_gives_the_table():
    """Invariant 70."""
    async with trees_node() as node:
        with node.subscribe() as events:
            tree = await node.start(
                root(
                    child("a", "s:told"),
                    child("t", "s:told", restart=Restart.TEMPORARY),
                    child("b"),
                )
            )
            for name in "at":
                node.send(name, "x", "boom")
            await settled(node)
            await tree.terminate_child("b")
            assert fold(drain(events)) == tree.which_children()


async def test_supervision_events_stand_in_order_among_those_of_processes():
    async with trees_node() as node:
        with node.subscribe() as events:
            await node.start(root(child("a", "s:told")))
            node.send("a", "x", "boom")
            await settled(node)
            kinds = []
            while True:
                try:
                    kinds.append(type(events.receive_nowait()).__name__)
                except trio.WouldBlock:
                    break
    assert kinds.index(ProcessExited.__name__) < kinds.index("ChildExited")


async def test_log_records_are_loud_for_crashes_and_quiet_for_normal_ends(caplog):
    with caplog.at_level(logging.DEBUG, logger="supervise"):
        async with trees_node() as node:
            tree = await node.start(
                root(
                    child("a", "s:told", restart=Restart.TRANSIENT), child("b", "t:fail_when_told")
                )
            )
            node.send("a", "x", False)
            node.send("b", "x")
            await settled(node)
            await tree.stop()
    by_level = {}
    for record in caplog.records:
        by_level.setdefault(record.levelno, []).append(record)
    assert set(by_level) == {logging.DEBUG, logging.WARNING}
    assert [record.number for record in caplog.records] == list(range(1, len(caplog.records) + 1))
    (crash,) = by_level[logging.WARNING]
    assert crash.getMessage().startswith("root/b ended (error: t:fail_when_told:1: as told)\nstack")
    assert (crash.supervisor, crash.child, crash.event) == ("root", "b", "ChildExited")


async def test_a_record_that_nobody_wants_is_not_made(caplog, monkeypatch):
    made = []
    monkeypatch.setattr("supervise._node.Node.has_subscribers", lambda _node: False)
    monkeypatch.setattr("supervise._node.Node.publish", lambda _node, event: made.append(event))
    with caplog.at_level(logging.WARNING, logger="supervise"):
        async with trees_node() as node:
            tree = await node.start(root(child("a")))
            await tree.stop()
    kinds = [type(event).__name__ for event in made]
    assert kinds == ["SupervisorStopping", "ChildExited", "SupervisorExited"]


async def test_giving_up_is_logged_as_an_error(caplog):
    with pytest.raises(RestartIntensityError):
        async with trees_node() as node:
            await node.start(root(child("a", "s:crash"), max_restarts=0))
            await trio.sleep_forever()
    assert [r.getMessage()[:20] for r in caplog.records if r.levelno == logging.ERROR] == [
        "root stops (error: r"
    ]


# The node


async def test_the_error_of_the_body_comes_out_as_itself_after_an_ordered_stop():
    stopped = []
    clean_up = slow_to_stop(stopped)

    with pytest.raises(ZeroDivisionError):
        async with trees_node() as node:
            await node.start(
                root(ChildSpec("1", task(clean_up, 1)), ChildSpec("2", task(clean_up, 2)))
            )
            await node.start(root(ChildSpec("3", task(clean_up, 3)), id="second"))
            await run_until_idle(node)
            raise ZeroDivisionError
    assert stopped == [3, 2, 1]


async def test_a_failure_in_the_nursery_of_the_user_stops_the_tree_in_order():
    stopped = []

    async def clean_up(name):
        try:
            await trio.sleep_forever()
        finally:
            stopped.append(name)

    async def embed():
        async with trees_node() as node:
            await node.start(
                root(ChildSpec("1", task(clean_up, 1)), ChildSpec("2", task(clean_up, 2)))
            )
            await trio.sleep_forever()

    async def fail():
        await trio.sleep(1)
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(embed)
            nursery.start_soon(fail)
    assert [type(exc) for exc in caught.value.exceptions] == [ZeroDivisionError]
    assert stopped == [2, 1]


async def test_a_start_that_is_cancelled_leaves_nothing_running():
    """Invariant 65, for the start of a tree."""
    async with trees_node() as node:
        with trio.move_on_after(1) as scope:
            await node.start(root(child("a"), child("r", "s:never", ready=True), child("b")))
        assert scope.cancelled_caught
        assert node.processes() == []


async def test_a_node_that_ends_starts_no_tree():
    late = []

    async def starter(node):
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                try:
                    await node.start(root(id="late"))
                except NodeClosedError as exc:
                    late.append(exc)

    async with open_node() as node:
        await node.start(root(ChildSpec("p", task(starter, node))))
        await run_until_idle(node)
    assert len(late) == 1


@pytest.mark.in_hub("terminated elsewhere, it ends when its state gets to it")
async def test_a_supervisor_that_is_terminated_takes_all_of_its_descendants_along():
    """Invariant 2, however a supervisor ends."""
    async with trees_node() as node, node.open_process() as me:
        inner = root(child("a", "s:deaf"), ChildSpec("p", task(forever), name="p"),
                     root(child("b", "s:stubborn"), id="deep"), id="in", name="in")  # fmt: skip
        tree = await node.start(root(inner))
        before = {name: node.whereis(name) for name in ("a", "b", "p", "in")}
        me.monitor("in")
        node.terminate("in")
        await me.events.receive()
        assert not {info.pid for info in node.processes()} & {before["a"], before["b"]}
        await settled(node)
        after = {name: node.whereis(name) for name in before}
        assert None not in after.values()
        assert not set(before.values()) & set(after.values())
        assert state(tree, "in") == "running"
        assert len(node.processes()) == 7


async def test_a_root_that_is_terminated_fails_the_node():
    with pytest.raises(SupervisorFailedError, match="root failed") as caught:
        async with trees_node() as node:
            await node.start(root(child("a", "s:deaf"), name="top"))
            node.terminate("top")
            await trio.sleep_forever()
    assert caught.value.reason.kind is ExitKind.KILLED


async def test_a_stranger_cannot_harm_a_supervisor():
    """Invariant 11: links and messages of others change nothing."""
    async with trees_node() as node:
        tree = await node.start(root(child("a"), name="top"))
        linker = await node.spawn("t:puppet")
        async with node.open_process() as me:
            me.send(linker, "do", ["link", "top"])
            await me.receive()
        node.terminate(linker)
        await settled(node)
        assert state(tree, "a") == "running"


async def test_start_stop_and_crash_leave_nothing_behind():
    """Invariant 67."""
    async with trees_node() as node:

        def held():
            stats = node.statistics()
            trees = node.life.need_trees()
            return (
                stats.processes, stats.names, stats.timers, len(node._processes),
                len(trees.supervisors), len(trees.alarms), len(trees._seats), len(trees._roots),
                trio.lowlevel.current_statistics().tasks_living,
            )  # fmt: skip

        before = held()
        for _ in range(20):
            tree = await node.start(
                root(child("a", "s:told"), ChildSpec("p", task(told), name="p"),
                     child("s", "s:slow", "1ms"), child("k", shutdown=BRUTAL_KILL),
                     root(child("b", "s:told"), id="in"))
            )  # fmt: skip
            for name in "abp":
                node.send(name, "x", "boom")
            await settled(node)
            await tree.stop()
        await settled(node)
        assert held() == before


def test_the_words_of_a_failed_start():
    cause = ExitReason(
        ExitKind.ERROR, ChildFailedToStart("r/in", "c", ExitReason(ExitKind.ERROR, KeyError("k")))
    )
    error = StartError("r/in", cause)
    assert str(error) == "r/in/c did not start (error: KeyError: 'k')"
    assert isinstance(error.__cause__, KeyError)
