--- What arrives from other Lua states: requests, done as those of a process here, answers, and ends.

local calls = require("kernel.calls")
local children = require("kernel.children")
local children_afar = require("kernel.children_afar")
local clock = require("kernel.clock")
local fault = require("kernel.fault")
local mailbox = require("kernel.mailbox")
local peers = require("kernel.peers")
local placement = require("kernel.placement")
local post = require("kernel.post")
local registry = require("kernel.registry")
local relation = require("kernel.relation")
local signals = require("kernel.signals")
local spawn = require("kernel.spawn")
local state = require("kernel.state")
local tickets = require("kernel.tickets")
local wire = require("kernel.wire")

local kinds, new_fault = fault.kinds, fault.new
local by_pid = registry.by_pid
local unpack = table.unpack or unpack

local M = {}

-- kind of row -> what it does here
local acts = {}

local lost = {}

local function reply(asker, ticket, a, b, c)
  if ticket ~= 0 then
    post.row(asker, 5, post.ANSWER, ticket, a, b, c)
  end
end

--- Somebody elsewhere who waits for what a request here brings.
local function on_answer(visitor)
  reply(visitor.asker, visitor.number, visitor.r1, visitor.r2, visitor.r3)
  if visitor.placed then
    post.row(0, 3, post.PLACED, visitor.asker, visitor.number)
  end
end

local function new_visitor(asker, ticket, pid)
  local visitor = { asker = asker, number = ticket, proc = peers.of(pid), task = false, next = false, on_answer = on_answer }
  visitor.task = visitor
  return visitor
end

acts[post.ANSWER] = tickets.answer

-- The lives of processes elsewhere

acts[post.BORN] = function(pid, entry, ticket, asker)
  local peer = peers.of(pid)
  peer.entry, peer.started = entry, clock.now
  if not lost[peer.state] then
    peers.keep(peer)
    placement.count(peer.state, 1)
  end
  if asker then
    placement.born(asker, ticket)
  elseif ticket then
    children_afar.born(ticket)
  end
end

acts[post.UPGRADED] = function(pid, entry)
  peers.of(pid).entry = entry
end

acts[post.ENDED] = function(pid, result, failure, taken_along, loading)
  local peer = peers.by_pid[pid]
  if peer then
    peer.unseen = loading
    signals.finish_peer(peer, result, failure, taken_along)
    if state.is_hub then
      placement.count(peer.state, -1)
    end
  end
end

-- Messages

local function receive(deliver)
  return function(asker, ticket, pid, topic, bytes, from)
    local target = by_pid[pid]
    if not target then
      local _, failure = registry.find(pid)
      return reply(asker, ticket, nil, failure)
    end
    reply(asker, ticket, deliver(target, topic, target.port and bytes or wire.decode(bytes), from))
  end
end

acts[post.SEND] = receive(mailbox.deliver)
acts[post.SEND_AT_ONCE] = receive(mailbox.deliver_anyway)

acts[post.ROOM] = function(asker, ticket, pid)
  local target = by_pid[pid]
  reply(asker, ticket, not target or mailbox.has_room(target))
end

-- Watching and ending

local function for_process(act)
  return function(asker, ticket, pid, ...)
    local proc = by_pid[pid]
    if not proc then
      return reply(asker, ticket, nil, registry.not_registered(pid))
    end
    act(proc, asker, ...)
    reply(asker, ticket, true)
  end
end

acts[post.WATCH] = for_process(function(proc, asker)
  relation.add(proc, "afar", asker)
end)

acts[post.LINK] = for_process(function(proc, _, peer)
  signals.link(proc, peers.of(peer))
end)

acts[post.CANCEL] = function(asker, ticket, pid, from, reason)
  local proc = by_pid[pid]
  local failure = not proc and registry.not_registered(pid) or proc and mailbox.refuse_event(proc)
  if failure then
    return reply(asker, ticket, nil, failure)
  end
  signals.cancel(proc, from, reason)
  reply(asker, ticket, true)
