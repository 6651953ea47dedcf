--- Deadlines: a binary heap ordered by time, then by the order in which they were set.
-- A timer belongs to a process and goes when the process ends. It does not know what firing means:
-- `timer.fire(timer)` does.
--
-- A process may end with so many of them that to take them out of the heap would hold up everybody. So
-- they are dropped as a whole, and taken out some at a time, in this step and those that follow.

local clock = require("kernel.clock")

-- How many are set: those that were dropped do not count.
local M = { count = 0 }

local heap, size, serial = {}, 0, 0

-- The timers of a process: { first = , count = , dropped = }. Those that were dropped are a list by `next`.
local dropped = false

-- How many dropped ones may be taken out before others get their turn, and how many still in this step.
local MOST = 1000
local left = MOST

local function before(a, b)
  return a.at < b.at or (a.at == b.at and a.serial < b.serial)
end

local function up(timer, at)
  while at > 1 do
    local above = (at - at % 2) / 2
    local parent = heap[above]
    if not before(timer, parent) then
      break
    end
    heap[at], parent.place = parent, at
    at = above
  end
  heap[at], timer.place = timer, at
end

local function down(timer, at)
  while true do
    local below = at * 2
    if below > size then
      break
    end
    local child = heap[below]
    local right = heap[below + 1]
    if right and before(right, child) then
      below, child = below + 1, right
    end
    if not before(child, timer) then
      break
    end
    heap[at], child.place = child, at
    at = below
  end
  heap[at], timer.place = timer, at
end

local function own(timer)
  local owned = timer.owned
  local first = owned.first
  timer.after = first
  if first then
    first.ahead = timer
  end
  owned.first, owned.count = timer, owned.count + 1
end

local function disown(timer)
  local owned, ahead, after = timer.owned, timer.ahead, timer.after
  if ahead then
    ahead.after = after
  else
    owned.first = after
  end
  if after then
    after.ahead = ahead
  end
  timer.ahead, timer.after = nil, nil
  owned.count = owned.count - 1
end

--- How many timers of a process are set.
function M.count_of(proc)
  return proc.timers and proc.timers.count or 0
end

--- Sets `timer` (a table with `proc` and `fire`) to go off `delay` nanoseconds from now.
function M.set(timer, delay)
  serial = serial + 1
  local now = clock.now
  local at = now + delay
  -- A sum that wraps around lies beyond what can be counted, and so never comes.
  timer.at, timer.serial = at >= now and at or math.huge, serial
  -- First what may find no memory: a timer that was not set is nowhere.
  local proc = timer.proc
  proc.timers = proc.timers or { first = false, count = 0, dropped = false }
  timer.owned = proc.timers
  heap[size + 1] = timer
  size, M.count = size + 1, M.count + 1
  own(timer)
  up(timer, size)
end

local function take_out(timer)
  local at, last = timer.place, heap[size]
  timer.place = nil
  disown(timer)
  heap[size] = nil
  size = size - 1
  if last ~= timer then
    up(last, at)
    down(last, last.place)
  end
end

--- Stops `timer`; returns true if it had not gone off.
function M.stop(timer)
  if not timer.place or timer.owned.dropped then
    return false
  end
  take_out(timer)
  M.count = M.count - 1
  return true
end

--- Takes dropped timers out of the heap, `most` at most; returns how many more it might have taken.
local function sweep(most)
  while dropped and most > 0 do
    local timer = dropped.first
    if timer then
      take_out(timer)
      most = most - 1
    else
      dropped = dropped.next
    end
  end
  return most
end

--- Drops all timers of a process.
function M.drop_all(proc)
  local owned = proc.timers
  if owned then
    proc.timers = nil
    owned.dropped, owned.next, dropped = true, dropped, owned
    M.count = M.count - owned.count
    left = sweep(left)
  end
end

--- Lets go of all that was dropped, however long that takes.
function M.forget_dropped()
  sweep(math.huge)
end

--- Whether dropped timers are still to be taken out.
function M.has_dropped()
  return dropped ~= false
end

--- The time at which the next timer goes off, or nil.
function M.next_at()
  local first = heap[1]
  return first and first.at
end

--- Lets timers go off whose time has come, in order, `most` at most; at the beginning of a step.
-- @treturn boolean whether there are more of them
function M.fire_due(most)
  left = sweep(MOST)
  local now = clock.now
  local timer = heap[1]
  while timer and timer.at <= now do
    if most == 0 then
      return true
    end
    most = most - 1
    if M.stop(timer) then
      timer:fire()
    else
      take_out(timer)
    end
    timer = heap[1]
  end
  return false
end

return M
