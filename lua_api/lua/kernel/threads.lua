--- Coroutines that run code of processes, and how one that computes without end is stopped.
-- A hook of C (lua_api/_preemption.py) lets a coroutine yield nothing after each slice of instructions;
-- coroutines inherit it from the one that creates them, so those of processes come from a factory that
-- has it. Where there is no such hook, one of Lua, which cannot yield, ends what runs for too long.

local cpu = require("kernel.cpu")

local create, resume, status, yield = coroutine.create, coroutine.resume, coroutine.status, coroutine.yield
local gethook, sethook = debug.gethook, debug.sethook
local error, find, tostring, type = error, string.find, tostring, type

local M = {}

--- Instructions between two looks at a coroutine.
M.SLICE = 10000

--- Instructions that a hook of Lua allows within one turn.
M.LONGEST_TURN = 20000000

--- Makes a coroutine that nothing stops.
M.plain = create

--- Makes a coroutine that is stopped; set by `open_factory` or `limit_turns`.
M.stopped = create

--- Makes a coroutine that is stopped as the running one is.
M.inheriting = create

--- What the hook raises in a coroutine that must end, as `luaL_error` of C writes it.
local OVERRUN = "\3"
M.OVERRUN = OVERRUN

--- Whether an error is that of the hook.
function M.is_overrun(raised)
  return raised == OVERRUN or type(raised) == "string" and find(raised, ": \3", -3, true) ~= nil
end

local factory

local function make_all()
  local body = yield()
  while true do
    body = yield(create(body))
  end
end

function M.from_factory(body)
  local ok, co = resume(factory, body)
  while co == nil do
    -- Its own slice was over.
    ok, co = resume(factory)
  end
  if not ok then
    error(co, 0)
  end
  return co
end

--- Opens the factory, or a new one; returns its address as text, for the hook of C.
function M.open_factory()
  factory = create(make_all)
  resume(factory)
  M.stopped = M.from_factory
  return tostring(factory)
end

--- Opens a new factory if the old one found no memory.
function M.reopen_factory()
  if factory and status(factory) == "dead" then
    return M.open_factory()
  end
end

--- Has a hook of Lua end what runs for longer than LONGEST_TURN without giving others a turn.
function M.limit_turns()
  local last_turn

  local function look()
    local turn = cpu.turn
    if turn ~= last_turn then
      last_turn = turn
      return
    end
    -- From here on at each instruction, so that no pcall of the process helps.
    sethook(look, "", 1)
    error(OVERRUN, 0)
  end

  function M.stopped(body)
    local co = create(body)
    sethook(co, look, "", M.LONGEST_TURN / 2)
    return co
  end

  function M.inheriting(body)
    local co = create(body)
    local hook, _, count = gethook()
    if hook then
      sethook(co, hook, "", count)
    end
    return co
  end
end

return M
