--- What arrives from other Lua states: requests, done as those of a process here, answers, and ends.

local afar = require("kernel.afar")
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
local byte = string.byte
local read, unpacked = wire.read, wire.unpacked

local M = {}

-- kind of row -> what it does here
local acts = {}

-- number of a state that is no more -> why
local lost = {}

local function reply(asker, ticket, a, b, c)
  if ticket == 0 then
    return
  elseif a == true and b == nil and c == nil then
    return post.answer_true(asker, ticket)
  end
  post.row(asker, 5, post.ANSWER, ticket, a, b, c)
end

--- Somebody elsewhere who waits for what a request here brings.
local function on_answer(visitor)
  if visitor.parent then
    post.row(visitor.asker, 6, post.ANSWER, visitor.number, visitor.r1, visitor.r2, visitor.r3, visitor.parent)
  else
    reply(visitor.asker, visitor.number, visitor.r1, visitor.r2, visitor.r3)
  end
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

-- kind of run (see post.lua) -> what it does here: it gets the first ticket, how many there are and whose
-- they are, reads the rest from `i` of `bytes` on, and returns where it ends
local runs = {}

runs[post.ANSWER_TRUE] = function(first, length, _, _, i)
  for ticket = first, first + length - 1 do
    tickets.answer(ticket, true)
  end
  return i
end

-- The lives of processes elsewhere

acts[post.BORN] = function(pid, entry, asker, ticket)
  local peer = peers.of(pid)
  peer.entry, peer.started = entry, clock.now
  if lost[peer.state] then
    -- Heard of late: it has ended with its state.
    return signals.finish_peer(peer, nil, lost[peer.state], false)
  end
  peers.keep(peer)
  placement.count(peer.state, 1)
  if asker then
    placement.arrived(asker, ticket)
  elseif ticket then
    children_afar.arrived(ticket)
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

-- Requests to one process

--- The process with a pid; if there is none here, answers that, in the words of `find`.
local function find_for(asker, ticket, pid, find)
  local proc = by_pid[pid]
  if proc then
    return proc
  end
  local _, failure = find(pid)
  return reply(asker, ticket, nil, failure)
end

local function receive(deliver)
  return function(first, length, asker, bytes, i)
    local pid, topic, from, payload, target, before
    for ticket = first, first + length - 1 do
      pid, i = read(bytes, i)
      if pid then
        topic, i = read(bytes, i)
        target, before = by_pid[pid], pid
      end
      from, i = read(bytes, i)
      payload, i = read(bytes, i)
      if target then
        reply(asker, ticket, deliver(target, topic, unpacked(payload, target.port), from))
      else
        reply(asker, ticket, nil, registry.not_found(before))
      end
    end
    return i
  end
end

runs[post.SEND] = receive(mailbox.deliver)
runs[post.SEND_AT_ONCE] = receive(mailbox.deliver_anyway)

acts[post.ROOM] = function(asker, ticket, pid, events)
  local proc = find_for(asker, ticket, pid, registry.find)
  if proc then
    local has_room = events and mailbox.has_room_for_event or mailbox.has_room
    reply(asker, ticket, has_room(proc))
  end
end

acts[post.CANCEL] = function(asker, ticket, pid, from, reason)
  local proc = find_for(asker, ticket, pid, registry.find)
  if not proc then
    return
  end
  local has_room = mailbox.has_room_for_event(proc)
  if has_room or asker == 0 then
    signals.cancel(proc, from, reason)
  end
  if asker == 0 then
    -- The hub did not wait: this is for its next one.
    reply(asker, ticket, mailbox.has_room_for_event(proc))
  elseif has_room then
    reply(asker, ticket, true)
  else
    reply(asker, ticket, nil, mailbox.full(proc))
  end
end

acts[post.TERMINATE] = function(asker, ticket, pid)
  local proc = find_for(asker, ticket, pid, registry.find)
  if proc then
    signals.terminate(proc)
    reply(asker, ticket, true)
  end
end

local function for_watcher(act)
  return function(asker, ticket, pid, peer)
    local proc = find_for(asker, ticket, pid, registry.find_registered)
    if proc then
      act(proc, asker, peer)
      reply(asker, ticket, true)
    end
  end
end

acts[post.WATCH] = for_watcher(function(proc, asker)
  relation.add(proc, "afar", asker)
end)

acts[post.LINK] = for_watcher(function(proc, _, peer)
  signals.link(proc, peers.of(peer))
end)

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
  visitor.placed, visitor.parent = not state.is_hub, link and parent
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

--- Does what rows say; what of a kind without an act is left out. Of the runs only ANSWER_TRUE may have none.
local function take_in(bytes, acts_of_runs, acts_of_rows)
  local i, last = 1, #bytes
  while i <= last do
    local kind = byte(bytes, i)
    if runs[kind] then
      local first, length, asker
      first, i = read(bytes, i + 1)
      length, i = read(bytes, i)
      asker, i = read(bytes, i)
      local act = acts_of_runs[kind]
      if act then
        i = act(first, length, asker, bytes, i)
      end
    else
      local row
      row, i = read(bytes, i)
      local act = acts_of_rows[row[1]]
      if act then
        -- Trailing nils have left the row.
        act(unpack(row, 2, 9))
      end
    end
  end
end

--- Does what the bytes from another state say.
function M.receive(bytes)
  take_in(bytes, runs, acts)
end

-- Who asked the state for something finds nobody there. What one of its processes was spawning has nobody
-- to be linked to; a child in the hub has seen that itself.
local refused_runs = { [post.SEND] = runs[post.SEND], [post.SEND_AT_ONCE] = runs[post.SEND_AT_ONCE] }
local refused_rows = {
  [post.ROOM] = acts[post.ROOM],
  [post.WATCH] = acts[post.WATCH],
  [post.LINK] = acts[post.LINK],
  [post.CANCEL] = acts[post.CANCEL],
  [post.TERMINATE] = acts[post.TERMINATE],
  [post.ANSWER] = function(_, pid, _, _, parent)
    local child = parent and peers.by_pid[pid]
    if child then
      afar.orphan(child, parent)
    end
  end,
}

--- Answers, in the hub, what was meant for a state that is no more.
function M.refuse(bytes)
  take_in(bytes, refused_runs, refused_rows)
end

--- A state is no more: every process in it has ended with this message.
function M.lose(number, message)
  local failure = new_fault(kinds.UNAVAILABLE, message, { retryable = true })
  lost[number] = failure
  for _, peer in ipairs(peers.of_state(number)) do
    if peers.by_pid[peer.pid] == peer then
      signals.finish_peer(peer, nil, failure, false)
    end
  end
  -- Their supervisors know last, and tell.
  children_afar.lose(number, failure)
  tickets.fail(number, failure)
  if state.is_hub then
    for _, spawning in ipairs(placement.forget(number)) do
      reply(spawning.asker, spawning.ticket, nil, failure)
    end
    placement.close(number)
  end
end

return M
