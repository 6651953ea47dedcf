--- Ports: processes whose code is Python. They are rows of the process table like any other, with a
-- mailbox, names, links and monitors; their requests come from outside and so do not yield. A request
-- that cannot be answered at once has a ticket, and its answer leaves as a REPLY row.

local afar = require("kernel.afar")
local channel = require("kernel.channel")
local clock = require("kernel.clock")
local fault = require("kernel.fault")
local mailbox = require("kernel.mailbox")
local op = require("kernel.op")
local outbox = require("kernel.outbox")
local registry = require("kernel.registry")
local requests = require("kernel.requests")
local signals = require("kernel.signals")
local spawn = require("kernel.spawn")
local wire = require("kernel.wire")

local kinds, new_fault = fault.kinds, fault.new
local handlers = requests.handlers
local encode, decode = wire.encode, wire.decode

local M = {}

-- How many messages may wait for a Python process, unless it is told otherwise.
local MAX_MAILBOX = 1000000

local function new_host(max_mailbox)
  return registry.new_host("python", { max_processes = math.huge, max_mailbox = max_mailbox })
end

local host = new_host(MAX_MAILBOX)
-- Nobody reads what is sent to a supervisor, so it takes no message.
local supervisor_host = registry.new_host("supervisor", { max_processes = math.huge, max_mailbox = 0 })
local program = { entry = "python", host = host }
local by_ticket = {}

-- What most answers hold, encoded once.
local NIL = encode(nil)
local INDEX = { [0] = encode(0), encode(1), encode(2) }
local REPLY = "\147" .. encode(outbox.REPLY)

-- An answer is a list: value, then a failure or a marker (see channel.lua), then a sender, then the
-- index of a select. `bytes` is the value, encoded already.
local function answer(bytes, second, sender, index)
  second = second == nil and NIL or encode(second)
  return "\148" .. bytes .. second .. (sender and encode(sender) or NIL) .. (index and (INDEX[index] or encode(index)) or NIL)
end

local function reply(ticket, bytes, second, sender, index)
  outbox.raw(REPLY .. encode(ticket) .. answer(bytes, second, sender, index))
end

--- Forgets a request; the port of a one-shot call goes with it.
local function settle(task)
  local ticket, proc = task.ticket, task.proc
  by_ticket[ticket] = nil
  if task.awaited then
    signals.unawait(task, task.awaited)
  end
  if not task.one_shot then
    proc.port.tickets[ticket] = nil
  else
    proc.call = false
    if registry.by_pid[proc.pid] then
      signals.finish(proc)
    end
  end
end

-- What a waiting request has in r1 to r4 when it is ready depends on what it waits for.
local forms = {
  value = function(task)
    return task.r1 or NIL, task.r2, task.r3
  end,
  -- A reply has its topic beside it; without one it is the end of the other process.
  reply = function(task)
    return task.r1 or NIL, task.r2, task.r3, task.r2 ~= nil and 1 or 2
  end,
  first = function(task)
    return task.r2 or NIL, task.r3, task.r4, task.r1
  end,
  plain = function(task)
    return encode(task.r1), task.r2
  end,
}

local function on_answer(task)
  if by_ticket[task.ticket] == task then
    settle(task)
    reply(task.ticket, forms[task.form](task))
  end
end

--- Gives up a receive: what it was about to answer is there for the next one.
local function give_back(task)
  if not task.next then
    channel.detach(task.nodes)
  elseif task.r3 ~= false then
    channel.put_back(task.nodes[task.r1].ch, task.r2, task.r3, task.r4)
  end
end

--- Ends a process that nobody learns of; to the port it never was.
local function end_child(proc, child)
  signals.unlink(proc, child)
  signals.unmonitor(proc, child)
  signals.terminate(child)
end

--- Takes back a request that waits. A process that it was about to start does not outlive it.
local function withdraw(task)
  if task.nodes then
    give_back(task)
  elseif task.awaited then
    signals.unawait(task, task.awaited)
  else
    task.abandoned = true
    local child = task.child
    if child and (child.state or registry.by_pid[child.pid] == child) then
      end_child(task.proc, child)
    end
  end
end

--- The answer to whoever asks in the name of a process that is no more.
local function ended(pid)
  return new_fault(kinds.CANCELED, "process has ended", { details = { pid = pid } })
end

