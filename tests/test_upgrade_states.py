"""`Node.upgrade` over several Lua states: one version of each file for all of them, or the old one."""

from __future__ import annotations

import pytest
import trio

from lua_api import Kernel
from supervise import (
    ChildSpec,
    HostSpec,
    NodeClosedError,
    SpawnError,
    SupervisorSpec,
    Upgraded,
    lua,
    open_node,
)
from supervise.testing import run_until_idle
from tests.test_upgrade import TAKES_NONE, TAKES_PART, Files, node_of

HOSTS = [
    HostSpec("hub"),
    HostSpec("threads", workers=2),
    HostSpec("private", isolation="private"),
    HostSpec("new", lua="5.5"),
    HostSpec("jit", lua="jit"),
]
NAMES = [host.name for host in HOSTS for _ in range(2)]


@pytest.fixture
def files(tmp_path):
    found = Files(tmp_path)
    found.write("counter", TAKES_PART, STEP=1)
    found.write("plain", TAKES_NONE, VERSION=1)
    return found


async def counters(node, entry="app:counter"):
    return [await node.spawn(entry, 0, host=name) for name in NAMES]


async def totals(node, pids):
    return [await node.call(pid, "add") for pid in pids]


async def test_a_newer_version_reaches_every_state(files):
    async with node_of(files, hosts=HOSTS) as node:
        pids = await counters(node)
        assert await totals(node, pids) == [1] * len(pids)
        files.write("counter", TAKES_PART, STEP=10)
        done = await node.upgrade("app:counter")
        assert set(done.upgraded) == set(pids)
        assert done == Upgraded(upgraded=done.upgraded)
        assert await totals(node, pids) == [11] * len(pids)
        assert await totals(node, await counters(node)) == [10] * len(pids)
        assert await node.upgrade("app:counter") == Upgraded()


@pytest.mark.parametrize("host", [host.name for host in HOSTS])
async def test_what_was_sent_before_the_upgrade_is_there_before_it(files, host):
    async with node_of(files, hosts=HOSTS) as node, node.open_process() as me:
        pid = await node.spawn("app:counter", 0, host=host)
        await run_until_idle(node)
        me.send(pid, "add")
        files.write("counter", TAKES_PART, STEP=10)
        assert await node.upgrade("app:counter") == Upgraded(upgraded=(pid,))
        assert (await me.receive()).payload == 1


async def test_a_faulty_version_reaches_no_state_and_no_new_process(files):
    async with node_of(files, hosts=HOSTS) as node:
        pids = await counters(node)
        files.write("counter", "\nreturn {")
        with pytest.raises(SpawnError, match=r"app/counter.lua:2: "):
            await node.upgrade("app:counter")
        assert await totals(node, pids) == [1] * len(pids)
        assert await totals(node, await counters(node)) == [1] * len(pids)


async def test_what_one_lua_does_not_run_reaches_none(files):
    async with node_of(files, hosts=HOSTS) as node:
        pids = await counters(node)
        files.write("counter", TAKES_PART, STEP="10 // 1")
        with pytest.raises(SpawnError, match=r'app/counter.lua:7: .* \(lua="jit"\)'):
            await node.upgrade("app:counter")
        assert await totals(node, pids) == [1] * len(pids)
        # Where nothing runs it, it is not tried.
        plain = await node.spawn("app:plain", host="hub")
        files.write("plain", TAKES_NONE, VERSION="4 // 2")
        assert await node.upgrade("app:plain") == Upgraded(outdated=(plain,))


async def test_a_module_is_tried_wherever_it_is_used_by_whomever(files):
    files.write("step", "return 1")
    for name in ("one", "two"):
        files.write(name, TAKES_PART, STEP="require('app.step')")
    async with node_of(files, hosts=HOSTS) as node:
        one = await node.spawn("app:one", 0, host="private")
        two = await node.spawn("app:two", 0, host="jit")
        assert await totals(node, [one, two]) == [1, 1]
        files.write("step", "return 10 // 1")
        with pytest.raises(SpawnError, match=r'app/step.lua:1: .* \(lua="jit"\)'):
            await node.upgrade("app:one")
        assert await totals(node, [one, two]) == [2, 2]
        files.write("step", "return 10")
        assert await node.upgrade("app:one") == Upgraded(upgraded=(one,))
        assert await node.upgrade("app:two") == Upgraded(upgraded=(two,))
        assert await totals(node, [one, two]) == [12, 12]


async def test_a_state_that_opens_later_runs_what_the_others_run(files):
    async with node_of(files, hosts=HOSTS) as node:
        await node.spawn("app:counter", 0, host="hub")
        files.write("counter", TAKES_PART, STEP=10)
        late = await node.spawn("app:counter", 0, host="private")
        assert await node.call(late, "add") == 1
        assert (await node.upgrade("app:counter")).upgraded[1:] == (late,)


