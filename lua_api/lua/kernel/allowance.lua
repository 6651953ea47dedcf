--- How much a process may compute: in instructions, counted in whole slices.

local fault = require("kernel.fault")
local queue = require("kernel.queue")
local signals = require("kernel.signals")
local stack = require("kernel.stack")
local threads = require("kernel.threads")

local format = string.format
local SLICE = threads.SLICE

local M = {}

local function finish(task, co, why)
  local message = "out of its CPU allowance: " .. why
  signals.finish(task.proc, nil, fault.new(fault.kinds.RATE_LIMITED, message, { stack = stack.of(co) }))
end

--- The slice of a task is over: it goes on after the others, unless its process has used up its allowance.
function M.preempted(task, co)
  local proc = task.proc
  local host = proc.program.host
  local used, run = (proc.used or 0) + SLICE, (task.run or 0) + SLICE
  if used > host.max_instructions then
    local limit = host.max_instructions
    return finish(task, co, format("it used its max_instructions of %d (host %s)", limit, host.name))
  elseif run > host.max_run_instructions then
    local limit = host.max_run_instructions
    return finish(task, co, format("it did not wait for its max_run_instructions of %d (host %s)", limit, host.name))
  end
  proc.used, task.run, task.unsettled = used, run, true
  task.r1, task.r2, task.r3, task.r4 = nil, nil, nil, nil
  queue.push(task)
end

--- The hook ended a task in a place where it could not be preempted.
function M.overrun(task, co)
  finish(task, co, "it computed for too long where Lua cannot suspend it")
end

return M
