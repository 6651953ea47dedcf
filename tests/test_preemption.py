"""Processes that compute without a wait take turns, and end when they use more than they may."""

from __future__ import annotations

import gc

import pytest
import trio

from lua_api import Fault, Kernel, _preemption
from specs import HostSpec
from supervise import ProcessExitedError
from tests.lua_world import HOST, World, run
from tests.placement import not_on_jit
from tests.programs import lua, node_of

pytestmark = not_on_jit("it looks at no hook in what it has compiled, so nothing is preempted")

# About 200 slices.
COMPUTE = "local x = 0 for i = 1, 1000000 do x = x + 1 end"
FOREVER = "while true do end"
STUCK = "out of its CPU allowance: it computed for too long where Lua cannot suspend it"


@pytest.fixture
def world():
    with World() as world:
        yield world


@pytest.fixture
def no_hook(monkeypatch):
    """Lua's own C API cannot be reached."""

    def hide(path):
        raise _preemption.HookError("hidden")

    monkeypatch.setattr(_preemption, "_lua_library", hide)


def host_of(**limits):
    world = World()
    world.kernel.add_host(HOST, max_processes=100, max_mailbox=100, **limits)
    return world


COMPUTING = {
    "a loop": f"{COMPUTE} return x",
    "in pcall": f"local ok, x = pcall(function() {COMPUTE} return x end) return x",
    "in xpcall": f"local ok, x = xpcall(function() {COMPUTE} return x end, print) return x",
    "in a metamethod": f"return setmetatable({{}}, {{ __index = function() {COMPUTE} return x end }}).x",
    "in an iterator": f"for x in function(_, x) if not x then {COMPUTE} return x end end do return x end",
    "at the end of a scope": f"local x do local t <close> = setmetatable({{}}, {{ __close = function() {COMPUTE.replace('local x', 'x')} end }}) end return x",
    "in a coroutine": f"return coroutine.wrap(function() {COMPUTE} return x end)()",
    "in a coroutine of a coroutine": f"""return coroutine.wrap(function()
        return coroutine.wrap(function() {COMPUTE} return x end)() end)()""",
    "in a generator": f"""for x in coroutine.wrap(function() {COMPUTE} coroutine.yield(x) end) do
        return x end""",
    "in a concurrent coroutine": f"""local ch = channel.new(1)
        coroutine.spawn(function() {COMPUTE} ch:send(x) end) return (ch:receive())""",
    "in many short coroutines": """local n = 0 for i = 1, 1000 do
        n = n + coroutine.wrap(function() for j = 1, 500 do end return 1000 end)() end return n""",
}


@pytest.mark.parametrize("body", COMPUTING.values(), ids=COMPUTING)
def test_others_get_turns_while_a_process_computes(world, body):
    world.add_main("other", 'for i = 1, 3 do print(i) time.sleep("1ms") end')
    spawn = f'process.spawn("app:other", "{HOST}")'
    result = world.run(
        f"{spawn} local function work() {body} end local x = work() print('done') return x"
    )
    assert result == 1_000_000
    assert world.prints == ["1", "2", "3", "done"]


def test_a_chunk_that_computes_is_preempted_while_its_spawner_waits(world):
    world.add_file("slow", f"{COMPUTE} print(x) return function() end")
    world.add_main("other", 'print("other") time.sleep("1ms") print("again")')
    world.run(
        f'process.spawn("app:other", "{HOST}") process.spawn("app:slow", "{HOST}") print("spawned")'
    )
    assert world.prints == ["other", "again", "1000000", "spawned"]


def test_a_module_that_computes_is_preempted(world):
    world.kernel.provide_source("module", "m", "m.lua", f"{COMPUTE} return x".encode())
    world.add_main("other", 'print("other") time.sleep("1ms") print("again")')
    spawn = f'process.spawn("app:other", "{HOST}")'
    assert world.run(f'{spawn} local x = require("m") print("loaded") return x') == 1_000_000
    assert world.prints == ["other", "again", "loaded"]


@pytest.mark.parametrize("yielded", ["", "nil", "1, 2"])
def test_a_yield_of_the_process_itself_is_no_preemption(yielded):
    assert (
        run(f"""
      local co = coroutine.create(function() for i = 1, 3 do coroutine.yield({yielded}) end return "end" end)
      local n = 0
      repeat local _, value = coroutine.resume(co) n = n + 1 until value == "end"
      return n""")
        == 4
    )


