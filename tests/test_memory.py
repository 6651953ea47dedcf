"""A Lua state with a cap of memory: who finds none ends, and the others live on."""

from __future__ import annotations

import math
import re
from contextlib import suppress

import pytest

from lua_api import Fault, Kernel, StateLostError
from specs import HostSpec
from supervise import ChildSpec, ProcessExitedError, SupervisorSpec
from supervise import lua as lua_start
from supervise.testing import run_until_idle
from tests.lua_world import HOST, World
from tests.programs import lua, node_of

CAP = 6_000_000
HOG = "local t = {} for i = 1, 1e9 do t[i] = {} end"
ENDED = f"not enough memory: the Lua state has reached its max_memory of {CAP} bytes"
LOST = f"the kernel ran out of memory (max_memory of {CAP} bytes)"


@pytest.fixture
def world():
    with World(max_memory=CAP) as world:
        yield world
    world.kernel.collect_garbage()
    assert world.statistics().lua_bytes < 2_000_000


def ended(fault):
    assert isinstance(fault, Fault)
    assert fault.kind == "RateLimited"
    return str(fault) == ENDED


# A process that finds no memory

HOGS = {
    "a table": HOG,
    "many small things": "local t = {} for i = 1, 1e9 do t = { t } end",
    "a string": "local s = ('x'):rep(1e9)",
    "a string that doubles": "local s = 'x' while true do s = s .. s end",
    "a stack": "local function f(n) return 1 + f(n + 1) end f(1)",
    "a concat": "local t = {} for i = 1, 100 do t[i] = ('x'):rep(1e6) end table.concat(t)",
    "in a coroutine": f"coroutine.wrap(function() {HOG} end)()",
    "in a concurrent coroutine": f"coroutine.spawn(function() {HOG} end) channel.new():receive()",
    "closures": "local t = {} for i = 1, 1e9 do t[i] = function() return i end end",
}


@pytest.mark.parametrize("body", HOGS.values(), ids=HOGS)
def test_a_process_that_finds_no_memory_ends_and_others_live_on(world, body):
    world.add_main("hog", body)
    result = world.run(f"""
      local pid = process.spawn_monitored("app:hog", "{HOST}")
      local event = process.events():receive()
      return {{ tostring(event.error), event.error:kind(), event.from == pid }}""")
    assert result == [ENDED, "RateLimited", True]


def test_a_process_may_catch_it_and_go_on_with_less(world):
    assert world.run(f"""
      local ok, err = pcall(function() {HOG} end)
      local t = {{}} for i = 1, 1000 do t[i] = {{}} end
      return {{ ok, tostring(err), #t }}""") == [False, "not enough memory", 1000]


@pytest.mark.parametrize("cap", range(5_000_000, 8_000_001, 500_000))
def test_the_kernel_has_room_after_it_was_caught(cap):
    """It ends the process before anything takes the garbage away."""
    with World(max_memory=cap) as world:
        body = f"local ok, err = pcall(function() {HOG} end) return tostring(ok) .. tostring(err)"
        assert world.run(body) == "falsenot enough memory"


def test_its_memory_is_there_for_the_next_one(world):
    for _ in range(3):
        assert ended(world.run(HOG))
    assert world.run("return #('x'):rep(1e6)") == 1_000_000


# Memory that the kernel takes for a process

TAKEN = {
    "a mailbox that fills": "for i = 1, 1e9 do process.send(process.pid(), 'm', i) end",
    "messages that are copied": """local t = {} for i = 1, 100 do t[i] = i end
        for i = 1, 1e9 do process.send(process.pid(), "m", { t }) end""",
    "a large copy": """local t = {} for i = 1, 30000 do t[i] = { i } end
        for i = 1, 1e9 do process.send(process.pid(), "m", t) end""",
}
SPAWNS = f'for i = 1, 1e9 do assert(process.spawn("app:wait", "{HOST}")) end'


@pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN)
def test_a_process_pays_for_what_the_kernel_takes_for_it(world, body):
    assert ended(world.run(body))


def test_where_memory_ends_between_spawns_is_chance():
    """At most a few of these places cost the state."""
    ended = 0
    for cap in range(5_000_000, 8_000_000, 250_000):
        world = World(max_memory=cap)
        world.add_main("wait", "process.inbox():receive()")
        with suppress(StateLostError):
            ended += world.run(SPAWNS).kind == "RateLimited"
    assert ended > 8  # of 12


