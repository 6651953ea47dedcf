--- What is global in a process. Everything here is shared and read-only; what a process sets itself
-- stays in its own globals. The rule for a new entry: no process can use it to reach another one, the
-- kernel, a file, or anything outside the Lua state.

local argument = require("api.argument")
local channel = require("api.channel")
local clock = require("kernel.clock")
local coroutine_api = require("api.coroutine")
local cpu = require("kernel.cpu")
local errors = require("api.errors")
local int = require("kernel.int")
local op = require("kernel.op")
local outbox = require("kernel.outbox")
local process = require("api.process")
local random = require("api.random")
local spawn = require("kernel.spawn")
local supervisor = require("api.supervisor")
local text = require("api.text")
local threads = require("kernel.threads")
local time = require("api.time")

local at_caller, read_only = argument.at_caller, argument.read_only
local concat, select, tostring, type = table.concat, select, tostring, type
local getmetatable, error, next = debug.getmetatable, error, next
local isyieldable = coroutine.isyieldable
local load, os_date, os_time, pcall, xpcall = load, os.date, os.time, pcall, xpcall
local is_overrun = threads.is_overrun
local raw_set, set_metatable = rawset, setmetatable
local setfenv = setfenv
local yield = coroutine.yield

local G = {}

for _, name in ipairs({
  "assert",
  "error",
  "getmetatable",
  "ipairs",
  "next",
  "pairs",
  "pcall",
  "rawequal",
  "rawget",
  "rawlen",
  "select",
  "tonumber",
  "tostring",
  "type",
  "_VERSION",
}) do
  G[name] = _G[name]
end
G.unpack = unpack

--- Raises for a table with a locked metatable, but for the globals of the process itself.
local function check_unprotected(t)
  local metatable = getmetatable(t)
  if metatable and metatable.__metatable == false and metatable ~= spawn.Globals then
    error("cannot change a protected table: it is read-only", 3)
  end
end

function G.rawset(t, key, value)
  if type(t) ~= "table" then
    argument.bad(1, "rawset", "table", t)
  end
  check_unprotected(t)
  return raw_set(t, key, value)
end

--- What ends a process is not for its message handlers, which no hook could stop then.
function G.xpcall(fn, handler, ...)
  argument.callable(2, "xpcall", handler)
  return xpcall(fn, function(raised)
    if is_overrun(raised) then
      return raised
    end
    return handler(raised)
  end, ...)
end

--- A finalizer would run outside the process, so `__gc` is refused.
function G.setmetatable(t, metatable)
  if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
    error("setmetatable: __gc is not available to a process", 2)
  end
  return set_metatable(t, metatable)
end

--- A line is a request like any other, so that who prints without end takes turns; but where Lua cannot
-- suspend, as in the comparator of a sort, printing works too.
function G.print(...)
  local n = select("#", ...)
  local parts = { ... }
  for i = 1, n do
    parts[i] = tostring(parts[i])
  end
  local line = concat(parts, "\t", 1, n)
  if isyieldable() then
    yield(op.PRINT, line)
  else
    outbox.row(3, outbox.PRINT, cpu.task.proc.pid, line)
  end
end

--- Text only, never bytecode; the globals are those of the process unless given.
function G.load(chunk, name, _, ...)
  if type(chunk) ~= "string" and type(chunk) ~= "function" then
    argument.bad(1, "load", "string", chunk)
  elseif name ~= nil and type(name) ~= "string" then
    argument.bad(2, "load", "string", name)
  end
  local env = cpu.task.proc.env
  if select("#", ...) > 0 then
    env = (...)
  end
  local fn, message = load(chunk, name or (type(chunk) == "string" and chunk or "=(load)"), "t", env)
  if fn and setfenv then
    setfenv(fn, env)
  end
  return fn, message
end

local function library(name, fields, without)
  local kept = {}
  for key, value in next, fields do
    if not (without and without[key]) then
      kept[key] = value
    end
  end
  G[name] = read_only(name, kept)
end

library("string", text)

local tables = table
if jit then
  -- LuaJIT writes past the metamethods that protect a table.
  tables = {}
  for name, call in next, table do
    tables[name] = call
  end
  for _, name in ipairs({ "insert", "remove", "sort" }) do
    local call = table[name]
    tables[name] = function(t, ...)
      check_unprotected(t)
      return call(t, ...)
    end
  end
  local move = table.move
  function tables.move(from, first, last, at, to)
    check_unprotected(to or from)
    return move(from, first, last, at, to)
  end
end
library("table", tables)
library("coroutine", coroutine_api)
library("process", process)
library("channel", channel, { on_time = true })
library("time", time)
library("errors", errors)
library("supervisor", supervisor)
if utf8 then
  library("utf8", utf8)
end

local math_fields = { random = random.random, randomseed = random.randomseed }
for key, value in next, math do
  math_fields[key] = math_fields[key] or value
end
library("math", math_fields)

--- The time of day is the node's, so that it moves with the clock of the node.
library("os", {
  time = function(t)
    if t ~= nil then
      return at_caller(pcall(os_time, t))
    end
    return int.div(clock.wall(), 1000000000)
  end,
  date = function(format, t)
    return at_caller(pcall(os_date, format or "%c", t or int.div(clock.wall(), 1000000000)))
  end,
  clock = function()
    return clock.now / 1e9
  end,
  difftime = os.difftime,
})

local required = {
  process = G.process,
  channel = G.channel,
  time = G.time,
  errors = G.errors,
  supervisor = G.supervisor,
  coroutine = G.coroutine,
  string = G.string,
  table = G.table,
  math = G.math,
  os = G.os,
  utf8 = G.utf8,
}

--- require(name): a module of the API, or a Lua file of the source roots, loaded once per process.
function G.require(name)
  argument.text(1, "require", name)
  local module = required[name]
  if module then
    return module
  end
  local state, found
  repeat
    state, found = yield(op.REQUIRE, name)
  until state ~= "again"
  if state == "failed" then
    error(found, 2)
  elseif state == "loaded" then
    return found
  end
  local ok, value = pcall(found, cpu.task.proc.env, name)
  if not ok then
    yield(op.REQUIRED, name)
    error(value, 0)
  elseif value == nil then
    value = true
  end
  yield(op.REQUIRED, name, value)
  return value
end

-- The one global that is not the same table for all.
setmetatable(G, {
  __index = function(_, name)
    if name == "_G" then
      return cpu.task.proc.env
    end
  end,
})
spawn.Globals.__index = G

-- Strings share one metatable over the whole state: locked, with Lua's own functions behind it.
local string_methods = {}
for key, value in next, string do
  if key ~= "dump" then
    string_methods[key] = value
  end
end
local string_metatable = getmetatable("")
string_metatable.__index = string_methods
string_metatable.__metatable = false

return G
