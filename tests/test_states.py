"""Processes in several Lua states behave as those of one, and a state that is lost takes no other along."""

from __future__ import annotations

import threading
import time

import pytest
import trio
import trio.testing

from lua_api import Kernel
from supervise import (
    ChildSpec,
    Entry,
    HostSpec,
    LinkDown,
    MailboxFullError,
    ProcessExited,
    SpawnError,
    Strategy,
    SupervisorSpec,
    open_node,
)
from supervise import lua as lua_start
from tests.programs import ENTRIES, lua, node_of

PLACEMENTS = {
    "hub": HostSpec("h"),
    "workers": HostSpec("h", workers=2),
    "private": HostSpec("h", isolation="private"),
    "private-workers": HostSpec("h", isolation="private", workers=2),
    "5.5": HostSpec("h", lua="5.5"),
    "jit": HostSpec("h", lua="jit"),
}


@pytest.fixture(params=PLACEMENTS)
def host(request):
    return PLACEMENTS[request.param]


# The same wherever they are


async def test_messages_keep_their_order(host):
    async with node_of(hosts=[host]) as node, node.open_process() as me:
        await node.spawn("t:count", me.pid, 200)
        assert [(await me.receive()).payload for _ in range(200)] == list(range(1, 201))


async def test_a_call_is_answered_and_the_end_of_the_other_is_seen(host):
    async with node_of(hosts=[host]) as node:
        echo = await node.spawn("t:echo")
        assert await node.call(echo, "x", {"n": [1, 2]}) == {"n": [1, 2]}
        watcher = await node.spawn("t:watch", echo)
        await trio.testing.wait_all_tasks_blocked()
        node.terminate(echo)
        end = await node.wait_exit(watcher)
        assert (end.result["kind"], end.result["from"]) == ("EXIT", echo)
        assert end.result["error"] == "process terminated"


async def test_a_failure_travels_over_links_of_lua_and_python(host):
    async with node_of(hosts=[host]) as node:
        failing = await node.spawn("t:fail_when_told")
        linked = await node.spawn("t:linked", failing)
        async with node.open_process() as me:
            me.monitor(linked)
            me.set_trap_links(True)
            me.link(failing)
            await trio.testing.wait_all_tasks_blocked()
            node.send(failing, "now")
            event = await me.events.receive()
            assert (type(event), event.pid) == (LinkDown, failing)
            assert (await me.events.receive()).result["from"] == failing


async def test_names_are_those_of_the_node(host):
    async with node_of(hosts=[host, HostSpec("other", workers=1)]) as node:
        echo = await node.spawn("t:echo", host="h")
        node.register("echo", echo)
        assert await node.call("echo", "x", 7) == 7
        assert [info.names for info in node.processes() if info.pid == echo] == [("echo",)]


async def test_hosts_reach_each_other(host):
    spawns = lua(
        "local pid = process.spawn_monitored('t:add', 'other', 1, 2) "
        "return process.events():receive().result"
    )
    hosts = [host, HostSpec("other", workers=1)]
    async with node_of(hosts=hosts, entries={"t:spawns": spawns}) as node:
        assert await node.exec("t:spawns", host="h") == 3


async def test_a_full_mailbox_is_told_to_python(host):
    small = HostSpec(
        "h", workers=host.workers, isolation=host.isolation, lua=host.lua, max_mailbox=3
    )
    async with node_of(hosts=[small]) as node:
        waits = await node.spawn("t:wait")
        with pytest.raises(MailboxFullError):
            for _ in range(10):
                node.send(waits, "x")
                await trio.testing.wait_all_tasks_blocked()


@pytest.mark.parametrize("strategy", Strategy)
async def test_children_come_back_and_stop_in_order(host, strategy):
    tree = SupervisorSpec(
        "top",
        strategy=strategy,
        children=[
            ChildSpec(name, lua_start("t:fail_when_told", host="h"), name=name) for name in "abc"
        ],
    )
    async with node_of(hosts=[host]) as node:
        top = await node.start(tree)
        before = {name: node.whereis(name) for name in "abc"}
        with node.subscribe() as events:
            node.send("b", "now")
            async for event in events:
                if isinstance(event, ProcessExited) and event.pid == before["b"]:
                    break
        await trio.sleep(1)
        after = {name: node.whereis(name) for name in "abc"}
        kept = {
            Strategy.ONE_FOR_ONE: "ac", Strategy.ONE_FOR_ALL: "", Strategy.REST_FOR_ONE: "a",
        }[strategy]  # fmt: skip
        assert {name for name in "abc" if before[name] == after[name]} == set(kept)
        assert None not in after.values()
        ended = []
        with node.listen(ended.append):
            await top.stop()
            await trio.sleep(1)
        pids = [event.pid for event in ended if isinstance(event, ProcessExited)]
        assert pids == [after["c"], after["b"], after["a"]]


async def test_statistics_show_every_state():
    hosts = [HostSpec("a"), HostSpec("b", workers=2), HostSpec("c", isolation="private")]
    async with node_of(hosts=hosts) as node:
        for host in "abbc":
            await node.spawn("t:wait", host=host)
        found = node.statistics()
        rows = [(state.number, state.host, state.thread) for state in found.states]
        assert rows == [(0, None, None), (1, "b", "b#1"), (2, "b", "b#2"), (3, "c", None)]
        assert [state.processes for state in found.states] == [1, 1, 1, 1]
        assert found.processes == 4
        assert found.lua_bytes == sum(state.lua_bytes for state in found.states)


