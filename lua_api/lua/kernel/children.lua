--- Supervised processes: what a supervisor, whose code is Python, starts and stops in here.
-- Each has a seat, known outside by a ticket. What becomes of it leaves as rows: CHILD_UP when it has
-- started, CHILD_DOWN when it ended or did not start. Who learns of it at once gets no row: most starts
-- and stops are over when the request for them returns, so that a supervisor need not wait for a step.

local children_afar = require("kernel.children_afar")
local fault = require("kernel.fault")
local outbox = require("kernel.outbox")
local peers = require("kernel.peers")
local post = require("kernel.post")
local queue = require("kernel.queue")
local registry = require("kernel.registry")
local scheduler = require("kernel.scheduler")
local signals = require("kernel.signals")
local spawn = require("kernel.spawn")
local state = require("kernel.state")
local wire = require("kernel.wire")

local kinds, new_fault = fault.kinds, fault.new
local setmetatable = setmetatable

local M = {}

local seats = {}

local Seat = {}
Seat.__index = Seat

-- What the supervisor is told, which is known to the hub.

local function tell_up(ticket, pid, value)
  if state.is_hub then
    outbox.row(4, outbox.CHILD_UP, ticket, pid, value)
  else
    post.row(0, 4, post.CHILD_UP, ticket, pid, value)
  end
end

local function tell_down(ticket, failure, ending)
  if state.is_hub then
    outbox.child_down(ticket, failure, ending)
  else
    post.row(0, 4, post.CHILD_DOWN, ticket, failure, ending)
  end
end

--- Spawning has answered: the chunk has run, or nothing has started.
function Seat.on_answer(seat)
  local ticket = seat.ticket
  if seats[ticket] ~= seat then
    return
  elseif seat.r1 then
    tell_up(ticket, seat.r1, nil)
  else
    seats[ticket] = nil
    tell_down(ticket, seat.r2, seat.child and seat.child.ending or nil)
  end
end

--- The process said that it has started; `ready` means that this is waited for.
function Seat.started(seat, value)
  if seat.ready then
    seat.ready = false
    tell_up(seat.ticket, seat.child.pid, value)
  end
end

--- The process has ended. While it loads, its spawning answers.
function Seat.ended(seat, proc, failure)
  local ticket = seat.ticket
  if seats[ticket] ~= seat or proc.loading then
    return
  end
  seats[ticket] = nil
  if seat.answers then
    seat.r1, seat.r2 = failure, proc.ending
  else
    tell_down(ticket, failure, proc.ending)
  end
end

--- Starts a process for the port `owner`.
-- @param name a name to register it under before its first instruction, or nil
-- @param ready whether it has started only when it calls `process.started`
-- @treturn[1] string the pid: it has started
-- @treturn[2] nil
-- @treturn[2] string the error, encoded: it has not started
-- @treturn[3] nil when a row will tell
function M.start(owner, ticket, entry, host, arguments, name, ready)
  local found = registry.host(host)
  if found and found.states then
    return children_afar.start(owner, ticket, entry, found, arguments, name, ready)
  end
  local list = false
  if arguments then
    local n
    list, n = wire.decode_list(arguments)
    list.n = n
  end
  local seat = setmetatable({
    ticket = ticket,
    proc = registry.by_pid[owner] or not state.is_hub and peers.of(owner),
    task = false,
    next = false,
    child = false,
    name = name,
    ready = ready,
    seat = true,
    answers = false, -- whether its end is the answer to a request under way
    here = true,
  }, Seat)
  seat.task = seat
  if not seat.proc then
    return nil, wire.encode(new_fault(kinds.CANCELED, "supervisor has ended"))
  end
  seats[ticket] = seat
  spawn.spawn(seat, entry, host, seat, list)
  -- The chunk runs here and now.
  if seat.child and queue.next == seat.child then
    scheduler.run_first()
  end
  if queue.next ~= seat then
    return nil
  end
  queue.pop()
  if seat.r1 then
    return seat.r1
  end
  if not seat.r2 then
    -- The chunk ended the process without a failure.
    seat:on_answer()
    return nil
  end
  seats[ticket] = nil
  return nil, wire.encode(seat.r2)
end

--- Lets go of a seat without a row: whoever asked knows.
local function vacate(seat)
  seats[seat.ticket] = nil
  seat.abandoned = true
end

--- Lets a process that was asked to end, and that nobody is before, take its turn here and now.
local function run_at_once(proc)
  local first = queue.next
  if first ~= queue.LAST and first.proc == proc and first.co then
    scheduler.run_first()
  end
end

--- Asks a process to end, or ends it if it cannot hear the request.
-- @treturn[1] number how it has ended: one of the four ways of signals.lua
-- @treturn[1] string the error, encoded; nil after a normal end and for SHUT_DOWN
-- @treturn[2] nil when a row tells, or is on its way
function M.stop(ticket, reason)
  local seat = seats[ticket]
  if not seat then
    return children_afar.stop(ticket, reason)
  end
  local proc = seat.child
  if not proc or proc.loading or not signals.shut_down(proc, seat.proc.pid, reason) then
    vacate(seat)
    if proc then
      signals.end_shut_down(proc)
    end
    return signals.SHUT_DOWN
  end
  seat.answers = true
  run_at_once(proc)
  if seats[ticket] then
    seat.answers = false
    return nil
  end
  local how, failure = seat.r2 or signals.BY_ITSELF, seat.r1
  return how, how ~= signals.SHUT_DOWN and failure and wire.encode(failure) or nil
end

--- Ends a process by force.
-- @treturn boolean true if it has ended, false if it had ended before: a row tells
function M.kill(ticket)
  local seat = seats[ticket]
  if not seat then
    return children_afar.kill(ticket)
  end
  vacate(seat)
  if seat.child then
    signals.terminate(seat.child)
  end
  return true
end

-- What the hub asks of the state in which a child lives.

--- As `start`; what the call says goes back as a row.
function M.start_for_hub(ticket, owner, host, entry, arguments, name, ready)
  local pid, refusal = M.start(owner, ticket, entry, host, arguments, name, ready)
  if pid then
    tell_up(ticket, pid, nil)
  elseif refusal then
    tell_down(ticket, wire.decode(refusal), nil)
  end
end

function M.stop_for_hub(ticket, reason)
  local how, failure = M.stop(ticket, reason)
  if how then
    tell_down(ticket, failure and wire.decode(failure), how)
  end
end

function M.kill_for_hub(ticket)
  if M.kill(ticket) then
    tell_down(ticket, nil, signals.TERMINATED)
  end
end

return M
