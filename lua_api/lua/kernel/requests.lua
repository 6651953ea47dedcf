--- What happens for each request of a Lua process. A handler gets the task and the arguments and
-- returns `true, answer...` when the task can go on at once, or nothing when it waits or has ended.
-- The arguments come from the API (lua_api/lua/api), which has checked their types.

local afar = require("kernel.afar")
local channel = require("kernel.channel")
local clock = require("kernel.clock")
local copy_module = require("kernel.copy")
local fault = require("kernel.fault")
local mailbox = require("kernel.mailbox")
local modules = require("kernel.modules")
local op = require("kernel.op")
local outbox = require("kernel.outbox")
local queue = require("kernel.queue")
local registry = require("kernel.registry")
local signals = require("kernel.signals")
local spawn = require("kernel.spawn")
local state = require("kernel.state")
local timers = require("kernel.timers")
local upgrade = require("kernel.upgrade")
local wire = require("kernel.wire")
local zones = require("kernel.zones")

local copy, is_scalar = copy_module.copy, copy_module.is_scalar
local kinds, new_fault = fault.kinds, fault.new
local by_pid, find = registry.by_pid, registry.find
local deliver, push = mailbox.deliver, queue.push
local state_of = channel.state_of
local take_item, try_receive = channel.take_item, channel.try_receive
local type = type

local M = {}
local handlers = {}
M.handlers = handlers

-- Messages

--- The payload in the form its receiver reads, or nil and an error.
local function prepared(target, payload)
  if target.port then
    local bytes, refusal = wire.encode(payload)
    if not bytes then
      return nil, new_fault(kinds.INVALID, refusal)
    end
    return bytes
  end
  local ok, copied = copy(payload, "payload")
  if not ok then
    return nil, new_fault(kinds.INVALID, copied)
  end
  return copied
end

handlers[op.SEND] = function(task, dest, topic, payload)
  local target, failure = by_pid[dest], nil
  if not target then
    target, failure = find(dest)
    if not target then
      return true, nil, failure
    elseif target.state then
      return afar.send(task, target, topic, payload)
    end
  end
  if not is_scalar[type(payload)] or target.port then
    payload, failure = prepared(target, payload)
    if failure then
      return true, nil, mailbox.is_reserved(topic) and mailbox.reserved(topic) or failure
    end
  end
  return true, deliver(target, topic, payload, task.proc.pid)
end

handlers[op.LISTEN] = function(task, topic, with_messages)
  if mailbox.is_reserved(topic) then
    return true, nil, mailbox.reserved(topic)
  end
  return true, mailbox.listen(task.proc, topic, with_messages).handle
end

handlers[op.INBOX] = function(task)
  return true, mailbox.inbox(task.proc).handle
end

--- Whoever reads events can hear that it is to end, and takes the time it is given.
handlers[op.EVENTS] = function(task)
  local proc = task.proc
  proc.hears, proc.closing = true, nil
  return true, mailbox.events(proc).handle
end

handlers[op.UNLISTEN] = function(task, handle)
  return true, mailbox.unlisten(task.proc, state_of[handle])
end

-- Channels

--- Answers nil, nil for what is no channel.
handlers[op.RECEIVE] = function(task, handle)
  local ch = state_of[handle]
  if not ch then
    return true
  elseif not ch.senders then
    -- The common cases of what follows: something is there, or nothing is and nobody else waits.
    if ch.head ~= ch.tail then
      return true, take_item(ch)
    elseif not ch.receivers and not ch.closed then
      ch.receivers = task
      return
    end
  end
  local ready, value, marker, from = try_receive(ch)
  if ready then
    return true, value, marker, from
  end
  channel.add_waiter(ch, "receivers", task)
end

handlers[op.CHANNEL] = function(task, capacity)
  return true, (channel.new(task.proc, channel.PLAIN, capacity))
end

local function closed_while_sending()
  return new_fault(kinds.CANCELED, "channel was closed")
end

--- Answers true when sent, nil and an error when closed while waiting, false when it was closed before.
handlers[op.CHANNEL_SEND] = function(task, handle, value)
  local ch = state_of[handle]
  if ch.closed then
    return true, false
  elseif channel.try_send(ch, value) then
    return true, true
  end
  task.sending = value
  channel.add_waiter(ch, "senders", task)
end

--- Answers false for a channel that belongs to the process itself.
handlers[op.CHANNEL_CLOSE] = function(_, handle)
  local ch = state_of[handle]
  if ch.kind == channel.INBOX or ch.kind == channel.EVENTS or ch.kind == channel.UPGRADES then
    return true, false
  elseif ch.handle and not ch.closed then
    mailbox.unlisten(ch.proc, ch)
  else
    channel.close(ch, closed_while_sending)
  end
  return true, true
