--- The kernel as Python sees it: functions that take and give numbers, texts and bytes.

local calls = require("kernel.calls")
local children = require("kernel.children")
local clock = require("kernel.clock")
local memory = require("kernel.memory")
local outbox = require("kernel.outbox")
local ports = require("kernel.ports")
local registry = require("kernel.registry")
local relation = require("kernel.relation")
local scheduler = require("kernel.scheduler")
local sources = require("kernel.sources")
local timers = require("kernel.timers")
local wire = require("kernel.wire")
local zones = require("kernel.zones")

require("api.sandbox")

local M = {}

--- Sets the node's clock: what it shows now, and the unix time at which it showed 0 (nanoseconds).
function M.set_clock(now, epoch)
  clock.now, clock.epoch = now, epoch
end

function M.add_host(name, max_processes, max_mailbox)
  registry.add_host(name, { max_processes = max_processes, max_mailbox = max_mailbox })
end

--- Lets time be `now` (nanoseconds) and runs nothing.
function M.set_time(now)
  clock.now = now
end

--- Runs what can run; see scheduler.lua.
-- @treturn boolean whether there is more to run
-- @treturn number when the next timer goes off, or nil
-- @treturn string the rows for the outside, or nil
function M.step(now, budget)
  local more, next_at = scheduler.step(now, budget)
  memory.check()
  return more, next_at, outbox.take()
end

function M.open_port(entry, owner)
  return ports.open(entry, owner).pid
end

function M.open_supervisor(entry, owner)
  return ports.open_supervisor(entry, owner).pid
end

M.answer_call = calls.answer
M.start_child = children.start
M.stop_child = children.stop
M.kill_child = children.kill

M.open_system_port = ports.open_system
M.close_port = ports.close
M.request = ports.request
M.abandon = ports.abandon
M.provide_source = sources.provide
M.refuse_source = sources.refuse

function M.provide_zone(name, transitions)
  zones.provide(name, transitions and wire.decode(transitions))
end

--- Whether somebody wants the rows of spawns, exits and names.
function M.watch(on)
  outbox.watched = on
end

local function state_of(proc)
  if proc.port then
    return "python"
  elseif proc.loading then
    return "loading"
  end
  return proc.next and "ready" or "waiting"
end

--- Every live process: pid, entry, host, state, unread messages, uptime in nanoseconds, names.
function M.processes()
  local list = registry.list()
  local rows = {}
  for i = 1, #list do
    local proc = list[i]
    local program = proc.program
    rows[i] = {
      proc.pid,
      program.entry,
      program.host.name,
      state_of(proc),
      proc.mail,
      clock.now - proc.started,
      relation.list(proc, "names"),
    }
  end
  return wire.encode(rows)
end

--- Processes, names, pending timers, and the memory of the Lua state in bytes.
function M.statistics()
  return registry.count, registry.name_count(), timers.count, collectgarbage("count") * 1024
end

function M.collect_garbage()
  collectgarbage("collect")
end

return M
