--- Notes what happens inside the kernel: rows of facts, in order, with the time of each. Everything here
-- goes round a function of the kernel and changes nothing of what it does. It must be loaded before the
-- modules that use those functions.

local clock = require("kernel.clock")
local mailbox = require("kernel.mailbox")
local outbox = require("kernel.outbox")
local registry = require("kernel.registry")
local relation = require("kernel.relation")
local signals = require("kernel.signals")
local wire = require("kernel.wire")

local by_pid = registry.by_pid

local M = {
  -- kinds of facts
  OPENED = 0, -- pid, label, whether it is a supervisor
  SPAWNED = 1, -- pid, entry, host, parent, child, incarnation
  READY = 2, -- pid, value
  EXITED = 3, -- pid, label, error, kind, forced, uptime, result
  REGISTERED = 4, -- name, pid
  RELEASED = 5, -- name, pid
  PRINTED = 6, -- pid, text
  SENT = 7, -- pid, sender, topic, payload, error
  RECEIVED = 8, -- pid, sender, topic, payload
  SIGNALLED = 9, -- pid, kind, about, error
  LINKED = 10, -- pid, other
  UNLINKED = 11,
  MONITORED = 12,
  UNMONITORED = 13,
  INJECTED = 14, -- the number of the fault, pid, what it did
}

local rows, count = {}, 0

local function note(n, ...)
  count = count + 1
  rows[count] = assert(wire.encode_list(n + 1, { (...), clock.now, select(2, ...) }))
end
M.note = note

--- All facts since the last time, as one MessagePack array of arrays; nil if there are none.
function M.take()
  if count == 0 then
    return nil
  end
  local body = string.pack(">BI4", 0xdd, count) .. table.concat(rows, "", 1, count)
  rows, count = {}, 0
  return body
end

local function text_of(failure)
  if failure == nil then
    return nil, ""
  end
  return tostring(failure), failure._kind or ""
end

-- What leaves the kernel as rows anyway is noted here, and leaves only if somebody asked for it.

local watched = false

function M.watch(on)
  watched = on
end

local kinds = {
  [outbox.SPAWNED] = function(pid, entry, host, parent)
    local proc = by_pid[pid]
    local child = proc and proc.child
    note(7, M.SPAWNED, pid, entry, host, parent, child and child.path, child and child.incarnation or 0)
  end,
  [outbox.EXITED] = function(pid, entry, result, failure, _, uptime)
    local forced = M.forced
    local error_text, kind = text_of(failure)
    note(8, M.EXITED, pid, entry, error_text, kind, forced, uptime, result)
  end,
  [outbox.REGISTERED] = function(name, pid)
    note(3, M.REGISTERED, name, pid)
  end,
  [outbox.UNREGISTERED] = function(name, pid)
    note(3, M.RELEASED, name, pid)
  end,
  [outbox.STARTED] = function(pid, value)
    note(3, M.READY, pid, value)
  end,
}

local put_row = outbox.row
outbox.watched = true

function outbox.row(n, kind, ...)
  local noted = kinds[kind]
  if noted then
    noted(...)
    if not watched then
      return
    end
  elseif kind == outbox.PRINT then
    note(3, M.PRINTED, ...)
  end
  put_row(n, kind, ...)
end

-- Ends

local FORCED = { [signals.SHUT_DOWN] = "shutdown", [signals.TERMINATED] = "terminated" }
local drop_all = require("kernel.timers").drop_all

-- The last thing an end does before it is reported.
require("kernel.timers").drop_all = function(proc)
  M.forced = FORCED[proc.ending] or ""
  return drop_all(proc)
end

local add = registry.add

function registry.add(proc)
  local port = proc.port
  if port then
    note(4, M.OPENED, proc.pid, proc.program.entry, port.supervises == true)
    local on_end = port.on_end
    function port.on_end(ended, failure)
      local error_text, kind = text_of(failure)
      local uptime = clock.now - ended.started
      note(7, M.EXITED, ended.pid, ended.program.entry, error_text, kind, FORCED[ended.ending] or "", uptime)
      on_end(ended, failure)
    end
  end
  return add(proc)
end

-- Messages

local deliver = mailbox.deliver

--- How many facts have been noted and not taken.
function M.count()
  return count
end

--- What a port gets is bytes already.
local function noted_payload(proc, payload)
  if proc.port then
    return wire.decode(payload)
  end
  return payload
end

local function sent(proc, topic, payload, from, failure)
  note(6, M.SENT, proc.pid, from, topic, noted_payload(proc, payload), (text_of(failure)))
end

--- A message was refused before it reached a mailbox.
function M.refused(dest, from, topic, failure)
  note(6, M.SENT, dest, from, topic, nil, (text_of(failure)))
end

function mailbox.deliver(proc, topic, payload, from)
  -- First: whoever waits for it may be said to have received it.
  local at = count + 1
  sent(proc, topic, payload, from)
  local ok, failure = deliver(proc, topic, payload, from)
  if not ok and failure then
    rows[at] = nil
    count = at - 1
    sent(proc, topic, payload, from, failure)
  end
  return ok, failure
end

--- A message reached a process: `marker` is its topic, or true where the listener knows it.
function M.received(proc, ch, value, marker, from)
  if type(marker) == "string" then
    note(5, M.RECEIVED, proc.pid, from, marker, value)
  elseif marker == true and ch and ch.handle and type(ch.key) == "string" then
    note(5, M.RECEIVED, proc.pid, from, ch.key, value)
  end
end

local deliver_event = mailbox.deliver_event

function mailbox.deliver_event(proc, event)
  local fields = type(event) == "string" and wire.decode(event) or event
  local why = fields.error
  if why ~= nil then
    why = tostring(why)
  end
  note(5, M.SIGNALLED, proc.pid, fields.kind, fields.from, why or fields.reason)
  return deliver_event(proc, event)
end

-- Links and monitors

local link, unlink, monitor, unmonitor = signals.link, signals.unlink, signals.monitor, signals.unmonitor

function signals.link(one, other)
  if one ~= other and not relation.has(one, "links", other) then
    note(3, M.LINKED, one.pid, other.pid)
  end
  return link(one, other)
end

function signals.unlink(one, other)
  if relation.has(one, "links", other) then
    note(3, M.UNLINKED, one.pid, other.pid)
  end
  return unlink(one, other)
end

function signals.monitor(watcher, target)
  if not relation.has(target, "monitors", watcher) then
    note(3, M.MONITORED, watcher.pid, target.pid)
  end
  return monitor(watcher, target)
end

function signals.unmonitor(watcher, target)
  if relation.has(target, "monitors", watcher) then
    note(3, M.UNMONITORED, watcher.pid, target.pid)
  end
  return unmonitor(watcher, target)
end

return M
