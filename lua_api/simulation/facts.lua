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
local type, unpack = type, table.unpack

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

-- Fields of rows, one row after the other, each as long as the longest. What has no value is false.
local WIDTH = 9
local noted, last = {}, 0

-- So many go out at once: Lua hands over no more than fit on its stack.
local MOST = 1000 * WIDTH

local function note(kind, a, b, c, d, e, f, g)
  local at = last
  noted[at + 1], noted[at + 2] = kind, clock.now
  noted[at + 3], noted[at + 4], noted[at + 5] = a or false, b or false, c or false
  noted[at + 6], noted[at + 7], noted[at + 8], noted[at + 9] = d or false, e or false, f or false, g or false
  last = at + WIDTH
end
M.note = note

local encode = wire.encode

--- A value of a process as a field: a number as it is, anything else as bytes in wire form.
local function field_of(value)
  if value == nil or type(value) == "number" then
    return value
  end
  return assert(encode(value))
end

local taken = 0

--- The fields of all facts since the last time, or of the first of them: then there are more to take.
function M.take()
  local first, stop = taken + 1, last
  if stop == 0 then
    return
  elseif stop - taken > MOST then
    stop = taken + MOST
    taken = stop
    return unpack(noted, first, stop)
  end
  local body = noted
  taken, last = 0, 0
  if stop > MOST then
    noted = {}
  end
  return unpack(body, first, stop)
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
    note(M.SPAWNED, pid, entry, host, parent, child and child.path, child and child.incarnation or 0)
  end,
  [outbox.EXITED] = function(pid, entry, result, failure, _, uptime)
    local forced = M.forced
    local error_text, kind = text_of(failure)
    note(M.EXITED, pid, entry, error_text, kind, forced, uptime, field_of(result))
  end,
  [outbox.REGISTERED] = function(name, pid)
    note(M.REGISTERED, name, pid)
  end,
  [outbox.UNREGISTERED] = function(name, pid)
    note(M.RELEASED, name, pid)
  end,
  [outbox.STARTED] = function(pid, value)
    note(M.READY, pid, field_of(value))
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
    note(M.PRINTED, ...)
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
    note(M.OPENED, proc.pid, proc.program.entry, port.supervises == true)
    local on_end = port.on_end
    function port.on_end(ended, failure)
      local error_text, kind = text_of(failure)
      local uptime = clock.now - ended.started
      note(M.EXITED, ended.pid, ended.program.entry, error_text, kind, FORCED[ended.ending] or "", uptime)
      on_end(ended, failure)
    end
  end
  return add(proc)
end

-- Messages

local deliver = mailbox.deliver

--- Something that is another number once a fact has been noted.
function M.count()
  return last
end

local function sent(proc, topic, payload, from, failure)
  -- What a port gets is bytes already.
  note(M.SENT, proc.pid, from, topic, proc.port and payload or field_of(payload), (text_of(failure)))
end

--- A message was refused before it reached a mailbox.
function M.refused(dest, from, topic, failure)
  note(M.SENT, dest, from, topic, nil, (text_of(failure)))
end

function mailbox.deliver(proc, topic, payload, from)
  -- First: whoever waits for it may be said to have received it.
  local before = last
  sent(proc, topic, payload, from)
  local ok, failure = deliver(proc, topic, payload, from)
  if not ok and failure then
    last = before
    sent(proc, topic, payload, from, failure)
  end
  return ok, failure
end

--- A message reached a process: `marker` is its topic, or true where the listener knows it.
function M.received(proc, ch, value, marker, from)
  if type(marker) == "string" then
    note(M.RECEIVED, proc.pid, from, marker, field_of(value))
  elseif marker == true and ch and ch.handle and type(ch.key) == "string" then
    note(M.RECEIVED, proc.pid, from, ch.key, field_of(value))
  end
end

local deliver_event = mailbox.deliver_event

function mailbox.deliver_event(proc, event)
  local fields = type(event) == "string" and wire.decode(event) or event
  local why = fields.error
  if why ~= nil then
    why = tostring(why)
  end
  note(M.SIGNALLED, proc.pid, fields.kind, fields.from, why or fields.reason)
  return deliver_event(proc, event)
end

-- Links and monitors

local link, unlink, monitor, unmonitor = signals.link, signals.unlink, signals.monitor, signals.unmonitor

function signals.link(one, other)
  if one ~= other and not relation.has(one, "links", other) then
    note(M.LINKED, one.pid, other.pid)
  end
  return link(one, other)
end

function signals.unlink(one, other)
  if relation.has(one, "links", other) then
    note(M.UNLINKED, one.pid, other.pid)
  end
  return unlink(one, other)
end

function signals.monitor(watcher, target)
  if not relation.has(target, "monitors", watcher) then
    note(M.MONITORED, watcher.pid, target.pid)
  end
  return monitor(watcher, target)
end

function signals.unmonitor(watcher, target)
  if relation.has(target, "monitors", watcher) then
    note(M.UNMONITORED, watcher.pid, target.pid)
  end
  return unmonitor(watcher, target)
end

return M
