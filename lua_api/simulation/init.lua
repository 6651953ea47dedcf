--- A kernel for simulations: the kernel as it is, with a seed for what it leaves open, notes of what
-- happens, and faults.

local ordered = require("simulation.ordered")

-- What only the order of tables or the place in memory decides must not be seen.
local function load_ordered(names)
  local raw = { next = next, pairs = pairs, tostring = tostring }
  next, pairs, tostring = ordered.next, ordered.pairs, ordered.tostring
  for _, name in ipairs(names) do
    require(name)
  end
  next, pairs, tostring = raw.next, raw.pairs, raw.tostring
end

load_ordered({ "kernel.wire_writer", "kernel.fault" })
require("kernel.zones").provide("Local", { { 0, 0, "UTC" } })

local shuffle = require("simulation.shuffle")
local facts = require("simulation.facts")
local faults = require("simulation.faults")

-- The API raises what a fault answers; coroutines of a process pass answers through, and so come first.
require("api.coroutine")
local yield = coroutine.yield
local RAISE = faults.RAISE

local function raised(first, ...)
  if first == RAISE then
    error((...), 0)
  end
  return first, ...
end

coroutine.yield = function(...)
  return raised(yield(...))
end
local G = require("api.sandbox")
coroutine.yield = yield

G.next, G.pairs, G.tostring = ordered.next, ordered.pairs, ordered.tostring
local put_line = G.print

function G.print(...)
  local parts, n = { ... }, select("#", ...)
  for i = 1, n do
    parts[i] = ordered.tostring(parts[i])
  end
  return put_line(table.unpack(parts, 1, n))
end

local kernel = require("kernel")
local channel = require("kernel.channel")
local op = require("kernel.op")
local random = require("api.random")
local requests = require("kernel.requests")
local rng = require("simulation.rng")
local scheduler = require("kernel.scheduler")

local handlers = requests.handlers
local state_of = channel.state_of

-- Receives: what is there at once, and what a task waited for.

local receive, select_first = handlers[op.RECEIVE], handlers[op.SELECT]

handlers[op.RECEIVE] = function(task, handle)
  local more, value, marker, from = receive(task, handle)
  if more then
    facts.received(task.proc, state_of[handle], value, marker, from)
  else
    task.receives = state_of[handle]
  end
  return more, value, marker, from
end

handlers[op.SELECT] = function(task, cases, n, has_default)
  local more, index, value, marker, from = select_first(task, cases, n, has_default)
  if not more then
    task.receives = cases
  elseif index > 0 and not cases[index * 3 - 1] then
    facts.received(task.proc, cases[index * 3 - 2], value, marker, from)
  end
  return more, index, value, marker, from
end

local function before_turn(task)
  local waited = task.receives
  if waited and task.co then
    task.receives = nil
    if waited.kind then
      facts.received(task.proc, waited, task.r1, task.r2, task.r3)
    elseif not waited[task.r1 * 3 - 1] then
      facts.received(task.proc, waited[task.r1 * 3 - 2], task.r2, task.r3, task.r4)
    end
  end
end

-- A message that was refused before it reached a mailbox.
local send = handlers[op.SEND]

handlers[op.SEND] = function(task, dest, topic, payload)
  local before = facts.count()
  local more, sent, failure = send(task, dest, topic, payload)
  if not sent and failure and facts.count() == before then
    facts.refused(tostring(dest), task.proc.pid, tostring(topic), failure)
  end
  return more, sent, failure
end

-- How many instructions a walk in sorted order takes depends on the order it had: so nobody is preempted
-- who does not compute for much longer than a process should.
kernel.SLICE = 10000000

kernel.watch = facts.watch
kernel.facts = facts.take
kernel.expect = faults.expect
kernel.plan = faults.plan
kernel.lose_host = faults.lose_host

--- The calls that can be made to raise.
function kernel.calls()
  local names = {}
  for name in pairs(faults.calls) do
    names[#names + 1] = name
  end
  table.sort(names)
  return table.concat(names, " ")
end

--- Seeds what is left open and lets the faults wait; nothing has run yet.
function kernel.begin(seed)
  ordered.reset()
  random.salt = seed
  shuffle.install(scheduler, rng.new(seed), before_turn)
  faults.install(handlers)
end

function kernel.turns()
  return shuffle.turns
end

return kernel
