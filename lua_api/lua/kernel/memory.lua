--- What happens when a capped Lua state has no memory left. Processes and kernel step under the cap;
-- what is done about it is done without it, when Python calls `recover`.
--
-- A process that finds no memory ends. If the kernel finds none while it works for a process, but has not
-- begun to change anything, that process ends, too. Otherwise nobody knows what the kernel left half done:
-- the state is lost.

local copy = require("kernel.copy")
local cpu = require("kernel.cpu")
local op = require("kernel.op")
local requests = require("kernel.requests")
local scheduler = require("kernel.scheduler")
local signals = require("kernel.signals")
local sources = require("kernel.sources")
local threads = require("kernel.threads")
local timers = require("kernel.timers")

local create, resume, status, yield = coroutine.create, coroutine.resume, coroutine.status, coroutine.yield
local getinfo = debug.getinfo
local unpack = table.unpack or unpack

local M = {}

local cap = 0

-- What may stop anywhere: it changes nothing before its last allocation, or only what does no harm.
local harmless = {
  [copy.copy] = true,
  [threads.from_factory] = true,
  [scheduler.fail] = true,
  [requests.handlers[op.SEND]] = true,
  [requests.handlers[op.SPAWN]] = true,
  [requests.handlers[op.UPGRADE]] = true,
  [requests.handlers[op.INBOX]] = true,
  [requests.handlers[op.EVENTS]] = true,
}
local harmful = { [signals.finish] = true, [sources.need] = true }

-- The kernel steps in a coroutine of its own, since the stack of one that failed can be looked at.
local stepper

-- To grow a stack Lua takes no garbage away first, so the kernel's is large from the start. The arguments
-- keep it so: a stack is cut down to a multiple of what is in use.
local ROOM = 1000

local function run_steps(...)
  local budget = yield()
  while true do
    budget = yield(scheduler.run(budget))
  end
end

local function open_stepper()
  stepper = create(run_steps)
  resume(stepper, unpack({}, 1, ROOM))
end

--- From now on the state is stepped by `run`, under a cap of so many bytes.
function M.set_cap(bytes)
  cap, cpu.capped = bytes, true
  open_stepper()
end

--- Runs what can run (see scheduler.lua): the part of a step that is under the cap.
-- @treturn boolean whether memory ran out, so that `recover` must be called
function M.run(budget)
  local ok, failure = resume(stepper, budget)
  if not ok and failure ~= scheduler.NO_MEMORY then
    error(failure, 0)
  end
  return not ok or cpu.failed ~= false
end

--- Whether what a failed coroutine of the kernel was at has done no harm.
local function was_harmless(co)
  local found, level, innermost = false, 0, true
  while true do
    local info = getinfo(co, level, "Sf")
    if not info then
      return found
    elseif harmful[info.func] then
      return false
    elseif info.what ~= "C" then
      found = found or harmless[info.func] or innermost and info.func == scheduler.run_task
      innermost = false
    end
    level = level + 1
  end
end

--- The process that pays for it, or nil if that is not enough.
local function find_debtor()
  if cpu.failed then
    return cpu.failed
  end
  local task = status(stepper) == "dead" and was_harmless(stepper) and cpu.task
  return task and task.proc
end

--- Ends the process that pays for it that memory ran out.
-- @treturn boolean false if nobody can: the state is lost
function M.recover()
  local debtor = find_debtor()
  if not debtor then
    return false
  end
  if status(stepper) == "dead" then
    open_stepper()
  end
  local failure = cpu.failure or scheduler.memory_fault(cap)
  cpu.task, cpu.failed, cpu.failure = false, false, false
  signals.finish(debtor, nil, failure)
  timers.forget_dropped()
  return true
end

return M
