--- Which Lua state a process is spawned in: the hub alone decides it. A host that has states of its own
-- takes the one with the fewest processes; a private host takes a new one for each process.

local fault = require("kernel.fault")
local outbox = require("kernel.outbox")
local registry = require("kernel.registry")

local kinds, new_fault = fault.kinds, fault.new

local M = {}

-- number of a state -> its place: the host, how many processes live there, how many are about to
local places = {}

--- Declares a host whose processes live in states of their own.
function M.add_host(name, max_processes, private)
  registry.add_host(name, { max_processes = max_processes, max_mailbox = math.huge })
  local host = registry.host(name)
  host.states, host.private, host.waiting = {}, private, {}
end

local function give(place, on_place)
  place.load, place.host.count = place.load + 1, place.host.count + 1
  on_place(place)
end

--- A state can take processes of its host from now on.
function M.open(name, number)
  local host = registry.host(name)
  local place = { host = host, number = number, load = 0 }
  places[number] = place
  host.states[#host.states + 1] = place
  local first = table.remove(host.waiting, 1)
  while first do
    give(place, first)
    if host.private then
      break
    end
    first = table.remove(host.waiting, 1)
  end
end

--- A state takes no processes any more.
function M.close(number)
  local place = places[number]
  places[number] = nil
  local host, kept = place.host, {}
  host.count = host.count - place.load
  for _, other in ipairs(host.states) do
    if other ~= place then
      kept[#kept + 1] = other
    end
  end
  host.states = kept
end

--- Finds a place for a process: calls `on_place` with it, now or when there is one.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] table an error: the host is full
function M.find(host, on_place)
  if host.count + #host.waiting >= host.max_processes then
    local message = "host " .. host.name .. " is full: it runs its max_processes of " .. host.max_processes
    return nil, new_fault(kinds.RATE_LIMITED, message)
  end
  local best
  for _, place in ipairs(host.states) do
    if not host.private and (not best or place.load < best.load) then
      best = place
    end
  end
  if best then
    give(best, on_place)
  else
    host.waiting[#host.waiting + 1] = on_place
    if host.private then
      outbox.row(2, outbox.NEED_STATE, host.name)
    end
  end
  return true
end

--- A process lives in a state: `by` is 1 when it comes and -1 when it goes.
function M.count(number, by)
  local place = places[number]
  if place then
    place.load, place.host.count = place.load + by, place.host.count + by
    if place.load == 0 and place.host.private then
      M.close(number)
      outbox.row(2, outbox.STATE_DONE, number)
    end
  end
end

-- asker -> ticket -> a spawn under way: the `number` of its state, and whether it is `counted` for its process
local expected = {}

--- A spawn for `ticket` of the state `asker` is under way in the state `number`.
function M.expect(asker, ticket, number)
  expected[asker] = expected[asker] or {}
  expected[asker][ticket] = { number = number, counted = true }
end

--- The process of a spawn is there and counts for itself.
function M.born(asker, ticket)
  local spawning = expected[asker] and expected[asker][ticket]
  if spawning and spawning.counted then
    spawning.counted = false
    M.count(spawning.number, -1)
  end
end

--- A spawn is done, whatever came of it.
function M.placed(asker, ticket)
  M.born(asker, ticket)
  if expected[asker] then
    expected[asker][ticket] = nil
  end
end

--- The spawns under way in a state that is no more, as a flat list of askers and tickets.
function M.forget(number)
  local left = {}
  for asker, tickets in next, expected do
    for ticket, spawning in next, tickets do
      if spawning.number == number then
        tickets[ticket] = nil
        left[#left + 1] = { asker = asker, ticket = ticket }
      end
    end
  end
  table.sort(left, function(a, b)
    return a.asker < b.asker or (a.asker == b.asker and a.ticket < b.ticket)
  end)
  return left
end

return M
