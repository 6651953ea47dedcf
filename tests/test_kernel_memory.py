"""When the kernel has garbage collected."""

from __future__ import annotations

import importlib

import pytest

from tests.kernel_state import preload
from tests.lua_world import World

# A kernel of whose memory the test says how much is in use.
_TOLD = b"""
local asked, used = {}, 1000
function collectgarbage(what, value)
  if what == "count" then return used end
  asked[#asked + 1] = what == "setpause" and value or what
end
local memory, registry = require("kernel.memory"), require("kernel.registry")
return function(in_use, processes)
  asked, used, registry.count = {}, in_use, processes
  memory.check()
  return table.concat(asked, " ")
end
"""


@pytest.fixture(params=["lua54", "luajit21"])
def check(request):
    """One look at the memory, in KB, with so many processes; what it asks of Lua."""
    state = importlib.import_module(f"lupa.{request.param}").LuaRuntime(encoding=None)
    preload(state)
    return state.execute(_TOLD)


def test_what_has_doubled_is_collected(check):
    assert check(2000, 0) == b""
    assert check(2001, 0) == b"1000 step"


def test_a_collection_is_not_begun_twice(check):
    check(2001, 0)
    assert check(2100, 0) == b""
    assert check(4002, 0) == b""
    assert check(4003, 0) == b"1000 step"


def test_after_a_collection_the_rest_counts(check):
    check(2001, 0)
    assert check(500, 0) == b"1000"
    assert check(1001, 0) == b"1000 step"


def test_new_processes_are_no_garbage(check):
    assert check(230_000, 100_000) == b""
    assert check(461_000, 100_000) == b""
    assert check(463_000, 100_000) == b"200 step"


def test_the_processes_that_ended_are(check):
    check(230_000, 100_000)
    assert check(230_000, 50_000) == b""
    assert check(240_000, 0).endswith(b"step")


def test_where_much_is_in_use_a_single_turn_leaves_less_garbage_for_it(check):
    pauses = [int(check(size, 0).split()[0]) for size in (10_000, 100_000, 250_000, 1_000_000)]
    assert pauses == [1000, 362, 204, 200]


def test_garbage_does_not_pile_up():
    body = """
      local messages = process.listen("t")
      for i = 1, 300 do
        process.send(process.pid(), "t", {("x"):rep(1000) .. i})
        messages:receive()
      end
    """
    with World() as world:
        before = world.kernel.statistics().lua_bytes
        for _ in range(20):
            world.run(body)
            assert world.kernel.statistics().lua_bytes < 4 * before