def test_a_preempted_coroutine_is_active_to_its_process():
    assert run(f"""
      local co = coroutine.create(function() {COMPUTE} end)
      coroutine.spawn(function() time.sleep("1ms") coroutine.resume(co) end)
      time.sleep("1ms")
      return {{ coroutine.status(co), select(2, coroutine.resume(co)), (pcall(coroutine.close, co)) }}
    """) == ["normal", "cannot resume non-suspended coroutine", False]


def test_slices_are_counted_in_instructions_so_a_run_can_be_repeated():
    def prints():
        with World() as world:
            count = (
                "for i = 1, 5 do local x = 0 for j = 1, 30000 + ... do x = x + 1 end print(...) end"
            )
            world.run(
                "\n".join(f'process.spawn("app:a", "{HOST}", {n})' for n in range(4)), a=count
            )
            world.settle()
            return world.prints

    assert prints() == prints()


def test_a_computing_process_can_be_terminated(world):
    world.add_main("spin", FOREVER)
    assert (
        world.run(f"""
      local pid = process.spawn_monitored("app:spin", "{HOST}")
      time.sleep("5ms") process.terminate(pid)
      return tostring(process.events():receive().error)""")
        == "process terminated"
    )


# The allowance


def ended(world, body):
    with world:
        error = world.run(body)
    assert isinstance(error, Fault)
    assert error.kind == "RateLimited"
    return error


SWALLOWED = {
    "a loop": FOREVER,
    "in pcall, again and again": f"while true do pcall(function() {FOREVER} end) end",
    "in a coroutine": f"while true do coroutine.resume(coroutine.create(function() {FOREVER} end)) end",
    "with requests that never wait": "while true do process.registry.lookup('x') end",
}


@pytest.mark.parametrize("body", SWALLOWED.values(), ids=SWALLOWED)
def test_a_run_without_a_wait_is_limited(body):
    error = ended(host_of(max_run_instructions=500_000), body)
    assert str(error) == (
        "out of its CPU allowance: it did not wait for its max_run_instructions of 500000 "
        f"(host {HOST})"
    )
    assert "app/main.lua:1: in function" in error.stack


def test_waits_begin_a_new_run():
    with host_of(max_run_instructions=500_000) as world:
        assert (
            world.run('for i = 1, 5 do for j = 1, 200000 do end time.sleep("1ms") end return 1')
            == 1
        )


def test_a_whole_life_is_limited():
    error = ended(
        host_of(max_instructions=500_000),
        'while true do for j = 1, 200000 do end time.sleep("1ms") end',
    )
    assert (
        str(error)
        == f"out of its CPU allowance: it used its max_instructions of 500000 (host {HOST})"
    )


UNSUSPENDABLE = {
    "a comparator": f"table.sort({{1, 2, 3}}, function() {FOREVER} end)",
    "a callback of gsub": f"('x'):gsub('x', function() {FOREVER} end)",
    "a reader of load": f"load(function() {FOREVER} end)",
    "__tostring": f"tostring(setmetatable({{}}, {{ __tostring = function() {FOREVER} end }}))",
    "a message handler": f"xpcall(error, function() {FOREVER} end)",
    "pcall in it": f"table.sort({{1, 2}}, function() while true do pcall(function() {FOREVER} end) end end)",
    "pcall around it": f"""while true do
        pcall(table.sort, {{1, 2}}, function() {FOREVER} end) end""",
    "a message handler around it": f"""while true do
        xpcall(table.sort, function() {FOREVER} end, {{1, 2}}, function() {FOREVER} end) end""",
    "a coroutine around it": f"""while true do coroutine.resume(coroutine.create(function()
        table.sort({{1, 2}}, function() {FOREVER} end) end)) end""",
    "a coroutine in it": f"""table.sort({{1, 2}}, function()
        while true do pcall(coroutine.wrap(function() {FOREVER} end)) end end)""",
    "a closing coroutine": f"""local co = coroutine.create(function()
        local t <close> = setmetatable({{}}, {{ __close = function() {FOREVER} end }})
        coroutine.yield() end)
      coroutine.resume(co) coroutine.close(co)""",
}


