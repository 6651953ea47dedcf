--- Requests to processes of other Lua states. Each gets the answer that it would get here; the hub, which
-- knows every process elsewhere, need not wait for most of them.

local fault = require("kernel.fault")
local mailbox = require("kernel.mailbox")
local peers = require("kernel.peers")
local placement = require("kernel.placement")
local post = require("kernel.post")
local queue = require("kernel.queue")
local registry = require("kernel.registry")
local signals = require("kernel.signals")
local state = require("kernel.state")
local tickets = require("kernel.tickets")
local wire = require("kernel.wire")

local kinds, new_fault = fault.kinds, fault.new

local M = {}

local function go_on(task, value, failure)
  task.r1, task.r2 = value, failure
  queue.push(task)
end

local function ask_hub(waiter, n, kind, ...)
  post.row(0, n + 3, kind, state.number, tickets.new(0, waiter), ...)
end

--- Asks the hub who has the name `dest` and makes the request again for the pid.
-- @param missing makes the answer if nobody has it; without it that is what the hub says
function M.resolve(task, handler, missing, dest, a, b, c)
  ask_hub(function(pid, failure)
    if not pid then
      if missing then
        return go_on(task, missing(dest))
      end
      return go_on(task, nil, failure)
    elseif task.co ~= false then
      local ready, value, refusal = handler(task, pid, a, b, c)
      if ready then
        go_on(task, value, refusal)
      end
    end
  end, 1, post.LOOKUP, dest)
end

-- Messages

local function post_message(kind, target, waiter, topic, bytes, from)
  local ticket = tickets.new(target.state, waiter)
  post.row(target.state, 7, kind, state.number, ticket, target.pid, topic, bytes, from)
end

--- The rest of a send by name: `bytes` is the payload, taken when it was sent.
local function send_resolved(task, pid, topic, bytes)
  local target, failure = registry.find(pid)
  if not target then
    return true, nil, failure
  elseif target.state then
    return post_message(post.SEND, target, task, topic, bytes, task.proc.pid)
  end
  return true, mailbox.deliver(target, topic, target.port and bytes or wire.decode(bytes), task.proc.pid)
end

--- A message that cannot be sent, to somebody who is there.
local function refuse_resolved(_, _, failure)
  return true, nil, failure
end

--- A payload in wire form, or nil and what is wrong with it or with its topic.
local function prepared(topic, payload)
  if mailbox.is_reserved(topic) then
    return nil, mailbox.reserved(topic)
  end
  local bytes, refusal = wire.encode(payload)
  return bytes, not bytes and new_fault(kinds.INVALID, refusal) or nil
end

--- Sends a payload to a peer and waits until it is in the mailbox.
function M.send(task, target, topic, payload)
  local bytes, failure = prepared(topic, payload)
  if failure and target.name then
    return M.resolve(task, refuse_resolved, nil, target.name, failure)
  elseif failure then
    return true, nil, failure
  elseif target.name then
    return M.resolve(task, send_resolved, nil, target.name, topic, bytes)
  end
  post_message(post.SEND, target, task, topic, bytes, task.proc.pid)
end

-- How many messages from Python may be on their way to one process.
local MOST_ON_THE_WAY = 100000

--- Sends for Python, which does not wait. The mailbox takes the message even if it is full; then the
-- next ones are refused until there is room again.
function M.send_at_once(target, topic, bytes, from)
  if mailbox.is_reserved(topic) then
    return nil, mailbox.reserved(topic)
  end
  local under_way = target.under_way or 0
  local function arrived(room)
    target.under_way, target.full = target.under_way - 1, room == false
  end
  if target.full or under_way >= MOST_ON_THE_WAY then
    if under_way == 0 then
      target.under_way = 1
      post.row(target.state, 4, post.ROOM, state.number, tickets.new(target.state, arrived), target.pid)
    end
    return nil, new_fault(kinds.RATE_LIMITED, "mailbox of " .. target.pid .. " is full: it has not read what was sent before")
  end
  target.under_way = under_way + 1
  post_message(post.SEND_AT_ONCE, target, arrived, topic, bytes, from)
  return true