@pytest.mark.parametrize("host", [host.name for host in HOSTS])
async def test_who_upgrades_itself_brings_the_newer_version_to_the_node(files, host):
    once = "return function() process.inbox():receive() process.upgrade() end"
    files.write("once", once)
    async with node_of(files, hosts=HOSTS) as node:
        first, other, third = [
            await node.spawn("app:once", host=name) for name in (host, "threads", host)
        ]
        files.write("once", "return function() return VERSION end", VERSION=2)
        node.send(first, "go")
        assert (await node.wait_exit(first)).result == 2
        assert await node.exec("app:once", host="private") == 2
        left = await node.upgrade("app:once")
        assert set(left.outdated) == {other, third}
        assert left == Upgraded(outdated=left.outdated)
        files.write("once", "\nreturn {")
        node.send(other, "go")
        assert (await node.wait_exit(other)).result == 2
        assert await node.exec("app:once", host=host) == 2


@pytest.mark.parametrize("host", [host.name for host in HOSTS])
async def test_who_upgrades_itself_to_a_faulty_version_ends_and_the_next_is_an_old_one(files, host):
    files.write("once", "return function() process.inbox():receive() process.upgrade() end")
    async with node_of(files, hosts=HOSTS) as node:
        pid = await node.spawn("app:once", host=host)
        files.write("once", "\nreturn {")
        node.send(pid, "go")
        assert "app/once.lua:2: " in (await node.wait_exit(pid)).error.message
        assert await node.spawn("app:once", host=host)


async def test_supervised_ones_that_take_no_part_are_restarted_wherever_they_are(files):
    spec = SupervisorSpec(
        "top",
        children=[ChildSpec(host.name, lua("app:plain", host=host.name)) for host in HOSTS],
        max_restarts=0,
    )
    async with node_of(files, hosts=HOSTS) as node:
        tree = await node.start(spec)
        files.write("plain", TAKES_NONE, VERSION=2)
        done = await node.upgrade("app:plain")
        pids = [row.pid for row in tree.which_children().values()]
        assert set(done.restarted) == set(pids)
        assert done == Upgraded(restarted=done.restarted)
        assert [await node.call(pid, "version") for pid in pids] == [2] * len(HOSTS)


async def test_a_state_that_is_lost_meanwhile_keeps_nobody_waiting(files, monkeypatch):
    asks = Kernel.ask_to_upgrade

    def break_down(kernel, entry):
        rows = asks(kernel, entry)
        if rows and kernel.lua == "5.5":
            raise MemoryError
        return rows

    async with node_of(files, hosts=HOSTS) as node:
        pids = await counters(node)
        monkeypatch.setattr(Kernel, "ask_to_upgrade", break_down)
        files.write("counter", TAKES_PART, STEP=10)
        done = await node.upgrade("app:counter")
        lost = [pid for pid, name in zip(pids, NAMES, strict=True) if name == "new"]
        assert done == Upgraded(upgraded=done.upgraded)
        assert set(done.upgraded) == set(pids) - set(lost)
        again = await node.spawn("app:counter", 0, host="new")
        assert await node.call(again, "add") == 10


async def test_who_is_lost_after_it_was_asked_has_failed(files, monkeypatch):
    slow = "return function() process.upgrades() time.sleep('1s') print('lost') end"
    files.write("slow", slow)

    class Broken(Kernel):
        def step(self, now, budget):
            step = super().step(now, budget)
            if any(getattr(effect, "text", None) == "lost" for effect in step.effects):
                raise MemoryError
            return step

    monkeypatch.setattr("supervise._states.Kernel", Broken)
    async with node_of(files, hosts=HOSTS) as node:
        pids = [await node.spawn("app:slow", host=name) for name in ("private", "threads")]
        await run_until_idle(node)
        files.write("slow", slow + " -- 2")
        done = await node.upgrade("app:slow")
        assert set(done.failed) == set(pids)
        assert done == Upgraded(failed=done.failed)


async def test_an_upgrade_does_not_outlive_the_node(files):
    told = []

    async def upgrade(node):
        try:
            await node.upgrade("app:counter")
        except NodeClosedError:
            told.append("closed")

    async with trio.open_nursery() as nursery, open_node(files.folder, HOSTS) as node:
        await counters(node)
        files.write("counter", TAKES_PART, STEP=10)
        nursery.start_soon(upgrade, node)
        await trio.lowlevel.checkpoint()
    assert told == ["closed"]


def test_threads_that_run_by_themselves_are_upgraded_like_others(files):
    files.write("once", "return function() process.inbox():receive() process.upgrade() end")

    async def main():
        hosts = [HostSpec("threads", workers=2), HostSpec("private", isolation="private")]
        async with open_node(files.folder, hosts=hosts) as node:
            pids = [
                await node.spawn("app:counter", 0, host=name)
                for name in ("threads", "threads", "private")
            ]
            files.write("counter", TAKES_PART, STEP=10)
            assert set((await node.upgrade("app:counter")).upgraded) == set(pids)
            assert await totals(node, pids) == [10] * 3
            once = await node.spawn("app:once", host="threads")
            files.write("once", "return function() return 'new' end")
            node.send(once, "go")
            assert (await node.wait_exit(once)).result == "new"
            assert await node.exec("app:once", host="private") == "new"

    trio.run(main)
