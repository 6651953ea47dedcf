--- Supervised processes of other Lua states, as the hub sees them: it passes on what their supervisor
-- asks, and what their state tells.

local outbox = require("kernel.outbox")
local placement = require("kernel.placement")
local post = require("kernel.post")
local registry = require("kernel.registry")
local relation = require("kernel.relation")
local signals = require("kernel.signals")
local wire = require("kernel.wire")

local M = {}

-- ticket -> where the child is: `number` of its state once it has a place, `counted` until it is known
-- whether it started
local children = {}

--- Starts a process on a host that has states of its own.
-- @treturn[1] nil a row tells what came of it
-- @treturn[2] nil
-- @treturn[2] string the error, encoded
function M.start(owner, ticket, entry, host, arguments, name, ready)
  local child = { number = false, counted = false }
  children[ticket] = child
  local ok, failure = placement.find(host, function(place)
    local supervisor = registry.by_pid[owner]
    if children[ticket] ~= child or not supervisor then
      return placement.count(place.number, -1)
    end
    child.number, child.counted = place.number, true
    relation.add(supervisor, "afar", place.number)
    post.row(place.number, 8, post.START_CHILD, ticket, owner, host.name, entry, arguments, name, ready)
  end)
  if not ok then
    children[ticket] = nil
    return nil, wire.encode(failure)
  end
  return nil
end

--- Asks a child to end.
-- @treturn number SHUT_DOWN if it had no place yet, otherwise nil: a row tells
function M.stop(ticket, reason)
  local child = children[ticket]
  if child and not child.number then
    children[ticket] = nil
    return signals.SHUT_DOWN
  elseif child then
    post.row(child.number, 3, post.STOP_CHILD, ticket, reason)
  end
  return nil
end

--- Ends a child by force.
-- @treturn boolean true if it had no place yet, false when a row tells
function M.kill(ticket)
  local child = children[ticket]
  if child and not child.number then
    children[ticket] = nil
    return true
  elseif child then
    post.row(child.number, 2, post.KILL_CHILD, ticket)
  end
  return false
end

local function settle(child)
  if child.counted then
    child.counted = false
    placement.count(child.number, -1)
  end
end

--- Its process is there and counts for itself.
function M.born(ticket)
  local child = children[ticket]
  if child then
    settle(child)
  end
end

--- It has started.
function M.came_up(ticket, pid, value)
  local child = children[ticket]
  if child then
    settle(child)
    outbox.row(4, outbox.CHILD_UP, ticket, pid, value)
  end
end

--- It has ended, or did not start.
function M.went_down(ticket, failure, forced)
  local child = children[ticket]
  if child then
    children[ticket] = nil
    settle(child)
    outbox.row(4, outbox.CHILD_DOWN, ticket, failure, forced)
  end
end

--- The children of a state that is no more have ended.
function M.lose(number, failure)
  local tickets = {}
  for ticket, child in next, children do
    if child.number == number then
      tickets[#tickets + 1] = ticket
    end
  end
  table.sort(tickets)
  for _, ticket in ipairs(tickets) do
    M.went_down(ticket, failure)
  end
end

return M