@pytest.mark.parametrize("extra", range(0, 100_000, 20_000))
def test_who_fills_the_state_with_processes_ends_or_loses_it(extra):
    """What is there afterwards is preempted as before."""
    world = World(max_memory=CAP + extra)
    world.add_main("wait", "process.inbox():receive()")
    world.add_main("other", 'print("other")')
    spawns = f"""local held = ("x"):rep({CAP} // 3)
      for i = 1, 1e9 do assert(process.spawn("app:wait", "{HOST}")) end"""
    try:
        end = world.run(spawns)
    except StateLostError:
        return
    assert "not enough memory" in str(end)
    world.run(f"""process.spawn("app:other", "{HOST}")
      for i = 1, 1000000 do end print("done")""")
    assert world.prints == ["other", "done"]


def test_a_result_that_finds_no_room_ends_its_process(world):
    assert ended(world.run("local t = {} for i = 1, 40000 do t[i] = { i } end return t"))


# A lost state


def lost(world, main, **others):
    with pytest.raises(StateLostError) as caught:
        world.run(main, **others)
    return str(caught.value)


def test_a_kernel_that_finds_no_memory_where_it_must_not_stop_is_lost():
    """Among spawns it stops in such a place now and then."""
    for cap in range(CAP, 2 * CAP, 100_000):
        try:
            World(max_memory=cap).run(SPAWNS, wait="process.inbox():receive()")
        except StateLostError as error:
            assert str(error) == LOST.replace(str(CAP), str(cap))
            return
    pytest.fail("it never stopped there")


def test_an_end_that_cannot_be_told_is_a_lost_state():
    """The result is copied once for its process, and once more for each watcher."""
    spawn = f'process.spawn_monitored("app:result", "{HOST}")'
    main = f"{spawn} process.events():receive()"
    result = "local t = {} for i = 1, 25000 do t[i] = { i } end return t"
    assert lost(World(max_memory=CAP), main, result=result) == LOST


LARGE = b"\xc6" + (2 * CAP).to_bytes(4, "big") + bytes(2 * CAP)


def test_what_python_puts_in_is_never_refused_but_counts():
    world = World(max_memory=CAP)
    world.add_main("wait", "process.inbox():receive() channel.new():receive()")
    world.run(f'process.registry.register("it", assert(process.spawn("app:wait", "{HOST}")))')
    answer = world.kernel.request(world.kernel.open_port(), 1, "send", LARGE, "it", "m")
    assert answer.value is True
    with pytest.raises(StateLostError, match="what came from outside does not fit in"):
        world.settle()


def test_without_a_cap_there_is_no_limit():
    kernel = Kernel()
    assert kernel.statistics().max_memory == math.inf
    assert Kernel(max_memory=CAP).statistics().max_memory == CAP


BUSY = {
    "main": f"""
      process.registry.register("main", process.pid())
      for i = 1, 4 do
        local pid = assert(process.spawn_monitored("app:part", "{HOST}", i, process.pid()))
        process.registry.register("part" .. i, pid)
        process.link(pid)
        time.after("1s")
      end
      for i = 1, 4 do process.events():receive() end
      return true""",
    "part": """
      local number, parent = ...
      local kept = {}
      coroutine.spawn(function() time.sleep("5s") end)
      for i = 1, 20 do
        kept[i] = { number }
        process.send(parent, "m" .. i, kept)
        time.timer("1s")
        process.registry.register(number .. "." .. i, process.pid())
      end
      time.sleep("1ms")""",
}


def test_wherever_memory_runs_out_everybody_ends_or_the_state_is_lost():
    with World(max_memory=CAP) as world:
        world.kernel.collect_garbage()
        base = world.statistics().lua_bytes
    seen = set()
    for extra in range(60_000, 900_000, 9_001):
        world = World(max_memory=base + extra)
        main = dict(BUSY)
        try:
            result = world.run(main.pop("main"), **main)
            world.settle()
        except StateLostError:
            result = "lost"
        else:
            assert world.kernel.processes() == []
        seen.add(re.sub(r"[:(].*", "", str(result)))
    assert {"True", "lost", "linked process failed"} <= seen
    assert len(seen - {"not enough memory"}) == 3


# On a node


def small(cap=CAP, **options):
    return HostSpec("small", max_memory=cap, **options)


