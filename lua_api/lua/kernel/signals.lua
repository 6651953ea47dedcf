--- How processes watch each other and end: monitors, links, exit signals.
-- The order at an end is fixed: not found any more, names free, EXIT to every monitor, LINK_DOWN to
-- every linked process if the end was abnormal, then everything it owned is dropped without running it.

local clock = require("kernel.clock")
local copy = require("kernel.copy").copy
local fault = require("kernel.fault")
local mailbox = require("kernel.mailbox")
local outbox = require("kernel.outbox")
local peers = require("kernel.peers")
local post = require("kernel.post")
local queue = require("kernel.queue")
local registry = require("kernel.registry")
local relation = require("kernel.relation")
local state = require("kernel.state")
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
      task.co, task.r1, task.r2, task.r3, task.sending = false, nil, nil, nil, nil
    end
  end
end

local drop_coroutines = M.drop_coroutines

--- Takes everything from the code of a process that has ended. Its channels know the process: where it
-- led to their handles, LuaJIT would keep all of it.
local function drop_code(proc)
  drop_coroutines(proc)
  mailbox.drop_handles(proc.mailbox)
  proc.env, proc.tasks, proc.loaded, proc.sending = nil, nil, nil, nil
  proc.r1, proc.r2, proc.r3 = nil, nil, nil
end

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

--- A relation of `proc` is no more.
local function released(proc)
  if proc.state then
    peers.release(proc)
  end
end

--- Tells the states in which a process is known that it has ended.
local function tell_afar(proc, result, failure, taken_along)
  local states = relation.take_all(proc, "afar")
  for i = 1, #states do
    post.row(states[i], 6, post.ENDED, proc.pid, result, failure, taken_along, proc.loading and true)
  end
end

--- Has the hub, which frees the names of a process, tell the outside of its end.
local function report(proc, entry, result, failure)
  outbox.row(7, outbox.EXITED, proc.pid, entry, result, failure, clock.unix(), clock.now - proc.started)
end

--- Ends one process; the processes that its failure ends are added to `doomed`. For a peer it does
-- what its end means to the processes here.
-- @param taken_along whether the failure is that of a link
local function end_one(proc, result, failure, doomed, taken_along)
  if proc.state then
    peers.drop(proc)
  else
    drop_code(proc)
    registry.remove(proc)
  end
  if proc.names then
    registry.release_names(proc)
  end
  if proc.afar then
    tell_afar(proc, result, failure, taken_along)
  end
  local spawner = proc.loading
  if spawner then
    spawner.r1, spawner.r2, spawner.r3 = nil, copied(failure), nil
    queue.push_front(spawner)
  end
  if proc.owner then
    relation.remove(proc.owner, "owned", proc)
    released(proc.owner)
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
      released(peer)
      -- One that is elsewhere learns of it there.
      if failure ~= nil and not peer.state then
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
      released(targets[i])
    end
  end
  if proc.state then
    if proc.started and outbox.watched and not proc.unseen then
      report(proc, proc.entry, result, failure)
    end
    return
  end
  timers.drop_all(proc)
  -- Before its supervisor knows, and tells.
  if outbox.watched and not (proc.port or spawner) and state.is_hub then
    report(proc, proc.program.entry, result, failure)
  end
  if proc.seat then
    proc.seat:ended(proc, failure)
  end
  if proc.port then
    proc.port.on_end(proc, failure)
  end
end

local function finish(proc, result, failure, taken_along)
  local doomed = proc.links and {}
  end_one(proc, result, failure, doomed, taken_along)
  if not doomed or not doomed[1] then
    return
  end
  local following, at = taken_along and failure or linked_failure(proc, failure), 1
  while doomed[at] do
    local victim = doomed[at]
    -- Links of a large group reach the same process more than once.
    if registry.by_pid[victim.pid] == victim then
      end_one(victim, nil, following, doomed, true)
    end
    doomed[at] = false
    at = at + 1
  end
end

--- Ends a process, and every process that its failure takes along over links.
-- @param failure nil for a normal end, otherwise an error object
function M.finish(proc, result, failure)
  if registry.by_pid[proc.pid] == proc then
    finish(proc, result, failure, false)
  end
end

--- A process elsewhere has ended.
-- @param taken_along whether by a link: then its failure names the origin already
M.finish_peer = finish

--- How a process was ended by others, or that its start is to be ignored: `proc.ending`, nil for BY_ITSELF.
M.BY_ITSELF, M.SHUT_DOWN, M.TERMINATED, M.IGNORED = 0, 1, 2, 3

--- Ends a process that is not needed after all.
function M.ignore(proc)
  proc.ending = M.IGNORED
  M.finish(proc)
end

function M.terminate(proc)
  if proc.state then
    return post.row(proc.state, 4, post.TERMINATE, 0, 0, proc.pid)
  end
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
    proc.closing, proc.unsettled = true, true
    for _, task in next, proc.tasks or {} do
      task.unsettled = true
    end
  end
  M.cancel(proc, from, reason)
  return true
end

--- Ends a process that did not hear that it is to end.
function M.end_shut_down(proc)
  proc.ending = M.SHUT_DOWN
  M.finish(proc, nil, new_fault(kinds.CANCELED, "shutdown"))
end

--- The end of a process of this state is to be told to the state of `peer`.
local function meet(proc, peer)
  if peer.state then
    peers.keep(peer)
    relation.add(proc, "afar", peer.state)
  end
end

--- Lets `proc` end with `owner`; without an owner it is its own.
function M.own(owner, proc)
  if owner then
    proc.owner = owner
    relation.add(owner, "owned", proc)
    meet(proc, owner)
  end
end

--- Asks a process of this state to end: a CANCEL event.
function M.cancel(proc, from, reason)
  deliver_event(proc, { kind = M.CANCEL, from = from, reason = reason, at = clock.unix() })
end

--- `watcher` will get one EXIT when `target` ends.
function M.monitor(watcher, target)
  if not relation.add(target, "monitors", watcher) then
    return nil, new_fault(kinds.ALREADY_EXISTS, "already monitoring " .. target.pid)
  end
  relation.add(watcher, "monitoring", target)
  if target.state then
    peers.keep(target)
  end
  return true
end

function M.unmonitor(watcher, target)
  if relation.remove(target, "monitors", watcher) then
    relation.remove(watcher, "monitoring", target)
    released(target)
  end
end

--- Links two processes, both ways. A process is not linked to itself.
function M.link(one, other)
  if one ~= other then
    relation.add(one, "links", other)
    relation.add(other, "links", one)
    meet(one, other)
    meet(other, one)
  end
end

--- Undoes a link, in this state alone.
-- @treturn boolean whether there was one
function M.unlink_here(one, other)
  if relation.remove(one, "links", other) then
    relation.remove(other, "links", one)
    released(other)
    return true
  end
  return false
end

function M.unlink(one, other)
  if M.unlink_here(one, other) and other.state then
    post.row(other.state, 3, post.UNLINK, other.pid, one.pid)
  end
end

--- Lets `task` wait for the end of `proc`.
function M.await(task, proc)
  relation.add(proc, "awaited_by", task)
  if proc.state then
    peers.keep(proc)
  end
end

--- Takes `task` back from waiting for the end of `proc`.
function M.unawait(task, proc)
  relation.remove(proc, "awaited_by", task)
  released(proc)
end

return M