# Lost states


class _Broken(Kernel):
    """Breaks in the step after one in which somebody printed "break"."""

    broken = False

    def step(self, now, budget):
        if self.broken:
            raise MemoryError("no memory left")
        step = super().step(now, budget)
        self.broken = any(getattr(effect, "text", None) == "break" for effect in step.effects)
        return step


@pytest.mark.parametrize("name", [name for name in PLACEMENTS if name != "hub"])
async def test_a_state_that_breaks_is_replaced(name, monkeypatch, caplog):
    monkeypatch.setattr("supervise._states.Kernel", _Broken)
    breaks = lua("process.inbox():receive() print('break') time.sleep('1s')")
    tree = SupervisorSpec(
        "top", children=[ChildSpec("a", lua_start("t:breaks", host="h"), name="a")]
    )
    hosts = [PLACEMENTS[name], HostSpec("safe", workers=1)]
    async with node_of(hosts=hosts, entries={"t:breaks": breaks}) as node:
        await node.start(tree)
        first = node.whereis("a")
        watcher = await node.spawn("t:watch", first, host="safe")
        async with node.open_process() as me:
            me.monitor(first)
            me.monitor(watcher)
            await trio.testing.wait_all_tasks_blocked()
            node.send("a", "now")
            broken, told = await me.events.receive(), await me.events.receive()
        assert "broken: MemoryError: no memory left" in broken.error.message
        assert told.result["error"] == broken.error.message
        second = await node.wait_registered("a")
        assert second != first
        assert await node.exec("t:add", 1, 2, host="h") == 3
    assert "of host h is broken: MemoryError: no memory left" in caplog.text


async def test_what_a_lost_state_was_spawning_elsewhere_counts_once(monkeypatch):
    monkeypatch.setattr("supervise._states.Kernel", _Broken)
    breaks = lua(
        "coroutine.spawn(function() process.spawn('t:slow', 'safe') end) "
        "process.inbox():receive() print('break') time.sleep('1ms')"
    )
    slow = Entry(text="time.sleep('2s') return { main = function() end }")
    hosts = [HostSpec("h", workers=1), HostSpec("safe", workers=1, max_processes=1)]
    entries = {"t:breaks": breaks, "t:slow": slow}
    async with node_of(hosts=hosts, entries=entries) as node:
        pid = await node.spawn("t:breaks", host="h")
        await trio.sleep(1)
        node.send(pid, "now")
        assert "broken" in (await node.wait_exit(pid)).error.message
        with pytest.raises(SpawnError, match="is full"):
            await node.spawn("t:wait", host="safe")
        await trio.sleep(2)
        await node.spawn("t:wait", host="safe")
        with pytest.raises(SpawnError, match="is full"):
            await node.spawn("t:wait", host="safe")


async def test_a_process_that_is_still_being_loaded_counts_once():
    slow = Entry(text="time.sleep('2s') return { main = function() process.inbox():receive() end }")
    hosts = [HostSpec("h", workers=2, max_processes=4)]
    tree = SupervisorSpec(
        "top", children=[ChildSpec("child", lua_start("t:slow", host="h"))], max_restarts=0
    )
    async with (
        node_of(hosts=hosts, entries={"t:slow": slow}) as node,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(node.start, tree)
        nursery.start_soon(node.spawn, "t:slow")
        await trio.sleep(1)
        for _ in range(2):
            await node.spawn("t:wait")
        with pytest.raises(SpawnError, match="is full"):
            await node.spawn("t:wait")


def test_a_thread_that_does_not_come_back_is_replaced(caplog):
    """A pattern that takes ages: nothing can interrupt it."""
    stuck = lua(
        "process.inbox():receive() local s = ('a'):rep(27) return s:find(('a?'):rep(27) .. s)"
    )

    async def main():
        hosts = [HostSpec("h", workers=1, max_block=0.1)]
        entries = {**ENTRIES, "t:stuck": stuck}
        async with open_node(hosts=hosts, entries=entries) as node:
            pid = await node.spawn("t:stuck")
            other = await node.spawn("t:wait")
            began = time.monotonic()
            node.send(pid, "now")
            end = await node.wait_exit(other)
            assert time.monotonic() - began < 1
            assert "did not come back within max_block, 0.1 seconds" in end.error.message
            assert await node.exec("t:add", 1, 2) == 3
            assert [state.number for state in node.statistics().states] == [0, 2]

    trio.run(main)
    assert "is lost" in caplog.text


def test_threads_run_beside_trio_and_end_with_the_node():
    before = threading.active_count()

    async def main():
        hosts = [HostSpec("h", workers=2), HostSpec("p", workers=1, isolation="private")]
        async with open_node(hosts=hosts, entries=ENTRIES) as node, node.open_process() as me:
            for host in ("h", "h", "p"):
                await node.spawn("t:count", me.pid, 100, host=host)
            for _ in range(300):
                await me.receive()
            assert threading.active_count() == before + 3

    trio.run(main)
    assert threading.active_count() == before
