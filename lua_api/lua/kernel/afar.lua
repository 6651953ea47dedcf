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

local function post_message(kind, target, waiter, topic, payload, from)
  local to = target.state
  post.message(to, kind, tickets.new(to, waiter), target.pid, topic, from, payload)
end

--- The rest of a send by name: `payload` was taken when it was sent.
local function send_resolved(task, pid, topic, payload)
  local target, failure = registry.find(pid)
  if not target then
    return true, nil, failure
  elseif target.state then
    return post_message(post.SEND, target, task, topic, payload, task.proc.pid)
  end
  return true, mailbox.deliver(target, topic, wire.unpacked(wire.decode(payload), target.port), task.proc.pid)
end

--- Answers what cannot be sent. That there is nobody to send it to goes before, as it does here.
function M.refuse(task, target, refusal)
  if state.is_hub then
    return true, nil, refusal
  elseif target.name then
    ask_hub(function(pid, failure)
      go_on(task, nil, pid and refusal or failure)
    end, 1, post.LOOKUP, target.name)
    return
  end
  local ticket = tickets.new(target.state, function(room, failure)
    go_on(task, nil, room == nil and failure or refusal)
  end)
  post.row(target.state, 4, post.ROOM, state.number, ticket, target.pid)
end

--- Sends a payload to a peer and waits until it is in the mailbox.
function M.send(task, target, topic, payload)
  if mailbox.is_reserved(topic) then
    return M.refuse(task, target, mailbox.reserved(topic))
  end
  local packed, refusal = wire.packed(payload)
  if not packed then
    return M.refuse(task, target, new_fault(kinds.INVALID, refusal))
  elseif target.name then
    return M.resolve(task, send_resolved, nil, target.name, topic, packed)
  end
  post_message(post.SEND, target, task, topic, packed, task.proc.pid)
end

-- How many messages, or requests to end, from the hub may be on their way to one process.
local MOST_ON_THE_WAY = 100000

--- Lets the hub, which does not wait, add to what a process has not read. It takes that even if it is
-- full; then the next ones are refused until there is room again.
-- @param kind "messages" or "events"
-- @treturn[1] function that gets whether there is room for another one
-- @treturn[2] nil
-- @treturn[2] table an error
local function set_out(target, kind)
  local way = target[kind]
  if not way then
    way = { count = 0, full = false }
    target[kind] = way
  end
  local function arrived(room)
    way.count, way.full = way.count - 1, room == false
  end
  if way.full or way.count >= MOST_ON_THE_WAY then
    if way.count == 0 then
      way.count = 1
      local ticket = tickets.new(target.state, arrived)
      post.row(target.state, 5, post.ROOM, state.number, ticket, target.pid, kind == "events")
    end
    return nil, new_fault(kinds.RATE_LIMITED, "mailbox of " .. target.pid .. " is full: it has not read what was sent before")
  end
  way.count = way.count + 1
  return arrived
end

--- Sends for Python, which does not wait (see `set_out`).
-- @param bytes the payload in wire form
function M.send_at_once(target, topic, bytes, from)
  if mailbox.is_reserved(topic) then
    return nil, mailbox.reserved(topic)
  end
  local arrived, refusal = set_out(target, "messages")
  if not arrived then
    return nil, refusal
  end
  post_message(post.SEND_AT_ONCE, target, arrived, topic, wire.quoted(bytes), from)
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
  if state.is_hub then
    post.row(target.state, 4, post.TERMINATE, 0, 0, target.pid)
    return true, true
  end
  post.row(target.state, 4, post.TERMINATE, state.number, tickets.new(target.state, task), target.pid)
end

function M.cancel(task, target, from, reason)
  local waiter = task
  if state.is_hub then
    local arrived, refusal = set_out(target, "events")
    if not arrived then
      return true, nil, refusal
    end
    waiter = arrived
  end
  post.row(target.state, 6, post.CANCEL, state.number, tickets.new(target.state, waiter), target.pid, from, reason)
  if state.is_hub then
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

--- The linked child of a spawner that ended meanwhile follows it.
-- @param parent the pid of the spawner
function M.orphan(child, parent)
  local failure = new_fault(kinds.CANCELED, "ended while it spawned this process")
  post.row(child.state, 5, post.ENDED, parent, nil, failure, false)
end

--- The process was started in its state and has not run yet.
local function attach_child(spawner, mode, pid)
  local child, parent = peers.of(pid), spawner.proc
  if registry.by_pid[parent.pid] ~= parent and not parent.system then
    return mode.link and M.orphan(child, parent.pid)
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
