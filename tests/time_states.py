"""Lua states that hold the values of the `time` module, and of the kernel only its classes."""

from __future__ import annotations

import functools
from pathlib import Path

import lupa.lua54
import lupa.luajit21

from lua_api._zones import transitions

ROOT = Path(__file__).parent.parent / "lua_api" / "lua"
RUNTIMES = {"5.4": lupa.lua54.LuaRuntime, "jit": lupa.luajit21.LuaRuntime}

# Stands in for kernel/fault.lua: what `nil, err` gives.
FAULT = """
local M = {}
local Fault = { __tostring = function(self) return self.text end }
Fault.__index = { kind = function(self) return self.name end }
function M.new(kind, message) return setmetatable({ name = kind, text = message }, Fault) end
return M
"""

# What the tests ask of a state, besides the modules themselves.
TOOLS = """
local load_text = loadstring or load
local sources = ...
for name in python.iter(sources) do
  package.preload[name] = assert(load_text(sources[name], "@" .. name))
end
time = require("api.time.values")
instant, location = require("api.time.instant"), require("api.time.location")
classes = require("kernel.classes")

--- The error of a call that gives `nil, err`, as "Kind: message".
function failure(value, err)
  assert(value == nil and err, "no failure")
  return err:kind() .. ": " .. tostring(err)
end

--- A copy of an object as it arrives somewhere else.
function sent(object)
  local class = classes.by_metatable[debug.getmetatable(object)]
  return classes.by_tag[class.tag].unpack(class.pack(object))
end

--- A location from Python's rows.
function zone(name, rows)
  local transitions = {}
  for from, offset, abbreviation in python.iter(rows) do
    transitions[#transitions + 1] = { from, offset, abbreviation }
  end
  return location.from_transitions(name, transitions)
end
"""


@functools.cache
def open_time(version="5.4"):
    lua = RUNTIMES[version](unpack_returned_tuples=True)
    sources = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text()
        for path in [*(ROOT / "api" / "time").glob("*.lua"), *(ROOT / "kernel").glob("*.lua")]
    }
    sources.setdefault("kernel.fault", FAULT)
    lua.execute(TOOLS, sources)
    return lua


@functools.cache
def zone(name):
    """The Location of a zone in the default state."""
    return open_time().globals().zone(name, transitions(name))


def refusal(lua, chunk):
    """The message that a chunk of code raises; the chunk is called `user`."""
    check = lua.eval(
        "function(text) local ok, err = pcall((loadstring or load)(text, '@user'))"
        " assert(not ok, 'nothing raised') return tostring(err) end"
    )
    return check(chunk)
