--- The kernel as Python sees it: functions that take and give numbers, texts and bytes.

local calls = require("kernel.calls")
local children = require("kernel.children")
local clock = require("kernel.clock")
local garbage = require("kernel.garbage")
local memo = require("kernel.memo")
local memory = require("kernel.memory")
local outbox = require("kernel.outbox")
local peers = require("kernel.peers")
local placement = require("kernel.placement")
local ports = require("kernel.ports")
local post = require("kernel.post")
local registry = require("kernel.registry")
local relation = require("kernel.relation")
local scheduler = require("kernel.scheduler")
local signals = require("kernel.signals")
local sources = require("kernel.sources")
local state = require("kernel.state")
local threads = require("kernel.threads")
local timers = require("kernel.timers")
local upgrade = require("kernel.upgrade")
local visits = require("kernel.visits")
local wire = require("kernel.wire")
local zones = require("kernel.zones")

require("api.sandbox")

local M = {}

--- Sets the node's clock: what it shows now, and the unix time at which it showed 0 (nanoseconds).
function M.set_clock(now, epoch)
  clock.now, clock.epoch = now, epoch
end

--- Says which state of its node this is; before anything else.
function M.set_state(number)
  state.number, state.is_hub = number, number == 0
end

--- Declares a host whose processes live in this state, or also here.
-- @param preempt whether its processes are stopped when they compute for long
-- @param shared whether the hub chooses a state for each process
function M.add_host(name, max_processes, max_mailbox, max_timers, preempt, max_instructions, max_run_instructions, shared)
  registry.add_host(name, {
    max_processes = max_processes,
    max_mailbox = max_mailbox,
    max_timers = max_timers,
    max_instructions = max_instructions,
    max_run_instructions = max_run_instructions,
    create = preempt and threads.stopped or threads.plain,
  })
  registry.host(name).shared = shared
end

M.SLICE, M.LONGEST_TURN = threads.SLICE, threads.LONGEST_TURN
M.open_factory, M.reopen_factory = threads.open_factory, threads.reopen_factory
M.limit_turns = threads.limit_turns

-- In the hub: hosts whose processes live in states of their own.
M.add_remote_host = placement.add_host
M.open_state = placement.open

M.receive = visits.receive
M.refuse = visits.refuse
M.lose_state = visits.lose

--- Lets time be `now` (nanoseconds) and runs nothing.
function M.set_time(now)
  clock.now = now
end

--- What `step` returns.
function M.finish_step()
  local more, next_at = scheduler.outlook()
  garbage.check()
  return more, next_at, outbox.take(), post.take()
end

--- Lets time be `now` (nanoseconds) and runs what can run; see scheduler.lua.
-- @treturn boolean whether there is more to run
-- @treturn number when the next timer goes off, or nil
-- @treturn string the rows for the outside, or nil
-- @treturn ... what goes to other states: a number, the bytes for it, and so on
function M.step(now, budget)
  scheduler.begin(now)
  scheduler.run(budget)
  return M.finish_step()
end

-- A step of a state with a cap (see memory.lua) is `begin_step`, `run_capped` under the cap, and
-- `finish_step`; what waits outside is answered without the cap.

M.set_cap = memory.set_cap
M.begin_step = scheduler.begin
M.answer_first = scheduler.answer_first
M.run_capped = memory.run
M.recover = memory.recover

function M.open_port(entry, owner, max_mailbox)
  return ports.open(entry, owner, max_mailbox).pid
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
M.renew_source = sources.renew
M.refuse_source = sources.refuse
M.confirm_source = sources.confirm

function M.provide_zone(name, transitions)
  zones.provide(name, transitions and wire.decode(transitions))
end

M.take_rows = outbox.take

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
  return signals.has_work(proc) and "ready" or "waiting"
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
  return wire.encode_record(rows)
end

--- Tells processes of newer code; see upgrade.lua.
function M.ask_to_upgrade(entry)
  return wire.encode(upgrade.ask(entry))
end

--- The names of processes elsewhere, which the hub knows: a flat list of pids and lists of names.
function M.names_elsewhere()
  local rows = {}
  for pid, peer in next, peers.by_pid do
    if peer.names then
      rows[#rows + 1] = { pid, relation.list(peer, "names") }
    end
  end
  return wire.encode(rows)
end

--- Processes, names, pending timers, and the memory of the Lua state in bytes.
function M.statistics()
  return registry.count, registry.name_count(), timers.count, collectgarbage("count") * 1024
end

local flush_jit = jit and jit.flush

--- Takes back all memory that is not needed. LuaJIT compiles anew what it runs often, and lets go of half
-- of its string buffer each time.
function M.collect_garbage()
  memo.forget()
  peers.forget_recent()
  if flush_jit then
    flush_jit()
  end
  local before
  repeat
    before = collectgarbage("count")
    collectgarbage("collect")
  until not flush_jit or collectgarbage("count") > before * 0.99
end

return M
