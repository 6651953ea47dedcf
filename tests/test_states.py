"""Processes in several Lua states behave as those of one, and a state that is lost takes no other along."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pytest
import trio
import trio.testing

from lua_api import Kernel, StateDone, encode, encode_list
from supervise import (
    ChildExited,
    ChildSpec,
    Entry,
    HostSpec,
    LinePrinted,
    LinkDown,
    MailboxFullError,
    NameReleased,
    ProcessExited,
    ProcessExitedError,
    ProcessSpawned,
    SpawnError,
    Strategy,
    SupervisorSpec,
    open_node,
)
from supervise import lua as lua_start
from supervise._state import Rota, State
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


# Sends a value to each process of a list at once, from coroutines that all wait for their answers.
SENDS_MANY = lua(
    "local all, topics, values = ... "
    "local done, found = channel.new(#all), {} "
    "for i, pid in ipairs(all) do "
    "  coroutine.spawn(function() "
    "    local ok, err = process.send(pid, topics[i], values[i]) "
    "    done:send({ i, ok or false, tostring(err) }) "
    "  end) "
    "end "
    "for _ = 1, #all do local row = done:receive() found[row[1]] = { row[2], row[3] } end "
    "return found"
)
TAKES_FIVE = lua(
    "local inbox, seen = process.inbox(), {} "
    "for i = 1, 5 do local m = inbox:receive() "
    "seen[i] = { m:topic(), m:payload(), m:from() } end return seen"
)


async def test_what_many_send_at_once_arrives_in_order_and_each_is_told(host):
    hosts = [host, HostSpec("other", workers=1)]
    entries = {"t:sends_many": SENDS_MANY, "t:takes_five": TAKES_FIVE}
    values = [1, -200, 2.5, "text", False, [1, {"x": 2}], "late"]
    topics = ["a", "a", "b", "a", "a", "b", "b"]
    async with node_of(hosts=hosts, entries=entries) as node, node.open_process() as me:
        dead = await me.spawn("t:add", 1, 2, host="h", monitor=True)
        await me.events.receive()
        taker = await me.spawn("t:takes_five", host="h", monitor=True)
        to = [taker, taker, taker, dead, taker, taker, me.pid]
        told = await node.exec("t:sends_many", to, topics, values, host="other")
        refused = [False, f"process not found: {dead}"]
        assert told == [refused if pid == dead else [True, "nil"] for pid in to]
        seen = (await me.events.receive()).result
        expected = [[t, v] for t, v, pid in zip(topics, values, to, strict=True) if pid == taker]
        assert [row[:2] for row in seen] == expected
        assert len({sender for _, _, sender in seen}) == 1
        late = await me.receive()
        assert (late.topic, late.payload, late.sender) == ("b", "late", seen[0][2])


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


async def test_a_flood_of_requests_to_end_is_bounded_and_told_to_python(host):
    small = HostSpec(
        "h", workers=host.workers, isolation=host.isolation, lua=host.lua, max_mailbox=3
    )
    counts = lua("""
      local inbox, n = process.inbox(), 0
      while true do
        local asker = inbox:receive():from()
        local events = process.events()
        while not channel.select{events:case_receive(), default = true}.default do n = n + 1 end
        process.send(asker, "n", n)
      end""")
    async with node_of(hosts=[small], entries={"t:counts": counts}) as node:
        dest = await node.spawn("t:counts")
        for _ in range(2):
            before = await node.call(dest, "count")
            with pytest.raises(MailboxFullError):
                for _ in range(10):
                    node.cancel(dest)
                    await trio.testing.wait_all_tasks_blocked()
            assert await node.call(dest, "count") == before + 3
            with suppress(MailboxFullError):
                # Python does not wait: it may learn only by this one that there is room again.
                node.cancel(dest)
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


@pytest.mark.parametrize("lookups", range(4))
async def test_a_linked_process_follows_one_that_failed_while_it_spawned_it(host, lookups):
    """Wherever both are."""
    hosts = [host, HostSpec("other", workers=1), HostSpec("cell", isolation="private")]
    spawns = lua("""
        local host, lookups = ...
        coroutine.spawn(function() process.spawn_linked('t:wait', host) end)
        for _ = 1, lookups do process.registry.lookup("nobody") end
        error("at once")""")
    async with node_of(hosts=hosts, entries={"t:spawns": spawns}) as node:
        for child in ("h", "other", "cell"):
            with pytest.raises(ProcessExitedError):
                await node.exec("t:spawns", child, lookups, host="h")
            await trio.testing.wait_all_tasks_blocked()
            assert node.processes() == []


def test_what_a_state_that_is_no_more_was_told_answers_nobody_else():
    """States number their questions by themselves: the hub has asked something under this number, too."""
    hub = Kernel()
    hub.add_remote_host("h", max_processes=10, private=False)
    hub.open_state("h", 1)
    request = hub.open_port(), 7, "spawn", encode_list([]), "t:wait", "h", False, False, False
    assert hub.request(*request) is None
    assert [number for number, _ in hub.step(0.0, 10).posts] == [1]
    answer, ticket = 1, 1
    hub.refuse(encode([answer, ticket, "{h|2:0x00001}"]))
    assert hub.step(0.0, 10).effects == []


def test_a_spawn_that_is_under_way_for_a_state_that_is_lost_is_over_when_it_is_placed():
    """And no longer counts: the host has room for another one then."""
    hub = Kernel()
    hub.add_remote_host("asks", max_processes=1, private=False)
    hub.add_remote_host("h", max_processes=1, private=False)
    hub.open_state("asks", 1)
    hub.open_state("h", 2)
    spawn, placed, asker, ticket = 9, 16, 1, 1
    arguments, parent = encode_list([]), "{asks|1:0x00001}"
    request = "spawn", arguments, "t:wait", "h", False, False, False
    hub.receive(encode([spawn, asker, ticket, "h", "t:wait", arguments, parent, False, False]))
    assert [number for number, _ in hub.step(0.0, 10).posts] == [2]
    hub.lose_state(1, "lost")
    port = hub.open_port()
    hub.request(port, 1, *request)
    (full,) = hub.step(0.0, 10).effects
    assert "is full" in full.answer.second.message
    hub.receive(encode([placed, asker, ticket]))
    hub.request(port, 2, *request)
    assert [number for number, _ in hub.step(0.0, 10).posts] == [2]


def test_a_private_state_may_be_lost_after_its_process_has_ended():
    hub = Kernel()
    hub.add_remote_host("p", max_processes=10, private=True)
    hub.request(hub.open_port(), 1, "spawn", encode_list([]), "t:add", "p", False, False, False)
    hub.step(0.0, 10)
    hub.open_state("p", 1)
    assert [number for number, _ in hub.step(0.0, 10).posts] == [1]
    answer, born, ended, placed, pid = 1, 2, 3, 16, "{p|1:0x00001}"
    rows = [[born, pid, "t:add"], [answer, 1, pid], [placed, 0, 1], [ended, pid]]
    hub.receive(b"".join(map(encode, rows)))
    assert StateDone(1) in hub.step(0.0, 10).effects
    hub.lose_state(1, "broken")
    assert hub.step(0.0, 10).effects == []


def test_a_process_that_is_heard_of_after_its_state_was_lost_has_ended_with_it():
    hub = Kernel()
    hub.add_remote_host("h", max_processes=10, private=False)
    hub.open_state("h", 1)
    hub.watch(on=True)
    hub.lose_state(1, "broken")
    born, pid = 2, "{h|1:0x00001}"
    hub.receive(encode([born, pid, "t:wait"]))
    (ended,) = hub.step(0.0, 10).effects
    assert (ended.pid, str(ended.error)) == (pid, "broken")


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
            with node.subscribe() as events:
                node.send("a", "now")
                broken, told = await me.events.receive(), await me.events.receive()
                await node.wait_registered("a")
                seen = [
                    events.receive_nowait() for _ in range(events.statistics().current_buffer_used)
                ]
        kinds = [type(each) for each in seen if getattr(each, "pid", first) == first]
        assert kinds[:4] == [LinePrinted, NameReleased, ProcessExited, ChildExited]
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


def test_what_a_thread_brought_before_it_was_stuck_is_known_before_its_state_is_lost(monkeypatch):
    """Else a process that is heard of late would live for ever."""
    stuck = lua("time.sleep('1ms') local s = ('a'):rep(27) return s:find(('a?'):rep(27) .. s)")

    async def main():
        hosts = [HostSpec("h", workers=1, max_block=0.1)]
        async with open_node(hosts=hosts, entries={"t:stuck": stuck}) as node:
            with node.subscribe() as events:
                monkeypatch.setattr(node.states, "_call_trio", lambda: None)
                with pytest.raises(ProcessExitedError, match="did not come back within max_block"):
                    await node.exec("t:stuck")
                seen = [events.receive_nowait() for _ in range(2)]
            assert [type(event) for event in seen] == [ProcessSpawned, ProcessExited]

    trio.run(main)


def test_a_rota_keeps_as_many_timers_as_there_are_states():
    """However often they are set anew, earlier or later."""
    states = [State(n, HostSpec("h"), Kernel, print, print) for n in range(10)]
    rota = Rota()
    for n in range(10_000):
        state = states[n % 10]
        state.wake_at = 1e6 + (n % 7) * (n if n % 2 else 0)
        rota.done(state)
    assert len(rota._timers) < 100
    assert rota.wake_at == min(state.wake_at for state in states)
    due = [rota.next(1e9) for _ in range(11)]
    assert sorted(state.number for state in due[:10]) == list(range(10))
    assert due[10] is None


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


def test_a_thread_posts_to_a_state_on_the_thread_of_trio():
    """It must not wake that state by itself."""

    async def main():
        hosts = [HostSpec("h", workers=1), HostSpec("p", isolation="private")]
        async with open_node(hosts=hosts, entries=ENTRIES) as node:
            echo = await node.spawn("t:echo", host="p")
            with trio.fail_after(10):
                await node.exec("t:count", echo, 100, host="h")
                assert await node.call(echo, "x", 7) == 7

    trio.run(main)
