"""In which Lua state the hub lets a process live, and when a host of several states is full."""

from __future__ import annotations

import lupa.lua54
import pytest

from tests.kernel_state import preload

HARNESS = """
local placement, registry = require("kernel.placement"), require("kernel.registry")
local outbox = require("kernel.outbox")
local asked = {}
outbox.row = function(_, kind, what)
  asked[#asked + 1] = (kind == outbox.NEED_STATE and "need " or "done ") .. tostring(what)
end
local M = {
  open = placement.open, close = placement.close, expect = placement.expect,
  arrived = placement.arrived, placed = placement.placed, count = placement.count,
}
function M.add(max, private) placement.add_host("h", max, private) end
function M.find()
  local place
  local ok, failure = placement.find(registry.host("h"), function(found) place = found.number end)
  return ok and (place or "later") or tostring(failure)
end
function M.wait(name)
  placement.find(registry.host("h"), function(found)
    asked[#asked + 1] = name .. " in " .. found.number
  end)
end
function M.living() return registry.host("h").count end
function M.asked()
  local text = table.concat(asked, ", ")
  asked = {}
  return text
end
function M.forget(number)
  local texts = {}
  for i, spawn in ipairs(placement.forget(number)) do texts[i] = spawn.asker .. ":" .. spawn.ticket end
  return table.concat(texts, " ")
end
return M
"""
FULL = b"host h is full: it runs its max_processes of 3"


@pytest.fixture
def kernel():
    state = lupa.lua54.LuaRuntime(encoding=None)
    preload(state)
    return state.execute(HARNESS.encode())


def test_the_state_with_the_fewest_processes_is_next_and_the_oldest_of_several(kernel):
    kernel.add(100, False)
    for number in (4, 5, 6):
        kernel.open(b"h", number)
    assert [kernel.find() for _ in range(4)] == [4, 5, 6, 4]
    kernel.count(6, -1)
    assert [kernel.find() for _ in range(3)] == [6, 5, 6]


def test_a_host_is_full_over_all_of_its_states_together(kernel):
    kernel.add(3, False)
    kernel.open(b"h", 1)
    kernel.open(b"h", 2)
    assert [kernel.find() for _ in range(4)] == [1, 2, 1, FULL]
    kernel.count(2, -1)
    assert [kernel.find(), kernel.find()] == [2, FULL]


def test_who_waits_for_a_place_counts_too_and_goes_in_order(kernel):
    kernel.add(3, False)
    for name in (b"a", b"b"):
        kernel.wait(name)
    assert [kernel.find(), kernel.find()] == [b"later", FULL]
    kernel.open(b"h", 1)
    assert kernel.asked() == b"a in 1, b in 1"
    assert [kernel.living(), kernel.find()] == [3, FULL]


def test_each_process_of_a_private_host_gets_a_state_that_goes_with_it(kernel):
    kernel.add(3, True)
    for name in (b"a", b"b"):
        kernel.wait(name)
    assert kernel.asked() == b"need h, need h"
    kernel.open(b"h", 1)
    kernel.open(b"h", 2)
    assert kernel.asked() == b"a in 1, b in 2"
    kernel.count(1, 1)
    kernel.count(1, -1)
    assert [kernel.asked(), kernel.living()] == [b"", 2]
    kernel.count(1, -1)
    assert [kernel.asked(), kernel.living()] == [b"done 1", 1]
    kernel.count(1, -1)
    assert kernel.living() == 1


def test_a_process_counts_once_also_while_its_chunk_runs(kernel):
    kernel.add(3, False)
    kernel.open(b"h", 1)
    for ticket in (1, 2):
        kernel.expect(7, ticket, kernel.find())
        kernel.count(1, 1)
        assert kernel.living() == ticket + 1
        kernel.arrived(7, ticket)
        assert kernel.living() == ticket
    kernel.placed(7, 1)
    assert kernel.living() == 2
    # One that does not come to life.
    kernel.expect(7, 3, kernel.find())
    kernel.placed(7, 3)
    assert kernel.living() == 2


def test_a_lost_state_takes_its_processes_and_names_the_spawns_under_way(kernel):
    kernel.add(9, False)
    kernel.open(b"h", 1)
    kernel.open(b"h", 2)
    for asker, ticket in [(2, 5), (2, 1), (0, 3), (1, 1)]:
        kernel.expect(asker, ticket, 1)
        kernel.find()
    kernel.arrived(2, 5)
    # Nobody is left to tell of those that the state itself asked for.
    assert kernel.forget(1) == b"0:3 2:1 2:5"
    assert kernel.forget(1) == b""
    before = kernel.living()
    kernel.close(1)
    assert kernel.living() == before - 1
    assert kernel.find() == 2
