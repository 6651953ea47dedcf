"""`Node.upgrade`: newer files for a node that runs, and what becomes of its processes."""

from __future__ import annotations

import pytest
import trio

from specs import DynamicSupervisorSpec
from supervise import (
    ChildSpec,
    Entry,
    ProcessUpgraded,
    Restart,
    RestartIntensityError,
    SourceError,
    SpawnError,
    Strategy,
    Upgraded,
    lua,
)
from supervise.testing import open_test_node, run_until_idle
from tests import placement
from tests.trees import child, root

pytestmark = pytest.mark.wander

TAKES_PART = """
local function main(total)
  local inbox, upgrades = process.inbox(), process.upgrades()
  while true do
    local got = channel.select{ upgrades:case_receive(), inbox:case_receive() }
    if got.channel == upgrades then process.upgrade(got.value, total) end
    total = total + STEP
    process.send(got.value:from(), "total", total)
  end
end
return { main = main }
"""
TAKES_NONE = """
local function main()
  local inbox = process.inbox()
  while true do
    local message = inbox:receive()
    process.send(message:from(), "version", VERSION)
  end
end
return { main = main }
"""


class Files:
    """A source root."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, text, **words):
        for word, value in words.items():
            text = text.replace(word, str(value))
        path = self.folder / "app" / f"{name}.lua"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


@pytest.fixture
def files(tmp_path):
    found = Files(tmp_path)
    found.write("counter", TAKES_PART, STEP=1)
    found.write("plain", TAKES_NONE, VERSION=1)
    return found


def node_of(files, **options):
    options.setdefault("hosts", [placement.now.host()])
    return open_test_node(files.folder, output=lambda _pid, _text: None, **options)


async def test_who_takes_part_goes_on_with_its_state_its_pid_and_its_mail(files):
    async with node_of(files) as node, node.open_process() as me:
        pid = await me.spawn("app:counter", 10, monitor=True)
        node.register("till", pid)
        assert await node.call("till", "add") == 11
        files.write("counter", TAKES_PART, STEP=100)
        await run_until_idle(node)
        for _ in range(3):
            me.send("till", "add")
        with node.subscribe() as events:
            done = await node.upgrade("app:counter")
            seen = [event for event in drained(events) if isinstance(event, ProcessUpgraded)]
        assert done == Upgraded(upgraded=(pid,))
        assert seen == [ProcessUpgraded(pid, "app:counter")]
        totals = [(await me.receive()).payload for _ in range(3)]
        # It waited: the first message was its own before it was asked.
        assert totals == [12, 112, 212]
        assert node.whereis("till") == pid
        assert await node.call("till", "add") == 312
        node.terminate("till")
        assert (await me.events.receive()).pid == pid


def drained(events):
    seen = []
    while True:
        try:
            seen.append(events.receive_nowait())
        except trio.WouldBlock:
            return seen


async def test_nothing_that_changed_is_nothing_to_do(files):
    async with node_of(files) as node:
        await node.spawn("app:counter", 0)
        assert await node.upgrade("app:counter") == Upgraded()
        assert await node.upgrade("app:plain") == Upgraded()


BAD = [
    ("return {", "app/counter.lua:1: "),
    ("local x = 1\nerror('no luck')", "app/counter.lua:2: no luck"),
    ("\nlocal t = {}\nreturn t\n", "app/counter.lua:3: main is missing"),
    ("\n\nrequire('app.nowhere')", "app/counter.lua:3: module not found"),
    ("require('app.broken')", "app/broken.lua:2: "),
    ("process.inbox():receive()", "app/counter.lua:1: waits while it is loaded"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
async def test_a_faulty_version_is_refused_and_the_old_one_runs_on(files, text, words):
    files.write("broken", "\nlocal = 1")
    async with node_of(files) as node:
        pid = await node.spawn("app:counter", 0)
        files.write("counter", text)
        with pytest.raises(SpawnError) as caught:
            await node.upgrade("app:counter")
        assert words in str(caught.value)
        assert words in caught.value.fault.message
        assert await node.call(pid, "add") == 1
        other = await node.spawn("app:counter", 5)
        assert await node.call(other, "add") == 6
        files.write("counter", TAKES_PART, STEP=2)
        assert await node.upgrade("app:counter") == Upgraded(upgraded=(pid, other))


async def test_there_may_be_no_such_entry(files):
    async with node_of(files) as node:
        for name in ("app:nowhere", "nonsense"):
            with pytest.raises(SourceError):
                await node.upgrade(name)


async def test_a_process_that_upgrades_itself_to_a_faulty_version_ends_and_the_next_is_an_old_one(
    files,
):
    once = "return function() process.inbox():receive() process.upgrade() end"
    files.write("once", once)
    async with node_of(files) as node:
        pid = await node.spawn("app:once")
        files.write("once", "\nreturn {")
        node.send(pid, "go")
        ended = await node.wait_exit(pid)
        assert "app/once.lua:2: " in ended.error.message
        await node.spawn("app:once")
        files.write("once", "return function() return 'new' end")
        pid = await node.spawn("app:once")
        node.send(pid, "go")
        assert (await node.wait_exit(pid)).result == "new"


async def test_nobody_is_asked_of_another_entry_and_others_run_on(files):
    files.write("other", TAKES_PART, STEP=1)
    async with node_of(files) as node:
        other = await node.spawn("app:other", 0)
        plain = await node.spawn("app:plain")
        for name in ("other", "plain"):
            files.write(name, TAKES_PART, STEP=2)
        assert await node.upgrade("app:plain") == Upgraded(outdated=(plain,))
        assert await node.call(other, "add") == 1
        assert await node.call(plain, "version") == 1
        assert await node.upgrade("app:other") == Upgraded(upgraded=(other,))


async def test_who_ends_instead_has_failed(files):
    files.write(
        "ends", "return function() process.upgrades():receive() error('not with me', 0) end"
    )
    async with node_of(files) as node:
        pid = await node.spawn("app:ends")
        files.write("ends", "return function() end")
        assert await node.upgrade("app:ends") == Upgraded(failed=(pid,))


async def test_a_caller_may_give_up_who_was_asked_is_still_asked(files):
    files.write(
        "slow",
        "return function() local news = process.upgrades() time.sleep('9s') "
        "process.upgrade(news:receive()) end",
    )
    async with node_of(files) as node, node.open_process() as me:
        pid = await me.spawn("app:slow", monitor=True)
        files.write("slow", "return function() return 'new' end")
        with trio.move_on_after(1) as patience:
            await node.upgrade("app:slow")
        assert patience.cancelled_caught
        assert (await me.events.receive()).result == "new"
        assert pid


# Modules


async def test_a_module_that_changed_changes_who_requires_it(files):
    files.write("step", "return 1")
    with_module = TAKES_PART.replace("STEP", "require('app.step')")
    at_the_top = "local step = require('app.step')\n" + TAKES_PART.replace("STEP", "step")
    for name, text in {"lazy": with_module, "top": at_the_top}.items():
        files.write(name, text)
    async with node_of(files) as node:
        pids = [await node.spawn(f"app:{name}", 0) for name in ("lazy", "top")]
        assert [await node.call(pid, "add") for pid in pids] == [1, 1]
        files.write("step", "\nreturn {")
        for name in ("lazy", "top"):
            with pytest.raises(SpawnError, match=r"app/step.lua:2: "):
                await node.upgrade(f"app:{name}")
        files.write("step", "return 10")
        assert await node.upgrade("app:top") == Upgraded(upgraded=(pids[1],))
        assert [await node.call(pid, "add") for pid in pids] == [2, 11]
        assert await node.upgrade("app:lazy") == Upgraded(upgraded=(pids[0],))
        assert await node.call(pids[0], "add") == 12


async def test_a_trial_leaves_nothing_behind_in_the_node(files):
    text = "process.registry.register('taken') coroutine.spawn(function() time.sleep('1h') end)\n"
    files.write("plain", text + TAKES_NONE, VERSION=1)
    async with node_of(files) as node:
        pid = await node.spawn("app:plain")
        files.write("plain", text + TAKES_NONE, VERSION=2)
        before = node.statistics()
        assert await node.upgrade("app:plain") == Upgraded(outdated=(pid,))
        after = node.statistics()
        assert (before.processes, before.names, before.timers) == (
            after.processes,
            after.names,
            after.timers,
        )


async def test_an_entry_that_is_mapped_to_a_file_with_another_main(tmp_path):
    path = tmp_path / "any.lua"
    path.write_text(
        "return { go = function() process.upgrade(process.upgrades():receive(), 1) end }"
    )
    hosts = [placement.now.host()]
    async with open_test_node(entries={"x:y": Entry(path, main="go")}, hosts=hosts) as node:
        pid = await node.spawn("x:y")
        path.write_text("return { main = print }")
        with pytest.raises(SpawnError, match="go is missing"):
            await node.upgrade("x:y")
        path.write_text("return { go = function(...) process.inbox():receive() return ... end }")
        assert await node.upgrade("x:y") == Upgraded(upgraded=(pid,))


# Supervised processes


async def test_supervised_ones_that_take_no_part_are_restarted_and_not_charged(files):
    spec = root(
        child("a", "app:plain"),
        child("b", "app:counter", 7),
        child("c", "app:plain"),
        strategy=Strategy.ONE_FOR_ALL,
        max_restarts=0,
    )
    async with node_of(files) as node:
        tree = await node.start(spec)
        old = {row.child: row.pid for row in tree.which_children().values()}
        for version in (2, 3, 4):
            files.write("plain", TAKES_NONE, VERSION=version)
            done = await node.upgrade("app:plain")
            now = {row.child: row.pid for row in tree.which_children().values()}
            assert done == Upgraded(restarted=(now["a"], now["c"]))
            assert [await node.call(name, "?") for name in ("a", "c")] == [version] * 2
        assert now["b"] == old["b"]
        files.write("counter", TAKES_PART, STEP=3)
        assert await node.upgrade("app:counter") == Upgraded(upgraded=(old["b"],))
        assert await node.call("b", "add") == 10
        assert tree.which_children()["b"].incarnation == 2


async def test_a_dynamic_child_is_restarted_and_a_temporary_one_is_not(files):
    async with node_of(files) as node:
        pool = await node.start(DynamicSupervisorSpec("pool", max_restarts=0))
        started = [
            await pool.start_child(ChildSpec("x", lua("app:plain"), restart=restart))
            for restart in (Restart.TRANSIENT, Restart.TEMPORARY)
        ]
        files.write("plain", TAKES_NONE, VERSION=2)
        done = await node.upgrade("app:plain")
        assert len(done.restarted) == 1
        assert done.outdated == (started[1].pid,)
        assert [await node.call(pid, "?") for pid in (*done.restarted, *done.outdated)] == [2, 1]


async def test_supervised_children_are_restarted_one_by_one(files):
    slow = "return function() process.events():receive() time.sleep('1s') end --VERSION"
    files.write("slow", slow)
    spec = root(child("a", "app:slow"), child("b", "app:slow"))
    async with node_of(files) as node:
        tree = await node.start(spec)
        files.write("slow", slow, VERSION=2)
        alive = []
        with node.listen(lambda _: alive.append(tree.count_children().active)):
            begun = trio.current_time()
            done = await node.upgrade("app:slow")
        assert len(done.restarted) == 2
        assert trio.current_time() - begun == 2.0
        assert min(alive) >= 1


async def test_a_supervised_process_keeps_its_place_when_it_upgrades(files):
    async with node_of(files) as node:
        tree = await node.start(root(child("a", "app:counter", 0)))
        files.write("counter", "return function() process.inbox():receive() error('down') end")
        done = await node.upgrade("app:counter")
        before = tree.which_children()["a"]
        assert done.upgraded == (before.pid,)
        node.send("a", "go")
        await run_until_idle(node)
        after = tree.which_children()["a"]
        assert (after.incarnation, after.pid != before.pid) == (2, True)
        await tree.terminate_child("a")


async def test_a_child_whose_new_life_does_not_start_fails_like_any_other(files):
    files.write("ready", "return function() process.started() process.inbox():receive() end")
    with pytest.raises(RestartIntensityError, match="not today"):
        async with node_of(files) as node:
            tree = await node.start(root(child("a", "app:ready", ready=True), max_restarts=1))
            pid = tree.which_children()["a"].pid
            files.write("ready", "return function() error('not today') end")
            assert await node.upgrade("app:ready") == Upgraded(failed=(pid,))
            await trio.sleep_forever()