end

-- Watching

--- Monitors or links: `act` is the one of signals.lua, `undo` takes it back.
local function attach(act, undo, kind)
  return function(task, target)
    local proc = task.proc
    local ok, refusal = act(proc, target)
    if refusal then
      return true, ok, refusal
    elseif state.is_hub then
      if kind == post.LINK then
        post.row(target.state, 5, kind, 0, 0, target.pid, proc.pid)
      end
      return true, true
    end
    local ticket = tickets.new(target.state, function(known, failure)
      if not known then
        undo(proc, target)
      end
      go_on(task, known, failure)
    end)
    post.row(target.state, 5, kind, state.number, ticket, target.pid, proc.pid)
  end
end

M.monitor = attach(signals.monitor, signals.unmonitor, post.WATCH)
M.link = attach(signals.link, signals.unlink_here, post.LINK)

-- Ending others

function M.terminate(task, target)
  local ticket = 0
  if not state.is_hub then
    ticket = tickets.new(target.state, task)
  end
  post.row(target.state, 4, post.TERMINATE, state.number, ticket, target.pid)
  if state.is_hub then
    return true, true
  end
end

--- Whoever asks again and again is refused at some time; Python does not wait to be told.
function M.cancel(task, target, from, reason)
  local waits = not task.proc.port
  local ticket = waits and tickets.new(target.state, task) or 0
  post.row(target.state, 6, post.CANCEL, state.number, ticket, target.pid, from, reason)
  if not waits then
    return true, true
  end
end

--- A call to a supervisor; the hub has them all.
function M.call_supervisor(task, target, verb, argument)
  post.row(0, 6, post.CALL_SUPERVISOR, state.number, tickets.new(0, task), target.pid, verb, argument)
end

-- Names: outside the hub all requests for them go there.

function M.register(task, name, pid)
  ask_hub(task, 2, post.REGISTER, name, pid)
end

function M.unregister(task, name)
  ask_hub(task, 1, post.UNREGISTER, name)
end

function M.lookup(task, name)
  ask_hub(task, 1, post.LOOKUP, name)
end

-- Spawning

--- The child of a spawner that ended meanwhile: a linked one follows it.
local function orphan(child, parent, mode)
  if mode.link then
    local failure = new_fault(kinds.CANCELED, "ended while it spawned this process")
    post.row(child.state, 5, post.ENDED, parent.pid, nil, failure, false)
  end
end

--- The process was started in its state and has not run yet.
local function attach_child(spawner, mode, pid)
  local child, parent = peers.of(pid), spawner.proc
  if registry.by_pid[parent.pid] ~= parent and not parent.system then
    return orphan(child, parent, mode)
  end
  if mode.link then
    signals.link(parent, child)
  end
  if mode.monitor then
    signals.monitor(parent, child)
  end
  if spawner.ticket then
    spawner.child = child
  end
  if mode.await then
    signals.await(spawner, child)
  end
end

--- Spawns a process in another state: outside the hub the request goes there.
-- @param list the arguments, already copied, with their number in n; or false
function M.spawn(spawner, entry, host, mode, list)
  local arguments = list and wire.encode_list(list.n, list) or wire.encode_list(0, {})
  local link, watch = mode.link or false, mode.monitor or mode.await or false
  local function answered(pid, failure)
    if pid and spawner.abandoned then
      return post.row(peers.of(pid).state, 4, post.TERMINATE, 0, 0, pid)
    elseif pid then
      attach_child(spawner, mode, pid)
    end
    if not (pid and mode.await) then
      go_on(spawner, pid, failure)
    end
  end
  local function post_to(number)
    local ticket = tickets.new(number, answered)
    post.row(number, 9, post.SPAWN, state.number, ticket, host.name, entry, arguments, spawner.proc.pid, link, watch)
    return ticket
  end
  if not state.is_hub then
    return post_to(0)
  end
  local ok, failure = placement.find(host, function(place)
    placement.expect(0, post_to(place.number), place.number)
  end)
  if not ok then
    go_on(spawner, nil, failure)
  end
end

return M