end

--- One case of a select without waiting: whether it was ready, then value, marker, sender.
local function try_case(ch, is_send, value)
  if not is_send then
    return try_receive(ch)
  elseif ch.closed then
    return true, nil, false
  end
  return channel.try_send(ch, value), true, true
end

--- Lets `task` wait for the first of `cases`, a flat list of `n` triples (channel, is_send, value).
function M.wait_for_first(task, cases, n)
  local nodes = {}
  for i = 1, n do
    local ch, is_send = cases[i * 3 - 2], cases[i * 3 - 1]
    local node = {
      task = task,
      select = nodes,
      index = i,
      ch = ch,
      field = is_send and "senders" or "receivers",
      value = cases[i * 3],
    }
    nodes[i] = node
    channel.add_waiter(ch, node.field, node)
  end
  return nodes
end

--- Answers index, value, marker, sender of the first ready case in list order; index 0 is the default.
handlers[op.SELECT] = function(task, cases, n, has_default)
  for i = 1, n do
    local ch = state_of[cases[i * 3 - 2]]
    cases[i * 3 - 2] = ch
    local ready, value, marker, from = try_case(ch, cases[i * 3 - 1], cases[i * 3])
    if ready then
      return true, i, value, marker, from
    end
  end
  if has_default then
    return true, 0
  end
  M.wait_for_first(task, cases, n)
end

handlers[op.COROUTINE_DONE] = function(task)
  task.proc.tasks[task.co] = nil
end

-- Life

handlers[op.SPAWN] = function(task, entry, host, mode, list)
  spawn.spawn(task, entry, host, mode, list)
end

handlers[op.LOADED] = function(task)
  local proc = task.proc
  if proc.loading then
    return spawn.loaded(proc)
  end
  return true, upgrade.loaded(proc)
end

handlers[op.UPGRADE] = function(task, entry, list)
  local failure = upgrade.begin(task.proc, entry, list)
  if failure then
    return true, failure
  end
end

handlers[op.UPGRADES] = function(task)
  return true, upgrade.channel(task.proc).handle
end

handlers[op.FINISHED] = function(task, result, failure)
  if type(failure) == "string" then
    failure = new_fault(kinds.UNKNOWN, failure)
  elseif fault.is(failure) then
    failure = fault.sanitized(failure)
  else
    failure = nil
  end
  if failure then
    return signals.finish(task.proc, nil, failure)
  end
  local ok, copied = copy(result, "result")
  if ok then
    signals.finish(task.proc, copied)
  else
    signals.finish(task.proc, nil, new_fault(kinds.INVALID, copied))
  end
end

handlers[op.REQUIRE] = modules.require
handlers[op.REQUIRED] = modules.required

handlers[op.STARTED] = function(task, value)
  local ok, copied = copy(value, "value")
  if not ok then
    return true, nil, new_fault(kinds.INVALID, copied)
  end
  local proc = task.proc
  if proc.seat then
    proc.seat:started(copied)
  end
  if outbox.watched then
    outbox.row(3, outbox.STARTED, proc.pid, copied)
  end
  return true, true
end

--- Ends a supervised process whose start is waited for, without a failure.
handlers[op.IGNORE] = function(task)
  local proc = task.proc
  local seat = proc.seat
  if not seat or not (seat.ready or proc.loading) then
    return true
  end
  signals.ignore(proc)
end

--- The handler of a request to end another process: `act` here, or `act_afar` where it is.
local function ends(act, act_afar)
  local function handle(task, dest, reason)
    local target, failure = find(dest)
    if not target then
      return true, nil, failure
    elseif target.name then
      return afar.resolve(task, handle, nil, dest, reason)
    elseif target.state then
      return act_afar(task, target, task.proc.pid, reason)
    end
    return act(target, task.proc.pid, reason)
  end
  return handle
end

handlers[op.TERMINATE] = ends(function(target)
  signals.terminate(target)
  return true, true
end, afar.terminate)

handlers[op.CANCEL] = ends(function(target, from, reason)
  if not mailbox.has_room_for_event(target) then
    return true, nil, mailbox.full(target)
  end
  signals.cancel(target, from, reason)
  return true, true
end, afar.cancel)

handlers[op.TRAP_LINKS] = function(task, on)
  task.proc.trap_links = on
  return true, true
end

-- Watching

local function unregistered(dest)
  return nil, registry.not_registered(dest)
end

local function between(act, act_afar)
  local function handle(task, dest)
    local target, failure = registry.find_registered(dest)
    if not target then
      return true, nil, failure
    elseif target.name then
      return afar.resolve(task, handle, unregistered, dest)
    elseif target.state then
      return act_afar(task, target)
    end
    local ok, refusal = act(task.proc, target)
    return true, ok == nil and refusal == nil or ok, refusal
  end
  return handle