end

acts[post.TERMINATE] = for_process(signals.terminate)

acts[post.UNLINK] = function(pid, peer)
  local proc, other = by_pid[pid], peers.by_pid[peer]
  if proc and other then
    signals.unlink_here(proc, other)
  end
end

-- Names

acts[post.REGISTER] = function(asker, ticket, name, pid)
  reply(asker, ticket, registry.register(name, pid))
end

acts[post.UNREGISTER] = function(asker, ticket, name)
  reply(asker, ticket, registry.unregister(name))
end

acts[post.LOOKUP] = function(asker, ticket, name)
  reply(asker, ticket, registry.lookup(name))
end

-- Spawning. Outside the hub a spawn comes from the hub, which has chosen this state.

local function spawn_here(asker, ticket, host, entry, arguments, parent, link, watch)
  local visitor = new_visitor(asker, ticket, parent)
  visitor.placed = not state.is_hub
  local list, n = wire.decode_list(arguments)
  list.n = n
  spawn.spawn(visitor, entry, host, { link = link, watch = watch and asker, here = true }, n > 0 and list)
end

acts[post.SPAWN] = function(asker, ticket, host_name, ...)
  local host = registry.host(host_name)
  if not (host and host.states) then
    return spawn_here(asker, ticket, host_name, ...)
  elseif lost[asker] then
    return
  end
  local request, n = { ... }, select("#", ...)
  local ok, failure = placement.find(host, function(place)
    placement.expect(asker, ticket, place.number)
    post.row(place.number, n + 4, post.SPAWN, asker, ticket, host_name, unpack(request, 1, n))
  end)
  if not ok then
    reply(asker, ticket, nil, failure)
  end
end

acts[post.PLACED] = placement.placed

-- Supervision

acts[post.CALL_SUPERVISOR] = function(asker, ticket, pid, verb, argument)
  local refused, _, failure = calls.call(new_visitor(asker, ticket, pid), pid, verb, argument)
  if refused then
    reply(asker, ticket, nil, failure)
  end
end

acts[post.START_CHILD] = children.start_for_hub
acts[post.STOP_CHILD] = children.stop_for_hub
acts[post.KILL_CHILD] = children.kill_for_hub
acts[post.CHILD_UP] = children_afar.came_up
acts[post.CHILD_DOWN] = children_afar.went_down

--- Does what the bytes from another state say.
function M.receive(bytes)
  local rows, n = wire.decode_list(bytes)
  for i = 1, n do
    local row = rows[i]
    -- Trailing nils have left the row.
    acts[row[1]](unpack(row, 2, 9))
  end
end

-- Kinds of rows that ask a state for something, and what is no answer to anybody is dropped.
local QUESTIONS = { post.SEND, post.SEND_AT_ONCE, post.ROOM, post.WATCH, post.LINK, post.CANCEL, post.TERMINATE }
for i = 1, #QUESTIONS do
  QUESTIONS[QUESTIONS[i]] = true
end

--- Answers, in the hub, what was meant for a state that is no more: none of its processes is found.
function M.refuse(bytes)
  local rows, n = wire.decode_list(bytes)
  for i = 1, n do
    local row = rows[i]
    if QUESTIONS[row[1]] then
      acts[row[1]](unpack(row, 2, 9))
    end
  end
end

--- A state is no more: every process in it has ended with this message.
function M.lose(number, message)
  local failure = new_fault(kinds.UNAVAILABLE, message, { retryable = true })
  lost[number] = true
  children_afar.lose(number, failure)
  for _, peer in ipairs(peers.of_state(number)) do
    if peers.by_pid[peer.pid] == peer then
      signals.finish_peer(peer, nil, failure, false)
    end
  end
  tickets.fail(number, failure)
  if state.is_hub then
    for _, spawning in ipairs(placement.forget(number)) do
      reply(spawning.asker, spawning.ticket, nil, failure)
    end
    placement.close(number)
  end
end

return M
