"""Starts that are ignored: a child says that it is not needed, which is no failure. OTP's `ignore`."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from supervise import (
    ChildIgnored,
    ChildNotFoundError,
    ChildSpec,
    DynamicSupervisorSpec,
    Entry,
    Ignore,
    NameRegistered,
    Restart,
    StartedChild,
    StartError,
    StartTimedOut,
    Strategy,
    task,
)
from supervise._show import News
from tests.programs import lua as program
from tests.trees import child, drain, root, state, trees_node

LUA = {
    # Needed as long as somebody holds this name.
    "i:main": program(
        "if not process.registry.lookup('needed') then process.ignore() end "
        "process.started('here') process.inbox():receive() error('told', 0)"
    ),
    "i:wait": program("time.sleep('1s') process.ignore()"),
    "i:chunk": Entry(text="process.ignore() local function main() end return { main = main }"),
    "i:coroutine": program("coroutine.spawn(process.ignore) channel.new():receive()"),
    "i:caught": program("pcall(process.ignore) error('not reached')"),
    "i:stopping": program("process.events():receive() process.ignore()"),
    "i:late": program("process.started() process.ignore()"),
    "i:plain": program("process.ignore()"),
}


async def optional(task_status, needed=()):
    if not needed:
        raise Ignore
    task_status.started()
    await trio.sleep_forever()


async def waits_first(task_status):
    await trio.sleep(1)
    raise Ignore


async def from_a_nursery(task_status):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        raise Ignore


def from_a_plain_call(task_status):
    raise Ignore


async def when_cancelled(task_status):
    try:
        await trio.sleep_forever()
    finally:
        raise Ignore


async def too_late(task_status):
    task_status.started()
    raise Ignore


async def without_a_status():
    raise Ignore


def lua_child(entry="i:main", **fields):
    return child("c", entry, **{"ready": True, **fields})


def py_child(fn=optional, *args, **fields):
    return ChildSpec("c", task(fn, *args), name="c", **fields)


IGNORED = [
    lua_child(),
    lua_child("i:chunk"),
    lua_child("i:chunk", ready=False),
    lua_child("i:coroutine"),
    lua_child("i:caught"),
    py_child(),
    py_child(from_a_nursery),
    py_child(from_a_plain_call),
]


@pytest.mark.parametrize("spec", IGNORED, ids=str)
async def test_an_ignored_start_keeps_the_child_stopped_and_goes_on(spec):
    """Invariant 12, and the table of section 2: at the start of a tree and from `start_child`."""
    async with trees_node(entries=LUA) as node:
        with node.subscribe() as events:
            tree = await node.start(root(child("a"), spec, child("b")))
            reports = [event for event in drain(events) if isinstance(event, ChildIgnored)]
        assert [(report.child, report.then.value) for report in reports] == [("c", "stopped")]
        assert (state(tree, "a"), state(tree, "c"), state(tree, "b")) == (
            "running", "stopped", "running",
        )  # fmt: skip
        assert tree.which_children()["c"].pid is None
        counts = tree.count_children()
        assert (counts.specs, counts.active) == (3, 2)
        assert node.whereis("c") is None
        assert {info.entry for info in node.processes()} == {"root", "t:wait"}
        again = await tree.restart_child("c")
        assert again.ignored
        with pytest.raises(LookupError, match="start ignored"):
            again.pid  # noqa: B018
        await tree.delete_child("c")
        assert await tree.start_child(spec) == StartedChild(None)
        await tree.terminate_child("c")
        assert await tree.restart_child("c") == StartedChild(None)
        assert state(tree, "c") == "stopped"


@pytest.mark.parametrize("kind", ["lua", "python"])
async def test_restart_child_starts_a_child_that_is_needed_by_now(kind):
    needed = []
    spec = lua_child() if kind == "lua" else ChildSpec("c", task(optional_if(needed)))
    async with trees_node(entries=LUA) as node:
        tree = await node.start(root(spec))
        needed.append(True)
        await node.spawn("t:wait")
        node.register("needed", node.processes()[-1].pid)
        started = await tree.restart_child("c")
        assert started.pid == tree.which_children()["c"].pid is not None


def optional_if(needed):
    async def fn(task_status):
        await optional(task_status, needed)

    return fn


@pytest.mark.parametrize("spec", [lua_child(restart=Restart.TEMPORARY),
                                  py_child(restart=Restart.TEMPORARY)], ids=str)  # fmt: skip
async def test_a_temporary_child_that_is_ignored_is_forgotten(spec):
    async with trees_node(entries=LUA) as node:
        tree = await node.start(root(spec))
        assert tree.which_children() == {}
        assert await tree.start_child(spec) == StartedChild(None)
        with pytest.raises(ChildNotFoundError):
            await tree.restart_child("c")


@pytest.mark.parametrize("spec", [lua_child(), py_child()], ids=str)
async def test_a_dynamic_supervisor_forgets_an_ignored_child(spec):
    async with trees_node(entries=LUA) as node:
        pool = await node.start(DynamicSupervisorSpec("pool", max_children=1))
        for _ in range(3):
            assert await pool.start_child(spec) == StartedChild(None)
        assert pool.which_children() == {}


async def test_an_ignored_restart_is_a_success_and_costs_nothing_more():
    """Invariant 12: only the exit before it was charged."""
    async with trees_node(entries=LUA) as node:
        other = await node.spawn("t:wait")
        node.register("needed", other)
        with node.subscribe() as events:
            tree = await node.start(root(lua_child(), max_restarts=1))
            news = News()
            told = [news.tell(event) for event in drain(events)]
            node.unregister("needed")
            node.send("c", "end")
            await wait_all_tasks_blocked()
            told = [news.tell(event) for event in drain(events)]
        assert state(tree, "c") == "stopped"
        assert "root/c was not started again: it had its start ignored" in told
        assert await tree.start_child(child("d")) is not None


async def test_a_group_restart_tries_an_ignored_child_again():
    needed = []
    spec = ChildSpec("c", task(optional_if(needed)))
    async with trees_node(entries=LUA) as node:
        tree = await node.start(root(spec, child("a", "s:told"), strategy=Strategy.ONE_FOR_ALL))
        needed.append(True)
        node.send("a", "end", "boom")
        await wait_all_tasks_blocked()
        assert state(tree, "c") == "running"


@pytest.mark.parametrize("spec", [lua_child("i:stopping"), py_child(when_cancelled)], ids=str)
async def test_a_start_that_is_cut_short_is_over_when_it_is_ignored(spec, autojump_clock):
    async with trees_node(entries=LUA) as node:
        tree = await node.start(root())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refused, tree, spec)
            await wait_all_tasks_blocked()
            await tree.terminate_child("c")
        assert tree.which_children() == {}
    assert autojump_clock.current_time() == 0


async def refused(tree, spec):
    with pytest.raises(StartError):
        await tree.start_child(spec)


async def test_a_start_that_took_too_long_cannot_be_ignored_any_more(autojump_clock):
    async with trees_node() as node:
        with pytest.raises(StartError) as caught:
            await node.start(root(py_child(when_cancelled, start_timeout=2)))
        assert isinstance(caught.value.reason.error, StartTimedOut)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (lua_child("i:late"), "no supervisor waits for this process to start"),
        (lua_child("i:plain", ready=False), "no supervisor waits for this process to start"),
        (py_child(too_late), "only before the child has started"),
        (py_child(without_a_status), "only before the child has started"),
    ],
    ids=str,
)
async def test_a_child_that_has_started_cannot_ignore_its_start(spec, text):
    async with trees_node(entries=LUA) as node:
        with node.subscribe() as events:
            tree = await node.start(root(ChildSpec("c", spec.start, ready=spec.ready,
                                                   restart=Restart.TEMPORARY)))  # fmt: skip
            await wait_all_tasks_blocked()
            ends = [event.reason for event in drain(events) if hasattr(event, "reason")]
        assert tree.which_children() == {}
        assert [end.kind.value for end in ends] == ["error"]
        assert text in str(ends[0].error)


async def test_a_process_without_a_supervisor_cannot_ignore_its_start():
    async with trees_node(entries=LUA) as node:
        with pytest.raises(Exception, match="no supervisor waits"):
            await node.exec("i:plain")


@pytest.mark.parametrize("call", [
    "supervisor.start_child('top', {id='n', start={lua='i:main'}, ready=true})",
    "supervisor.start_child('pool', {start={lua='i:main'}, ready=true})",
    "supervisor.restart_child('top', 'c')",
])  # fmt: skip
async def test_a_lua_caller_gets_false_and_no_error(call):
    ask = program(f"local pid, err = {call} return {{pid = pid, fine = err == nil}}")
    look = program(
        "local rows = supervisor.which_children('top') "
        "local counts = supervisor.count_children('top') "
        "return {state = rows[1].state, no_pid = rows[1].pid == nil, active = counts.active, "
        "deleted = supervisor.delete_child('top', 'c')}"
    )
    async with trees_node(entries={**LUA, "u:ask": ask, "u:look": look}) as node:
        tree = root(lua_child(), DynamicSupervisorSpec("pool", name="pool"), name="top")
        await node.start(tree)
        assert await node.exec("u:ask") == {"pid": False, "fine": True}
        seen = await node.exec("u:look")
        assert seen == {"state": "stopped", "no_pid": True, "active": 1, "deleted": True}


@pytest.mark.parametrize("spec", [lua_child("i:wait"), py_child(waits_first)], ids=str)
async def test_watchers_see_an_ignored_start_end_well(spec):
    async with trees_node(entries=LUA) as node, node.open_process() as me:
        tree = await node.start(root())
        with node.subscribe() as events:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tree.start_child, spec)
                async for event in events:
                    if isinstance(event, NameRegistered):
                        me.link(event.pid)
                        me.monitor(event.pid)
                        break
        assert (await me.events.receive()).error is None