end

handlers[op.MONITOR] = between(signals.monitor, afar.monitor)
handlers[op.LINK] = between(signals.link, afar.link)

local function nothing_to_do()
  return true
end

local function idempotent(act)
  local function handle(task, dest)
    local target = find(dest)
    if target and target.name then
      return afar.resolve(task, handle, nothing_to_do, dest)
    elseif target then
      act(task.proc, target)
    end
    return true, true
  end
  return handle
end

handlers[op.UNMONITOR] = idempotent(signals.unmonitor)
handlers[op.UNLINK] = idempotent(signals.unlink)

-- Names

--- Names are the hub's: elsewhere a request for one goes there.
local function of_names(act, act_afar)
  return function(task, ...)
    if state.is_hub then
      return true, act(...)
    end
    act_afar(task, ...)
  end
end

handlers[op.REGISTER] = of_names(registry.register, afar.register)
handlers[op.UNREGISTER] = of_names(registry.unregister, afar.unregister)
handlers[op.LOOKUP] = of_names(registry.lookup, afar.lookup)

-- Time

--- The error for a process that has as many timers as it may; nothing for any other.
local function timers_refused(proc)
  local limit = proc.program.host.max_timers
  if timers.count_of(proc) >= limit then
    return new_fault(kinds.RATE_LIMITED, proc.pid .. " waits for its max_timers of " .. limit .. " already")
  end
end

local function wake(timer)
  push(timer.task)
end

handlers[op.SLEEP] = function(task, delay)
  local refusal = timers_refused(task.proc)
  if refusal then
    return true, nil, refusal
  end
  task.r1, task.r2, task.r3 = true, nil, nil
  timers.set({ proc = task.proc, task = task, fire = wake }, delay)
end

-- A process that closed the channel of a timer wants nothing more of it.

local function fire_once(timer)
  local ch = timer.ch
  if ch.closed then
    return
  end
  if not channel.hand_over(ch, clock.wall(), channel.TIME) then
    channel.put(ch, clock.wall())
  end
  if timer.closes then
    channel.close(ch)
  end
end

local function fire_again(timer)
  local ch = timer.ch
  if ch.closed then
    return
  end
  if not channel.hand_over(ch, clock.wall(), channel.TIME) and channel.length(ch) == 0 then
    channel.put(ch, clock.wall())
  end
  -- The next tick is a whole number of periods after the last one: late ticks are dropped.
  local period = timer.period
  timers.set(timer, period - (clock.now - timer.at) % period)
end

local function new_timer(task, delay, fire)
  local handle, ch = channel.new(task.proc, channel.TIMER)
  local timer = { proc = task.proc, ch = ch, fire = fire }
  timers.set(timer, delay)
  return handle, timer
end

handlers[op.AFTER] = function(task, delay)
  local refusal = timers_refused(task.proc)
  if refusal then
    return true, nil, refusal
  end
  local handle, timer = new_timer(task, delay, fire_once)
  timer.closes = true
  return true, handle
end

-- The timer behind the object that a process holds; as for channels, out of its reach.
local timer_of = setmetatable({}, { __mode = "k" })

local function controlled(task, object, delay, fire, period)
  local refusal = timers_refused(task.proc)
  if refusal then
    return true, nil, refusal
  end
  local handle, timer = new_timer(task, delay, fire)
  timer.period = period
  timer_of[object] = timer
  return true, handle
end

handlers[op.TIMER] = function(task, object, delay)
  return controlled(task, object, delay, fire_once)
end

handlers[op.TICKER] = function(task, object, period)
  return controlled(task, object, period, fire_again, period)
end

handlers[op.TIMER_STOP] = function(_, object)
  return true, timers.stop(timer_of[object])
end

--- Sets the timer anew; what it fired before and nobody received is gone.
handlers[op.TIMER_RESET] = function(task, object, delay)
  local timer = timer_of[object]
  local refusal = not timer.place and timers_refused(task.proc)
  if refusal then
    return true, nil, refusal
  end
  local was_pending = timers.stop(timer)
  while channel.length(timer.ch) > 0 do
    try_receive(timer.ch)
  end
  timers.set(timer, delay)
  return true, was_pending
end

handlers[op.LOCATION] = function(task, name)
  local location = zones.get(name)
  if location then
    return true, location
  end
  zones.need(name, function(found, failure)
    task.r1, task.r2, task.r3 = found, failure, nil
    push(task)
  end)
end

-- Output

handlers[op.PRINT] = function(task, text)
  outbox.row(3, outbox.PRINT, task.proc.pid, text)
  return true
end

return M
