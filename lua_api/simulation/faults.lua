--- Injects faults into processes: each fault waits at a point, such as the third request of a process.
-- It costs nothing where no fault waits: the handlers are wrapped only if there is one.

local facts = require("simulation.facts")
local fault = require("kernel.fault")
local mailbox = require("kernel.mailbox")
local op = require("kernel.op")
local queue = require("kernel.queue")
local registry = require("kernel.registry")
local relation = require("kernel.relation")
local signals = require("kernel.signals")
local timers = require("kernel.timers")

local kinds, new_fault = fault.kinds, fault.new
local by_pid = registry.by_pid

local M = {
  -- What a request is answered with that is to raise; see `yield`.
  RAISE = {},
}

-- What waits for a process, by its key: path, name or entry, then "#" and the incarnation.
local waiting = {}
local seen = {}

--- The process has become known under `key`; another life of what the key stands for.
local function known_as(proc, key, incarnation)
  if not incarnation then
    incarnation = (seen[key] or 0) + 1
    seen[key] = incarnation
  end
  local points = waiting[key .. "#" .. incarnation]
  if points then
    proc.points = proc.points or {}
    for i = 1, #points do
      table.insert(proc.points, points[i])
    end
  end
end

local function injected(point, proc, what)
  point.done = true
  facts.note(facts.INJECTED, point.number, proc and proc.pid, what)
end

local acts = {}

function acts.kill(proc, point)
  injected(point, proc, "killed")
  signals.terminate(proc)
end

function acts.fail(proc, point)
  injected(point, proc, "its start failed")
  signals.finish(proc, nil, new_fault(kinds.UNAVAILABLE, point.message))
end

function acts.memory(proc, point)
  injected(point, proc, "it ran out of memory")
  signals.finish(proc, nil, new_fault(kinds.UNKNOWN, "not enough memory"))
end

--- The point that is reached by this request, if any.
local function reached(proc, request)
  local steps = (proc.steps or 0) + 1
  proc.steps = steps
  local made = proc.made or {}
  proc.made = made
  made[request] = (made[request] or 0) + 1
  for _, point in ipairs(proc.points) do
    if not point.done then
      if point.at == "step" and point.n == steps then
        return point
      elseif point.at == "call" and point.request == request and point.n == made[request] then
        return point
      end
    end
  end
  return nil
end

local function wrap(handler, request)
  return function(task, ...)
    local proc = task.proc
    -- What a port asks for does not pass here with a coroutine.
    if proc.points and task.co then
      local point = reached(proc, request)
      if point then
        if point.act == "raise" then
          injected(point, proc, "the call raised")
          return true, M.RAISE, point.message
        end
        return acts[point.act](proc, point)
      end
    end
    return handler(task, ...)
  end
end

-- Deliveries between Python and Lua

local deliver = mailbox.deliver

local function crosses(proc, from)
  local sender = from and by_pid[from]
  local from_python = not from or (sender and sender.port) and true or false
  return from_python ~= (proc.port and true or false)
end

local function delivery_point(proc)
  proc.crossed = (proc.crossed or 0) + 1
  for _, point in ipairs(proc.points) do
    if point.at == "delivery" and point.n == proc.crossed and not point.done then
      return point
    end
  end
  return nil
end

local function release(timer)
  local proc, held = timer.proc, timer.held
  proc.held[timer.from] = nil
  for i = 1, #held do
    deliver(proc, held[i][1], held[i][2], timer.from or nil)
  end
end