PLACES = {
    "inline": {},
    "worker": {"workers": 1},
    "private": {"isolation": "private"},
    "5.5": {"lua": "5.5"},
}


@pytest.fixture(params=PLACES)
def place(request):
    return PLACES[request.param]


async def test_a_hog_ends_and_the_node_goes_on(place):
    hosts = [small(**place), HostSpec("free")]
    async with node_of(entries={"t:hog": lua(HOG)}, hosts=hosts) as node:
        neighbour = await node.spawn("t:echo", host="small")
        with pytest.raises(ProcessExitedError, match=f"max_memory of {CAP} bytes"):
            await node.exec("t:hog", host="small")
        assert await node.call(neighbour, "echo", 1) == 1
        assert await node.call(await node.spawn("t:echo", host="free"), "echo", 1) == 1


async def test_each_host_has_its_own_cap_and_the_hub_has_none():
    """What one of them cannot hold fits into the others."""
    holds = lua("local s = ('x'):rep((...)) return #s")
    hosts = [small(), HostSpec("large", max_memory=4 * CAP), HostSpec("free")]
    async with node_of(entries={"t:holds": holds}, hosts=hosts) as node:
        for size, fitting in ((CAP // 3, 3), (CAP, 2), (4 * CAP, 1)):
            for n, host in enumerate(("free", "large", "small")):
                if n < fitting:
                    assert await node.exec("t:holds", size, host=host) == size
                else:
                    with pytest.raises(ProcessExitedError, match="has reached its max_memory"):
                        await node.exec("t:holds", size, host=host)


async def test_statistics_show_what_each_state_takes_of_its_cap():
    hosts = [small(), HostSpec("large", max_memory=2 * CAP), HostSpec("free")]
    keeps = lua("local s = ('x'):rep((...)) process.inbox():receive() return s")
    async with node_of(hosts=hosts, entries={"t:keeps": keeps}) as node:
        await node.spawn("t:keeps", CAP // 3, host="small")
        await run_until_idle(node)
        hub, first, second = node.statistics().states
        assert [(state.host, state.max_memory) for state in (hub, first, second)] == [
            (None, math.inf),
            ("small", CAP),
            ("large", 2 * CAP),
        ]
        assert CAP // 3 < first.lua_bytes < CAP
        assert hub.lua_bytes < CAP // 3
        assert second.lua_bytes < CAP // 3


async def test_a_lost_state_is_replaced_and_everybody_is_told(place, caplog):
    tree = SupervisorSpec(
        "tree", children=[ChildSpec("echo", lua_start("t:echo", host="small"), name="echo")]
    )
    # There is no room to tell others of such a result.
    result = lua("process.inbox():receive() return ('x'):rep(2400000)")
    hosts = [small(**place), HostSpec("free")]
    async with node_of(hosts=hosts, entries={"t:result": result}) as node:
        await node.start(tree)
        echo = node.whereis("echo")
        large = await node.spawn("t:result", host="small")
        watcher = await node.spawn("t:watch", large, host="free")
        free = await node.spawn("t:echo", host="free")
        await run_until_idle(node)
        node.send(large, "now")
        told = (await node.wait_exit(watcher)).result
        assert (told["kind"], told["from"]) == ("EXIT", large)
        assert f"of host small is lost: {LOST}" in told["error"]
        again = await node.wait_registered("echo")
        assert await node.call(again, "echo", 1) == 1
        # One that has its own state does not know of it.
        assert (again == echo) == ("isolation" in place)
        assert await node.call(free, "echo", 1) == 1
        assert await node.exec("t:add", 1, 2, host="small") == 3
        assert [info.pid for info in node.processes() if info.host == "small"] == [again]
    assert f"of host small is lost: {LOST}" in caplog.text


async def test_supervised_children_come_back_after_a_message_that_does_not_fit_in(place):
    tree = SupervisorSpec(
        "tree", children=[ChildSpec("echo", lua_start("t:echo", host="small"), name="echo")]
    )
    async with node_of(hosts=[small(**place)]) as node, node.open_process() as me:
        await node.start(tree)
        first = node.whereis("echo")
        me.monitor("echo")
        node.send("echo", "large", b"x" * 2 * CAP)
        event = await me.events.receive()
        assert "does not fit in" in str(event.error)
        assert (event.error.kind, event.error.retryable) == ("Unavailable", True)
        assert await node.call(await node.wait_registered("echo"), "echo", 1) == 1
        assert node.whereis("echo") != first
