--- Calls of Lua processes to supervisors, whose code is Python: they leave as rows, and the process
-- waits until the answer comes.

local afar = require("kernel.afar")
local copy = require("kernel.copy").copy
local fault = require("kernel.fault")
local op = require("kernel.op")
local outbox = require("kernel.outbox")
local queue = require("kernel.queue")
local registry = require("kernel.registry")
local requests = require("kernel.requests")
local state = require("kernel.state")
local wire = require("kernel.wire")

local kinds, new_fault = fault.kinds, fault.new

local M = {}

local waiting, last = {}, 0

--- Lets `task` wait for the answer of a supervisor.
-- @param refusal what is wrong with the argument, if anything: of less weight than what is wrong with `dest`
function M.call(task, dest, verb, argument, refusal)
  local target, failure = registry.find(dest)
  if not target then
    return true, nil, failure
  elseif target.name then
    return afar.resolve(task, M.call, nil, dest, verb, argument, refusal)
  elseif refusal and target.state then
    return afar.refuse(task, target, refusal)
  elseif refusal then
    return true, nil, refusal
  elseif target.state and not state.is_hub then
    return afar.call_supervisor(task, target, verb, argument)
  elseif not (target.port and target.port.supervises) then
    return true, nil, new_fault(kinds.INVALID, "not a supervisor: " .. dest)
  end
  last = last + 1
  waiting[last] = task
  outbox.row(5, outbox.CALL, last, target.pid, verb, argument)
end

requests.handlers[op.CALL_SUPERVISOR] = function(task, dest, verb, argument)
  local ok, copied = copy(argument, "spec")
  if not ok then
    return M.call(task, dest, verb, nil, new_fault(kinds.INVALID, copied))
  end
  return M.call(task, dest, verb, copied)
end

--- Brings the answer: a list of up to three values.
function M.answer(ticket, answer)
  local task = waiting[ticket]
  waiting[ticket] = nil
  local list = wire.decode_list(answer)
  task.r1, task.r2, task.r3 = list[1], list[2], list[3]
  queue.push(task)
end

return M
