--- The `coroutine` module of a process. The waits of the API pass through coroutines of the process to
-- the scheduler; what the process itself yields is marked, so that the two are never mixed up.

local argument = require("api.argument")
local cpu = require("kernel.cpu")
local op = require("kernel.op")
local threads = require("kernel.threads")

local resume, yield, running = coroutine.resume, coroutine.yield, coroutine.running
local status, isyieldable, close = coroutine.status, coroutine.isyieldable, coroutine.close
local error, pcall, select, type = error, pcall, select, type

local M = {}

-- The first value of a yield of the process itself. No process can get hold of it.
local YIELDED = {}

--- Whether the scheduler resumes `co`, so that nobody else may.
local function is_task(co)
  local proc = cpu.task.proc
  return co == proc.co or (proc.tasks ~= nil and proc.tasks[co] ~= nil)
end

-- Coroutines in which something waits for the scheduler: to the process they are active.
local waiting = setmetatable({}, { __mode = "k" })

local function check(name, co)
  if type(co) ~= "thread" then
    argument.bad(1, name, "coroutine", co, 1)
  end
end

-- How many slices the coroutines inside something that cannot be suspended may take in one turn.
local MOST_UNSUSPENDED = 5000

--- Gives others their turn, if Lua can suspend here.
local function pause()
  if isyieldable() then
    yield()
    return
  end
  local task, turn = cpu.task, cpu.turn
  local slices = task.unsuspended_in == turn and task.unsuspended + 1 or 1
  task.unsuspended_in, task.unsuspended = turn, slices
  if slices > MOST_UNSUSPENDED then
    error(threads.OVERRUN, 0)
  end
end

-- Each coroutine has a slice of its own, so making one counts as using part of one.
local MADE_IN_A_SLICE = 32

local function new(fn)
  local task = cpu.task
  local made = (task.made or 0) + 1
  task.made = made
  if made % MADE_IN_A_SLICE == 0 then
    pause()
  end
  return threads.inheriting(fn)
end

--- An error that ends the process ends it here, wherever it was raised.
local function end_overrun(raised)
  if threads.is_overrun(raised) and isyieldable() then
    yield(op.OVERRUN)
  end
end

local pass

--- Tells what a resume brought: a yield of the process, an end, a request for the scheduler, or nothing
-- when its slice is over.
local function outcome(co, ok, first, ...)
  if first == YIELDED then
    return true, ...
  elseif not ok then
    end_overrun(first)
    return false, first
  elseif status(co) == "dead" then
    return true, first, ...
  end
  waiting[co] = true
  if first == nil then
    return pass(co, pause())
  end
  return pass(co, yield(first, ...))
end

function pass(co, ...)
  waiting[co] = nil
  return outcome(co, resume(co, ...))
end

--- Resumes a coroutine for the process.
local function continue(co, ...)
  if is_task(co) then
    return false, "cannot resume a coroutine that the scheduler runs"
  elseif waiting[co] then
    return false, "cannot resume non-suspended coroutine"
  end
  return outcome(co, resume(co, ...))
end

function M.create(fn)
  argument.callable(1, "create", fn)
  return new(fn)
end

function M.resume(co, ...)
  check("resume", co)
  return continue(co, ...)
end

function M.yield(...)
  local co = running()
  if is_task(co) then
    error("attempt to yield from outside a coroutine", 2)
  end
  return yield(YIELDED, ...)
end

local function values_or_raise(co, ok, ...)
  if ok then
    return ...
  end
  if close and status(co) == "dead" then
    close(co)
  end
  local raised = ...
  error(raised, 0)
end

function M.wrap(fn)
  argument.callable(1, "wrap", fn)
  local co = new(fn)
  return function(...)
    return values_or_raise(co, continue(co, ...))
  end
end

function M.status(co)
  check("status", co)
  return waiting[co] and "normal" or status(co)
end

function M.running()
  local co = running()
  return co, is_task(co)
end

if isyieldable then
  function M.isyieldable(co)
    co = co or running()
    return not is_task(co) and isyieldable(co)
  end
end

if close then
  function M.close(co)
    check("close", co)
    if is_task(co) then
      error("cannot close a coroutine that the scheduler runs", 2)
    elseif waiting[co] then
      error("cannot close a normal coroutine", 2)
    end
    local done, ok, raised = pcall(close, co)
    if not done then
      error(ok, 2)
    elseif not ok then
      end_overrun(raised)
      return false, raised
    end
    return true
  end
end

local function body(fn, ...)
  fn(...)
  return op.COROUTINE_DONE
end

--- coroutine.spawn(fn, ...): runs fn concurrently, up to its first wait before spawn returns.
function M.spawn(fn, ...)
  argument.callable(1, "spawn", fn)
  local n, arguments = select("#", ...), nil
  if n > 0 then
    local given, call = { n = n, ... }, fn
    arguments = given
    fn = function()
      return call((table.unpack or unpack)(arguments, 1, arguments.n))
    end
  end
  return (yield(op.COROUTINE, body, fn))
end

return M
