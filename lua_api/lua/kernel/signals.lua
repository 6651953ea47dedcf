--- How processes watch each other and end: monitors, links, exit signals.
-- The order at an end is fixed: not found any more, names free, EXIT to every monitor, LINK_DOWN to
-- every linked process if the end was abnormal, then everything it owned is dropped without running it.

local clock = require("kernel.clock")
local copy = require("kernel.copy").copy
local fault = require("kernel.fault")
local mailbox = require("kernel.mailbox")
local outbox = require("kernel.outbox")
local queue = require("kernel.queue")
local registry = require("kernel.registry")
local relation = require("kernel.relation")
local timers = require("kernel.timers")
local wire = require("kernel.wire")

local kinds, new_fault = fault.kinds, fault.new

local M = {}

M.EXIT, M.LINK_DOWN, M.CANCEL = "EXIT", "LINK_DOWN", "CANCEL"

--- Hands an event to a process in the form it reads: a Lua process its own table, a Python process bytes.
local function deliver_event(proc, event)
  local port = proc.port
  if not port then
    mailbox.deliver_event(proc, event)
  elseif not port.supervises then
    mailbox.deliver_event(proc, wire.encode_record(event))
  end
end

local function copied(value)
  local _, result = copy(value, "result")
  return result
end

local function ending(kind, proc, result, failure)
  return {
    kind = kind,
    from = proc.pid,
    result = copied(result),
    error = copied(failure),
    at = clock.unix(),
  }
end

--- The error of everybody whom the failure of `origin` takes along, however far away.
local function linked_failure(origin, failure)
  return new_fault(kinds.CANCELED, "linked process failed", {
    details = { origin = origin.pid, error = tostring(failure) },
  })
end

function M.drop_coroutines(proc)
  proc.co = false
  if proc.tasks then
    for _, task in next, proc.tasks do
      task.co = false
    end
  end
end

local drop_coroutines = M.drop_coroutines

local function tell_monitors(proc, result, failure)
  if proc.monitors then
    local watchers = relation.take_all(proc, "monitors")
    for i = 1, #watchers do
      local watcher = watchers[i]
      relation.remove(watcher, "monitoring", proc)
      deliver_event(watcher, ending(M.EXIT, proc, result, failure))
    end
  end
end

local function answer_waiting(proc, result, failure)
  if proc.awaited_by then
    local tasks = relation.take_all(proc, "awaited_by")
    for i = 1, #tasks do
      M.answer_end(tasks[i], result, failure)
    end
  end
end

--- Answers a task that waited for the end of a process: the result, or nil and the error.
function M.answer_end(task, result, failure)
  if task.next then
    -- A reply that came before the end has made it ready.
    return
  elseif task.ticket then
    task.r1 = wire.encode_record({ result = result, error = failure, at = clock.unix() })
  else
    task.r1, task.r2, task.r3 = copied(result), copied(failure), nil
  end
  queue.push(task)
end