@pytest.mark.parametrize("body", UNSUSPENDABLE.values(), ids=UNSUSPENDABLE)
def test_what_cannot_be_suspended_is_ended_in_time(monkeypatch, body):
    monkeypatch.setattr(_preemption, "_MOST_LOOKS", 500)
    assert str(ended(World(), body)) == STUCK


SORT = """local t = {} for i = 1, 2000 do t[i] = i * 7919 % 2003 end
    table.sort(t, function(a, b) return a < b end)"""


def test_sorts_with_waits_between_them_do_not_add_up(monkeypatch, world):
    monkeypatch.setattr(_preemption, "_MOST_LOOKS", 300)
    again = "table.sort(t, function(a, b) return a < b end)"
    assert world.run(f'{SORT} for i = 1, 20 do {again} time.sleep("1ms") end return 1') == 1


def test_after_a_sort_slices_are_as_long_as_before():
    with host_of(max_run_instructions=900_000) as world:
        assert world.run(f"{SORT} for i = 1, 300000 do end return 1") == 1


def test_a_long_sort_goes_through_and_its_process_is_preempted_after_it(world):
    world.add_main("other", 'print("other")')
    assert (
        world.run(f"""
      process.spawn("app:other", "{HOST}")
      local t = {{}}
      for i = 1, 20000 do t[i] = i * 7919 % 20011 end
      table.sort(t, function(a, b) return a < b end)
      {COMPUTE}
      print("sorted")
      return t[1]""")
        == 1
    )
    assert world.prints == ["other", "sorted"]


# Off, and where there is no way to do it


def test_a_host_can_do_without():
    world = host_of(preempt=False)
    world.add_main("other", 'print("other")')
    with world:
        world.run(f'process.spawn("app:other", "{HOST}") {COMPUTE} print("done")')
        assert world.prints == ["done", "other"]


def test_without_a_hook_of_c_the_host_says_so(no_hook):
    with pytest.warns(RuntimeWarning, match="cannot be preempted on this platform"):
        Kernel().add_host("h", max_processes=1, max_mailbox=1)
    Kernel().add_host("h", max_processes=1, max_mailbox=1, preempt=False)


@pytest.mark.filterwarnings("ignore:.*cannot be preempted")
@pytest.mark.parametrize(
    "body",
    [SWALLOWED["a loop"], SWALLOWED["in pcall, again and again"], SWALLOWED["in a coroutine"],
     UNSUSPENDABLE["pcall around it"], UNSUSPENDABLE["a message handler around it"]],
)  # fmt: skip
def test_without_a_hook_of_c_a_runaway_is_ended(no_hook, body):
    assert str(ended(World(), body)) == STUCK


@pytest.mark.filterwarnings("ignore:.*cannot be preempted")
def test_without_a_hook_of_c_many_short_turns_are_no_runaway(no_hook):
    with World() as world:
        assert (
            world.run('for i = 1, 30 do for j = 1, 1000000 do end time.sleep("1ms") end return 1')
            == 1
        )


@pytest.mark.parametrize("missing", ["lua_sethook", "luaL_error"])
def test_a_library_that_hides_a_function_gives_no_hook(monkeypatch, missing):
    class Library:
        def __init__(self, path):
            self.path = path

        def __getattr__(self, name):
            if name == missing:
                raise AttributeError(name)
            return lambda: None

    monkeypatch.setattr(_preemption.ctypes, "PyDLL", Library)
    with pytest.raises(_preemption.HookError, match=missing):
        _preemption.SliceHook(f"nowhere/{missing}", 10_000)


# On a node


async def test_tasks_of_trio_get_their_turns_beside_computing_processes():
    async with node_of(entries={"t:spin": lua(FOREVER)}) as node:
        spinning = [await node.spawn("t:spin") for _ in range(4)]
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        assert await node.exec("t:add", 1, 2) == 3
        assert {process.pid for process in node.processes()} == set(spinning)


async def test_a_host_hands_its_limits_on():
    host = HostSpec("small", max_run_instructions=20_000)
    async with node_of(entries={"t:spin": lua(FOREVER)}, hosts=[host]) as node:
        with pytest.raises(
            ProcessExitedError, match=r"max_run_instructions of 20000 \(host small\)"
        ):
            await node.exec("t:spin")


def test_a_state_goes_with_its_kernel():
    kernels = [Kernel() for _ in range(3)]
    del kernels
    gc.collect()
    assert run("return 1") == 1
