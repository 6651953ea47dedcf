--- Runs what can run. One task at a time goes on until it has to wait or its turn is over.

local allowance = require("kernel.allowance")
local clock = require("kernel.clock")
local cpu = require("kernel.cpu")
local fault = require("kernel.fault")
local op = require("kernel.op")
local queue = require("kernel.queue")
local registry = require("kernel.registry")
local requests = require("kernel.requests")
local signals = require("kernel.signals")
local threads = require("kernel.threads")
local timers = require("kernel.timers")
local work = require("kernel.work")

local resume = coroutine.resume
local find, format, type = string.find, string.format, type
local handlers, by_pid = requests.handlers, registry.by_pid
local COROUTINE, LAST = op.COROUTINE, queue.LAST

-- A task from outside has no coroutine: when it is ready, its `on_answer` is called.

local M = {}

--- What Lua raises when it finds no memory.
M.NO_MEMORY = "not enough memory"
local NO_MEMORY = M.NO_MEMORY

-- How many requests a task makes in a row before the others get their turn.
local TURN = 64

-- What a slice of instructions takes out of the budget of a step: it lasts about as long as so many requests.
local SLICE_COST = 200

--- The error of a process for which there was no memory.
function M.memory_fault(cap)
  local message = "not enough memory"
  if cap then
    message = format("not enough memory: the Lua state has reached its max_memory of %d bytes", cap)
  end
  return fault.new(fault.kinds.RATE_LIMITED, message)
end

-- Functions of the string library add where they were called.
local PLACED = ": " .. NO_MEMORY

local function is_no_memory(raised)
  return raised == NO_MEMORY or type(raised) == "string" and find(raised, PLACED, -#PLACED, true) ~= nil
end

--- A coroutine has raised an error; returns what its turn cost.
function M.fail(task, co, raised)
  local proc = task.proc
  if threads.is_overrun(raised) then
    allowance.overrun(task, co)
    return SLICE_COST
  end
  local failure = not is_no_memory(raised) and fault.of_error(raised, co)
  if cpu.capped then
    -- The kernel might find no memory to end it: that comes after the step.
    cpu.failed, cpu.failure = proc, failure
    return math.huge
  end
  signals.finish(proc, nil, failure or M.memory_fault())
  return 0
end

--- Does what was put off until a task with `unsettled` waits or ends. To wait for a coroutine of one's
-- own counts as going on.
local function settle(task, request)
  local proc = task.proc
  if request ~= COROUTINE then
    local creator = task.creator
    task.unsettled, task.run, task.creator = proc.closing, nil, nil
    if creator then
      queue.push_ahead(creator, "created")
    end
  end
  if proc.closing and by_pid[proc.pid] == proc and not signals.has_work(proc) then
    signals.end_shut_down(proc)
  end
end

--- Lets a task go on for `turn` requests, or until it waits or ends; returns what that cost.
local function run_task(task, co, turn)
  cpu.task = task
  cpu.turn = cpu.turn + 1
  local ok, request, a, b, c, d = resume(co, task.r1, task.r2, task.r3, task.r4)
  if task.r4 then
    task.r4 = nil
  end
  local made = 0
  while true do
    if not ok then
      return made + M.fail(task, co, request)
    end
    local handler = handlers[request]
    if not handler then
      -- It yielded nothing: its slice is over.
      allowance.preempted(task, co)
      return made + SLICE_COST
    end
    local more, r1, r2, r3, r4 = handler(task, a, b, c, d)
    made = made + 1
    -- A request can end the process that makes it, for instance over a link.
    if not more or not task.co then
      if task.unsettled then
        settle(task, request)
      end
      return made
    end
    if made + work.extra >= turn then
      task.r1, task.r2, task.r3, task.r4 = r1, r2, r3, r4
      queue.push(task)
      return made
    end
    ok, request, a, b, c, d = resume(co, r1, r2, r3, r4)
  end
end

-- How many coroutines may each be started by the one before, none of which has waited yet: without a
-- limit runaway recursion would take all memory.
local DEEPEST = 10000

M.run_task = run_task

--- A new coroutine of a process runs next, and its creator goes on when it waits for the first time.
handlers[op.COROUTINE] = function(creator, body, fn)
  local proc = creator.proc
  local depth = creator.creator and creator.depth + 1 or 1
  if depth > DEEPEST then
    local message = "stack overflow (more than " .. DEEPEST .. " coroutines, each started by the one before)"
    return signals.finish(proc, nil, fault.of_error(message, creator.co))
  end
  local task = { co = proc.program.host.create(body), proc = proc, task = false, next = false, r1 = fn, creator = creator, depth = depth, unsettled = true }
  task.task = task
  proc.tasks = proc.tasks or {}
  proc.tasks[task.co] = task
  creator.r1, creator.r2, creator.r3 = true, nil, nil
  queue.push_front(task)
end

handlers[op.OVERRUN] = function(task)
  allowance.overrun(task, task.co)
end

--- Lets the first task of the queue, a process, take its turn.
function M.run_first()
  local task = queue.pop()
  run_task(task, task.co, TURN)
  cpu.task = false
end

--- Answers the tasks from outside that are first in the queue.
function M.answer_first()
  while queue.next ~= LAST and queue.next.co == nil do
    queue.pop():on_answer()
  end
end

-- How many timers go off in a step before others get their turn.
local MOST_TIMERS = 1000

--- Lets time be `now` (nanoseconds).
function M.begin(now)
  clock.now = now
  timers.fire_due(MOST_TIMERS)
end

--- Runs what can run, for about `budget` requests; under a cap, up to the first task from outside.
function M.run(budget)
  work.extra = 0
  while budget > 0 do
    local task = queue.next
    if task == LAST then
      break
    end
    local co = task.co
    if co == nil and cpu.capped then
      break
    end
    local following = task.next
    if following == LAST then
      queue.last = queue
    end
    queue.next, task.next = following, false
    if co then
      budget = budget - run_task(task, co, TURN)
    elseif co == nil then
      task:on_answer()
      budget = budget - 1
    end
    local extra = work.extra
    if extra ~= 0 then
      budget, work.extra = budget - extra, 0
    end
  end
  cpu.task = false
end

--- Whether there is more to run, and when the next timer goes off, or nil.
function M.outlook()
  local next_at = timers.next_at()
  return queue.next ~= LAST or timers.has_dropped() or (next_at ~= nil and next_at <= clock.now), next_at
end

return M