function mailbox.deliver(proc, topic, payload, from)
  if not proc.points or not crosses(proc, from) or mailbox.is_reserved(topic) then
    return deliver(proc, topic, payload, from)
  end
  local point = delivery_point(proc)
  if point and point.act == "drop" then
    injected(point, proc, "a delivery was lost")
    return true
  end
  local key = from or false
  local held = proc.held and proc.held[key]
  if not held and not point then
    return deliver(proc, topic, payload, from)
  elseif not held then
    injected(point, proc, "a delivery is late")
    held = {}
    proc.held = proc.held or {}
    proc.held[key] = held
    timers.set({ proc = proc, from = key, held = held, fire = release }, point.delay)
  end
  held[#held + 1] = { topic, payload }
  return true
end

-- Who is who

local register, own, add, shut_down = registry.register, signals.own, registry.add, signals.shut_down

function registry.register(name, pid)
  local before = registry.by_pid[pid]
  local had = before and relation.has(before, "names", name)
  local ok, failure = register(name, pid)
  if ok and not had then
    known_as(before, name)
  end
  return ok, failure
end

function registry.add(proc)
  if not proc.port then
    known_as(proc, proc.program.entry)
  end
  return add(proc)
end

local children = {}

--- A supervisor starts a child with this ticket: its path, and which life of it this is.
function M.expect(ticket, path, incarnation)
  children[ticket] = { path = path, incarnation = incarnation }
end

function signals.own(owner, proc)
  local seat = proc.seat
  if seat and children[seat.ticket] then
    proc.child, children[seat.ticket] = children[seat.ticket], nil
    known_as(proc, proc.child.path, proc.child.incarnation)
  end
  return own(owner, proc)
end

function signals.shut_down(proc, from, reason)
  local asked = shut_down(proc, from, reason)
  if asked then
    for _, point in ipairs(proc.points or {}) do
      if point.at == "stop" and not point.done then
        -- When others have had their turn: here the supervisor is still asking.
        queue.push({
          next = false,
          on_answer = function()
            if by_pid[proc.pid] == proc then
              acts.kill(proc, point)
            end
          end,
        })
        break
      end
    end
  end
  return asked
end

--- The requests behind the calls of the API.
M.calls = {
  ["process.send"] = op.SEND,
  ["process.listen"] = op.LISTEN,
  ["process.inbox"] = op.INBOX,
  ["process.events"] = op.EVENTS,
  ["process.unlisten"] = op.UNLISTEN,
  ["process.spawn"] = op.SPAWN,
  ["process.monitor"] = op.MONITOR,
  ["process.unmonitor"] = op.UNMONITOR,
  ["process.link"] = op.LINK,
  ["process.unlink"] = op.UNLINK,
  ["process.cancel"] = op.CANCEL,
  ["process.terminate"] = op.TERMINATE,
  ["process.started"] = op.STARTED,
  ["process.set_options"] = op.TRAP_LINKS,
  ["process.registry.register"] = op.REGISTER,
  ["process.registry.unregister"] = op.UNREGISTER,
  ["process.registry.lookup"] = op.LOOKUP,
  ["channel.new"] = op.CHANNEL,
  ["channel.send"] = op.CHANNEL_SEND,
  ["channel.receive"] = op.RECEIVE,
  ["channel.close"] = op.CHANNEL_CLOSE,
  ["channel.select"] = op.SELECT,
  ["coroutine.spawn"] = op.COROUTINE,
  ["time.sleep"] = op.SLEEP,
  ["time.after"] = op.AFTER,
  ["time.timer"] = op.TIMER,
  ["time.ticker"] = op.TICKER,
  ["supervisor"] = op.CALL_SUPERVISOR,
  ["require"] = op.REQUIRE,
  ["print"] = op.PRINT,
  -- no call, but the end of every chunk
  ["start"] = op.LOADED,
}

--- Lets a fault wait. `at` is "step", "call", "delivery" or "stop"; `n` is which one.
function M.plan(number, key, at, act, n, message, name, delay)
  local point = { number = number, at = at, act = act, n = n, message = message, delay = delay }
  point.request = M.calls[name]
  waiting[key] = waiting[key] or {}
  table.insert(waiting[key], point)
end

--- Wraps the handlers, if anything waits.
function M.install(handlers)
  if next(waiting) then
    for request, handler in pairs(handlers) do
      handlers[request] = wrap(handler, request)
    end
  end
end

--- The Lua state of a host is lost: its processes end at once, none of them over a link to another.
function M.lose_host(name)
  local doomed = {}
  for _, proc in ipairs(registry.list()) do
    if not proc.port and proc.program.host.name == name then
      doomed[#doomed + 1] = proc
    end
  end
  for _, proc in ipairs(doomed) do
    for _, peer in ipairs(relation.list(proc, "links")) do
      if not peer.port and peer.program.host == proc.program.host then
        relation.remove(proc, "links", peer)
        relation.remove(peer, "links", proc)
      end
    end
  end
  for _, proc in ipairs(doomed) do
    signals.finish(proc, nil, new_fault(kinds.UNAVAILABLE, "the Lua state of host " .. name .. " was lost"))
  end
  return #doomed
end

return M