--- Answers a request of a process that has ended.
local function answer_ended(proc, task)
  by_ticket[task.ticket] = nil
  withdraw(task)
  reply(task.ticket, NIL, ended(proc.pid))
end

-- The row of the end goes first: whoever waits inside the block of the process is cancelled by it.
local function on_end(proc, failure)
  if failure ~= nil then
    outbox.row(4, outbox.ENDED, proc.pid, failure, proc.ending)
  end
  local tickets = {}
  for ticket in next, proc.port.tickets do
    tickets[#tickets + 1] = ticket
  end
  table.sort(tickets)
  for _, ticket in ipairs(tickets) do
    answer_ended(proc, by_ticket[ticket])
  end
end

local function on_end_of_call(proc, failure)
  if failure ~= nil then
    outbox.row(4, outbox.ENDED, proc.pid, failure, proc.ending)
  end
  if proc.call then
    answer_ended(proc, proc.call)
  end
end

-- Calls are many and short: their ports share this, and have only the one request `proc.call`.
local CALL_PORT = { on_end = on_end_of_call }
-- It takes the reply that is waited for, and has no room for a second one.
local call_host = registry.new_host("python", { max_processes = math.huge, max_mailbox = 0 })
local call_program = { entry = "call", host = call_host }

local function open_call()
  local proc = {
    pid = registry.new_pid(host),
    proc = false,
    mailbox = false,
    program = call_program,
    started = clock.now,
    mail = 0,
    links = false,
    monitors = false,
    port = CALL_PORT,
    call = false,
  }
  proc.proc = proc
  registry.add(proc)
  return proc
end

local function new_port(entry, host)
  host = host or program.host
  local proc = {
    pid = registry.new_pid(host),
    proc = false,
    mailbox = false,
    program = entry and { entry = entry, host = host } or program,
    started = clock.now,
    mail = 0,
    links = false,
    monitors = false,
    port = { tickets = {}, channels = false, ids = false, last = 0, on_end = on_end },
  }
  proc.proc = proc
  return proc
end

--- Opens a process whose code is Python.
-- @tparam[opt] string owner the pid of a supervisor, whose end is its end
-- @tparam[opt] number max_mailbox how many messages may wait for it
function M.open(entry, owner, max_mailbox)
  local proc = new_port(entry, max_mailbox and new_host(max_mailbox))
  registry.add(proc)
  signals.own(registry.by_pid[owner], proc)
  return proc
end

--- Opens a supervisor: a port that owns processes, and whom no link ends.
function M.open_supervisor(entry, owner)
  local proc = new_port(entry, supervisor_host)
  proc.port.supervises, proc.trap_links = true, true
  registry.add(proc)
  signals.own(registry.by_pid[owner], proc)
  return proc
end

local system = {}

--- Opens a port for the node itself. It is in no process table: nobody can list, reach or end it.
function M.open_system()
  local proc = new_port("node")
  proc.system = true
  system[proc.pid] = proc
  return proc.pid
end

--- Ends a process whose code is Python: normally, or with the message of its failure.
function M.close(pid, message)
  local proc = registry.by_pid[pid]
  if proc then
    signals.finish(proc, nil, message and new_fault(kinds.UNKNOWN, message))
  end
end

-- Channels have numbers outside.

local function number_of(proc, ch)
  local port = proc.port
  port.channels, port.ids = port.channels or {}, port.ids or {}
  local number = port.ids[ch]
  if not number then
    number = port.last + 1
    port.last, port.channels[number], port.ids[ch] = number, ch, number
  end
  return number
end

--- A listener that was ended and has nothing left needs no number any more.
local function forget_drained(port, ch)
  if ch.closed and channel.length(ch) == 0 and port.ids[ch] then
    port.channels[port.ids[ch]], port.ids[ch] = nil, nil
  end
end

local asks = {}

--- A message from outside is decoded into its receiver's own copy; for a port it stays as it is.
local function post(target, topic, payload, from)
  if target.state then
    return afar.send_at_once(target, topic, payload, from)
  end
  return mailbox.deliver(target, topic, target.port and payload or decode(payload), from)
end

function asks.send(task, payload, dest, topic, anonymous)
  local target, failure = registry.find(dest)
  if not target then
    return true, nil, failure
  end
  return true, post(target, topic, payload, not anonymous and task.proc.pid or nil)
end

--- Sends from the port of this call alone and waits for what comes back, or for the end of `dest`.
function asks.call(task, payload, dest, topic)
  local proc = task.proc
  local target, failure = registry.find(dest)
  local ok
  if target then
    ok, failure = post(target, topic, payload, proc.pid)
  end
  if not ok then
    return true, nil, failure
  end
  task.form, task.awaited = "reply", target
  signals.await(task, target)
  channel.add_waiter(mailbox.inbox(proc), "receivers", task)
end

function asks.spawn(task, arguments, entry, host, link, monitor, await)
  local list, n = wire.decode_list(arguments)
  list.n = n
  task.form = await and "value" or "plain"
  local mode = { link = link, monitor = monitor, await = await }
  spawn.spawn(task, entry, host, mode, n > 0 and list)
end

function asks.await(task, _, dest)
  local target, failure = registry.find_registered(dest)
  if not target then
    return true, nil, failure
  end
  task.form, task.awaited = "value", target
  signals.await(task, target)
end

function asks.inbox(task)
  return true, number_of(task.proc, mailbox.inbox(task.proc))
end

function asks.events(task)
  return true, number_of(task.proc, mailbox.events(task.proc))
end

function asks.listen(task, _, topic)
  if mailbox.is_reserved(topic) then
    return true, nil, mailbox.reserved(topic)
  end
  return true, number_of(task.proc, mailbox.listen(task.proc, topic, true))
end

function asks.unlisten(task, _, number)
  local port = task.proc.port
  local ch = port.channels and port.channels[number]
  local ok, failure = mailbox.unlisten(task.proc, ch)
  if ok then
    forget_drained(port, ch)
  end
  return true, ok, failure
end

--- Waits for the first item of the channels with these numbers; `default` asks without waiting.
function asks.receive(task, numbers, default)
  local port, cases = task.proc.port, {}
  local list = decode(numbers)
  for i = 1, #list do
    local ch = port.channels and port.channels[list[i]]
    if not ch then
      return "encoded", answer(NIL, false, nil, i)
    end
    cases[i * 3 - 2], cases[i * 3 - 1], cases[i * 3] = ch, false, false
    local ready, value, marker, from = channel.try_receive(ch)
    if ready then
      forget_drained(port, ch)
      return "encoded", answer(value or NIL, marker, from, i)
    end
  end
  if default then
    return "encoded", answer(NIL, false, nil, 0)
  end
  task.form = "first"
  task.nodes = requests.wait_for_first(task, cases, #list)
end

local function as_lua(number)
  local handler = handlers[number]
  return function(task, _, ...)
    return handler(task, ...)
  end
end

asks.monitor = as_lua(op.MONITOR)
asks.unmonitor = as_lua(op.UNMONITOR)
asks.link = as_lua(op.LINK)
asks.unlink = as_lua(op.UNLINK)
asks.cancel = as_lua(op.CANCEL)
asks.terminate = as_lua(op.TERMINATE)
asks.register = as_lua(op.REGISTER)
asks.unregister = as_lua(op.UNREGISTER)
asks.lookup = as_lua(op.LOOKUP)
asks.trap_links = as_lua(op.TRAP_LINKS)

--- Makes a request for the port `pid` (nil: a port for this one call).
-- @treturn[1] string the answer
-- @treturn[2] nil when it will come as a REPLY with this ticket
function M.request(pid, ticket, name, payload, ...)
  local proc
  if pid then
    proc = registry.by_pid[pid] or system[pid]
    if not proc then
      return answer(NIL, ended(pid))
    end
  else
    proc = open_call()
  end
  local task = {
    ticket = ticket,
    proc = proc,
    task = false,
    next = false,
    form = "plain",
    one_shot = not pid,
    on_answer = on_answer,
    -- Room for what comes later: the table need not grow.
    awaited = nil,
    r1 = nil,
    r2 = nil,
    r3 = nil,
  }
  task.task = task
  local ready, value, failure = asks[name](task, payload, ...)
  if ready then
    settle(task)
    return ready == true and answer(encode(value), failure) or value
  end
  -- Only now: a request that ends its own process is answered here, not once more by that end.
  by_ticket[ticket] = task
  if pid then
    proc.port.tickets[ticket] = task
  else
    proc.call = task
  end
  return nil
end

--- Gives up a request.
function M.abandon(ticket)
  local task = by_ticket[ticket]
  if task then
    -- First: what `withdraw` ends may take the port along, and it must not answer this.
    settle(task)
    withdraw(task)
  end
end

return M
