"""A Lua state with a cap of memory: who finds none ends, and the others live on."""

from __future__ import annotations

import math
import re

import pytest

from lua_api import Fault, Kernel, StateLostError
from specs import HostSpec
from supervise import ChildSpec, ProcessExitedError, SupervisorSpec
from supervise import lua as lua_start
from tests.lua_world import HOST, World
from tests.programs import lua, node_of

CAP = 6_000_000
HOG = "local t = {} for i = 1, 1e9 do t[i] = {} end"
ENDED = f"not enough memory: the Lua state has reached its max_memory of {CAP} bytes"
LOST = f"lost its Lua state: the kernel ran out of memory (max_memory of {CAP} bytes)"


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
    """At most a few of these places cost the state, and whoever waits is always told."""
    kinds = []
    for cap in range(5_000_000, 8_000_000, 250_000):
        with World(max_memory=cap) as world:
            world.add_main("wait", "process.inbox():receive()")
            kinds.append(world.run(SPAWNS).kind)
    assert set(kinds) <= {"RateLimited", "Unavailable"}
    assert kinds.count("RateLimited") > 2 * kinds.count("Unavailable")


def test_processes_are_preempted_after_the_state_was_full(world):
    world.add_main("wait", "process.inbox():receive()")
    world.add_main("other", 'print("other")')
    assert world.run(SPAWNS).kind in {"RateLimited", "Unavailable"}
    port = world.kernel.open_system_port()
    for process in world.kernel.processes():
        world.kernel.request(port, 1, "terminate", None, process.pid)
    world.run(f"""process.spawn("app:other", "{HOST}")
      for i = 1, 1000000 do end print("done")""")
    assert world.prints == ["other", "done"]


def test_a_result_that_finds_no_room_ends_its_process(world):
    assert ended(world.run("local t = {} for i = 1, 40000 do t[i] = { i } end return t"))


# A lost state


def fill(world):
    """Let Lua processes hold nearly all memory; the kernel will find none where it must not stop."""
    world.add_main("waiting", "process.registry.register(...) process.inbox():receive()")
    world.add_main(
        "filler",
        f"""process.spawn("app:waiting", "{HOST}", "waiting")
        local t, ok = {{}}, true
        local size = 1e6
        while size > 8 do
          ok = pcall(function() t[#t + 1] = ("x"):rep(size) .. #t end)
          if not ok then size = size // 2 end
        end
        local n = 0
        while true do n = n + 1 process.registry.register("name" .. n, process.pid()) end""",
    )


def test_a_lost_state_ends_all_lua_processes_and_goes_on(world):
    fill(world)
    watcher = world.kernel.open_port()
    world.kernel.request(watcher, 1, "register", None, "watcher", watcher)
    result = world.run(f'process.spawn("app:filler", "{HOST}") process.inbox():receive()')
    assert isinstance(result, Fault)
    assert (str(result), result.kind, result.retryable) == (LOST, "Unavailable", True)
    assert {str(end.error) for end in world.exits} == {LOST}
    assert [process.state for process in world.kernel.processes()] == ["python"]
    assert world.statistics().names == 1
    assert world.run("return process.registry.lookup('watcher')") == watcher


LARGE = b"\xc6" + (2 * CAP).to_bytes(4, "big") + bytes(2 * CAP)


def test_an_end_that_cannot_be_told_is_a_lost_state(world):
    """The result is copied once for its process, and once more for each watcher."""
    world.add_main("result", "local t = {} for i = 1, 25000 do t[i] = { i } end return t")
    spawn = f'process.spawn_monitored("app:result", "{HOST}")'
    assert str(world.run(f"{spawn} process.events():receive()")) == LOST


def test_what_python_puts_in_is_never_refused_but_counts(world):
    world.add_main("wait", "process.inbox():receive() channel.new():receive()")
    world.run(f'process.registry.register("it", assert(process.spawn("app:wait", "{HOST}")))')
    answer = world.kernel.request(world.kernel.open_port(), 1, "send", LARGE, "it", "m")
    assert answer.value is True
    world.settle()
    assert [str(end.error) for end in world.exits] == ["None", LOST]


def test_what_python_does_not_receive_is_a_state_that_cannot_go_on():
    kernel = Kernel(max_memory=CAP)
    port = kernel.open_port()
    kernel.request(port, 1, "send", LARGE, port, "m")
    with pytest.raises(StateLostError, match="unread messages"):
        kernel.step(0.0, 1000)


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


def test_wherever_memory_runs_out_everybody_ends_and_nothing_is_left():
    with World(max_memory=CAP) as world:
        world.kernel.collect_garbage()
        base = world.statistics().lua_bytes
    seen = set()
    for extra in range(60_000, 900_000, 9_001):
        with World(max_memory=base + extra) as world:
            main = dict(BUSY)
            result = world.run(main.pop("main"), **main)
            world.settle()
            seen.add(re.sub(r"[:(].*", "", str(result)))
            assert world.kernel.processes() == []
    assert {"True", "lost its Lua state", "linked process failed"} <= seen
    assert len(seen - {"not enough memory"}) == 3


# On a node


def small(cap=CAP):
    return HostSpec("small", max_memory=cap)


async def test_a_hog_ends_and_the_node_goes_on():
    hosts = [small(), HostSpec("large", max_memory=2 * CAP)]
    async with node_of(entries={"t:hog": lua(HOG)}, hosts=hosts) as node:
        echo = await node.spawn("t:echo", host="large")
        with pytest.raises(ProcessExitedError, match=f"max_memory of {CAP} bytes"):
            await node.exec("t:hog", host="small")
        assert await node.call(echo, "echo", 1) == 1
        assert node.statistics().max_memory == CAP
        assert node.statistics().lua_bytes < CAP


async def test_supervised_children_come_back_after_a_lost_state():
    tree = SupervisorSpec("tree", children=[ChildSpec("echo", lua_start("t:echo"), name="echo")])
    async with node_of(hosts=[small()]) as node, node.open_process() as me:
        await node.start(tree)
        first = node.whereis("echo")
        me.monitor("echo")
        node.send("echo", "large", b"x" * 2 * CAP)
        event = await me.events.receive()
        assert str(event.error) == LOST
        assert await node.call(await node.wait_registered("echo"), "echo", 1) == 1
        assert node.whereis("echo") != first