--- Ends one process; the processes that its failure ends are added to `doomed`.
local function end_one(proc, result, failure, doomed)
  drop_coroutines(proc)
  registry.remove(proc)
  if proc.names then
    registry.release_names(proc)
  end
  local spawner = proc.loading
  if spawner then
    spawner.r1, spawner.r2, spawner.r3 = nil, copied(failure), nil
    queue.push_front(spawner)
  end
  if proc.owner then
    relation.remove(proc.owner, "owned", proc)
  end
  -- Whoever sees the end of a supervisor sees none of its processes alive.
  if proc.owned then
    local owned = relation.take_all(proc, "owned")
    for i = 1, #owned do
      -- The end of one may have taken others along.
      if registry.by_pid[owned[i].pid] == owned[i] then
        M.terminate(owned[i])
      end
    end
  end
  tell_monitors(proc, result, failure)
  if proc.links then
    local linked = relation.take_all(proc, "links")
    for i = 1, #linked do
      local peer = linked[i]
      relation.remove(peer, "links", proc)
      if failure ~= nil then
        if peer.trap_links then
          deliver_event(peer, ending(M.LINK_DOWN, proc, nil, failure))
        else
          doomed[#doomed + 1] = peer
        end
      end
    end
  end
  answer_waiting(proc, result, failure)
  if proc.monitoring then
    local targets = relation.take_all(proc, "monitoring")
    for i = 1, #targets do
      relation.remove(targets[i], "monitors", proc)
    end
  end
  timers.drop_all(proc)
  if proc.seat then
    proc.seat:ended(proc, failure)
  end
  if proc.port then
    proc.port.on_end(proc, failure)
  elseif outbox.watched and not spawner then
    local program = proc.program
    outbox.row(7, outbox.EXITED, proc.pid, program.entry, result, failure, clock.unix(), clock.now - proc.started)
  end
end

--- Ends a process, and every process that its failure takes along over links.
-- @param failure nil for a normal end, otherwise an error object
function M.finish(proc, result, failure)
  if registry.by_pid[proc.pid] ~= proc then
    return
  end
  local doomed = proc.links and {}
  end_one(proc, result, failure, doomed)
  if not doomed or not doomed[1] then
    return
  end
  local following, at = linked_failure(proc, failure), 1
  while doomed[at] do
    local victim = doomed[at]
    -- Links of a large group reach the same process more than once.
    if registry.by_pid[victim.pid] == victim then
      end_one(victim, nil, following, doomed)
    end
    doomed[at] = false
    at = at + 1
  end
end

--- How a process was ended by others, or that its start is to be ignored: `proc.ending`, nil for BY_ITSELF.
M.BY_ITSELF, M.SHUT_DOWN, M.TERMINATED, M.IGNORED = 0, 1, 2, 3

--- Ends a process that is not needed after all.
function M.ignore(proc)
  proc.ending = M.IGNORED
  M.finish(proc)
end

function M.terminate(proc)
  proc.ending = M.TERMINATED
  M.finish(proc, nil, new_fault(kinds.CANCELED, "process terminated"))
end

--- Whether any coroutine of a process can go on without being woken.
function M.has_work(proc)
  if proc.next then
    return true
  end
  for _, task in next, proc.tasks or {} do
    if task.next then
      return true
    end
  end
  return false
end

--- Asks a process to end: a CANCEL event. One that does not read events is to end when it next waits.
-- @treturn boolean false if it waits now and must be ended by `end_shut_down`
function M.shut_down(proc, from, reason)
  if not proc.hears then
    if not M.has_work(proc) then
      return false
    end
    proc.closing = true
  end
  M.cancel(proc, from, reason)
  return true
end

--- Ends a process that did not hear that it is to end.
function M.end_shut_down(proc)
  proc.ending = M.SHUT_DOWN
  M.finish(proc, nil, new_fault(kinds.CANCELED, "shutdown"))
end

--- Lets `proc` end with `owner`; without an owner it is its own.
function M.own(owner, proc)
  if owner then
    proc.owner = owner
    relation.add(owner, "owned", proc)
  end
end

--- Asks a process to end: a CANCEL event.
function M.cancel(proc, from, reason)
  deliver_event(proc, { kind = M.CANCEL, from = from, reason = reason, at = clock.unix() })
end

--- `watcher` will get one EXIT when `target` ends.
function M.monitor(watcher, target)
  if not relation.add(target, "monitors", watcher) then
    return nil, new_fault(kinds.ALREADY_EXISTS, "already monitoring " .. target.pid)
  end
  relation.add(watcher, "monitoring", target)
  return true
end

function M.unmonitor(watcher, target)
  if relation.remove(target, "monitors", watcher) then
    relation.remove(watcher, "monitoring", target)
  end
end

--- Links two processes, both ways. A process is not linked to itself.
function M.link(one, other)
  if one ~= other then
    relation.add(one, "links", other)
    relation.add(other, "links", one)
  end
end

function M.unlink(one, other)
  if relation.remove(one, "links", other) then
    relation.remove(other, "links", one)
  end
end

--- Lets `task` wait for the end of `proc`.
function M.await(task, proc)
  relation.add(proc, "awaited_by", task)
end

--- Takes `task` back from waiting for the end of `proc`.
function M.unawait(task, proc)
  relation.remove(proc, "awaited_by", task)
end

return M
