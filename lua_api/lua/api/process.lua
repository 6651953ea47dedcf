--- The `process` module: thin requests to the kernel.

local argument = require("api.argument")
local cpu = require("kernel.cpu")
local channel = require("kernel.channel")
local fault = require("kernel.fault")
local op = require("kernel.op")
local signals = require("kernel.signals")

local bad, text, optional_text, results = argument.bad, argument.text, argument.optional_text, argument.results
local kinds, new_fault = fault.kinds, fault.new
local state_of = channel.state_of
local select, type = select, type
local yield = coroutine.yield

local SEND, SPAWN = op.SEND, op.SPAWN

local M = {}

function M.pid()
  return cpu.task.proc.pid
end

function M.id()
  return cpu.task.proc.program.entry
end

--- Only what is no text at all raises, and a send that went well has shown that it is.
local function check_refused(dest, topic)
  if type(dest) ~= "string" then
    bad(1, "send", "string", dest, 1)
  elseif type(topic) ~= "string" then
    bad(2, "send", "string", topic, 1)
  end
end

--- process.send(dest, topic, ...): no value is nil, one is itself, several are an array.
function M.send(dest, topic, ...)
  if select("#", ...) < 2 then
    local sent, failure = yield(SEND, dest, topic, ...)
    if sent then
      return true
    end
    check_refused(dest, topic)
    return nil, failure
  end
  local sent, failure = yield(SEND, dest, topic, { ... })
  if sent then
    return true
  end
  check_refused(dest, topic)
  return nil, failure
end

function M.listen(topic, options)
  text(1, "listen", topic)
  local with_messages = nil
  if options ~= nil then
    if type(options) ~= "table" then
      bad(2, "listen", "table", options)
    end
    with_messages = options.message
    if with_messages ~= nil and type(with_messages) ~= "boolean" then
      bad(2, "listen", "option 'message' as boolean", with_messages)
    end
  end
  return results(yield(op.LISTEN, topic, with_messages == true))
end

function M.inbox()
  return (yield(op.INBOX))
end

function M.events()
  return (yield(op.EVENTS))
end

function M.unlisten(ch)
  if not state_of[ch] then
    bad(1, "unlisten", "channel", ch)
  end
  return results(yield(op.UNLISTEN, ch))
end

--- The four spawns and exec differ in what is attached to the child before its first step.
local function spawner(name, mode)
  return function(entry, host, ...)
    if type(entry) ~= "string" or type(host) ~= "string" then
      if entry == nil or host == nil then
        local missing = entry == nil and "entry" or "host"
        return nil, new_fault(kinds.INVALID, name .. ": the " .. missing .. " is missing")
      end
      text(1, name, entry)
      text(2, name, host)
    end
    local n = select("#", ...)
    return results(yield(SPAWN, entry, host, mode, n > 0 and { n = n, ... }))
  end
end

M.spawn = spawner("spawn", {})
M.spawn_monitored = spawner("spawn_monitored", { monitor = true })
M.spawn_linked = spawner("spawn_linked", { link = true })
M.spawn_linked_monitored = spawner("spawn_linked_monitored", { link = true, monitor = true })
M.exec = spawner("exec", { await = true })

function M.cancel(dest, reason)
  text(1, "cancel", dest)
  optional_text(2, "cancel", reason)
  return results(yield(op.CANCEL, dest, reason or ""))
end

--- Functions of one destination.
local function towards(name, number)
  return function(dest)
    text(1, name, dest)
    return results(yield(number, dest))
  end
end

M.terminate = towards("terminate", op.TERMINATE)
M.monitor = towards("monitor", op.MONITOR)
M.unmonitor = towards("unmonitor", op.UNMONITOR)
M.link = towards("link", op.LINK)
M.unlink = towards("unlink", op.UNLINK)

function M.get_options()
  return { trap_links = cpu.task.proc.trap_links == true }
end

--- process.set_options{trap_links = boolean}; a wrong table changes nothing.
function M.set_options(options)
  if type(options) ~= "table" then
    bad(1, "set_options", "table", options)
  end
  for key, value in next, options do
    if key ~= "trap_links" then
      return false, new_fault(kinds.INVALID, "unknown option '" .. tostring(key) .. "' (trap_links is known)")
    elseif type(value) ~= "boolean" then
      return false, new_fault(kinds.INVALID, "option 'trap_links' must be a boolean, got " .. type(value))
    end
  end
  local trap_links = rawget(options, "trap_links")
  if trap_links ~= nil then
    yield(op.TRAP_LINKS, trap_links)
  end
  return true
end

function M.started(value)
  return results(yield(op.STARTED, value))
end

--- process.ignore(): ends the process before it has started; for its supervisor that is no failure.
function M.ignore()
  yield(op.IGNORE)
  error("process.ignore: no supervisor waits for this process to start", 2)
end

--- process.upgrade([entry], ...): goes on as another program, or the newest version of this one.
function M.upgrade(entry, ...)
  optional_text(1, "upgrade", entry)
  error(yield(op.UPGRADE, entry, { n = select("#", ...), ... }), 2)
end

--- process.upgrades(): the channel that tells of newer code; who has called it is asked to upgrade.
function M.upgrades()
  return (yield(op.UPGRADES))
end

M.event = argument.read_only("process.event", {
  EXIT = signals.EXIT,
  LINK_DOWN = signals.LINK_DOWN,
  CANCEL = signals.CANCEL,
})

local registry = { LOCAL = "local", EVENTUAL = "eventual", CONSISTENT = "consistent", STRONG = "strong" }

local function scope_refused(scope)
  return nil, new_fault(kinds.INVALID, "scope '" .. scope .. "' needs a cluster: without one only LOCAL can be used")
end

function registry.register(name, pid, scope)
  text(1, "register", name)
  optional_text(2, "register", pid)
  optional_text(3, "register", scope)
  if scope ~= nil and scope ~= registry.LOCAL then
    return scope_refused(scope)
  end
  return results(yield(op.REGISTER, name, pid or cpu.task.proc.pid))
end

function registry.lookup(name)
  text(1, "lookup", name)
  return results(yield(op.LOOKUP, name))
end

function registry.unregister(name, scope)
  text(1, "unregister", name)
  optional_text(2, "unregister", scope)
  if scope ~= nil and scope ~= registry.LOCAL then
    return scope_refused(scope)
  end
  return results(yield(op.UNREGISTER, name))
end

M.registry = argument.read_only("process.registry", registry)

return M
