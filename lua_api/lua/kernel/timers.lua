--- Deadlines: a binary heap ordered by time, then by the order in which they were set.
-- A timer belongs to a process and goes when the process ends. It does not know what firing means:
-- `timer.fire(timer)` does.

local clock = require("kernel.clock")

local M = { count = 0 }

local heap, serial = {}, 0

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
  local count = M.count
  while true do
    local below = at * 2
    if below > count then
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
  local proc = timer.proc
  local next_timer = proc.timers
  timer.after = next_timer
  if next_timer then
    next_timer.ahead = timer
  end
  proc.timers = timer
  proc.timer_count = proc.timer_count + 1
end

local function disown(timer)
  local ahead, after = timer.ahead, timer.after
  if ahead then
    ahead.after = after
  else
    timer.proc.timers = after
  end
  if after then
    after.ahead = ahead
  end
  timer.ahead, timer.after = nil, nil
  local proc = timer.proc
  proc.timer_count = proc.timer_count - 1
end

--- Sets `timer` (a table with `proc` and `fire`) to go off `delay` nanoseconds from now.
function M.set(timer, delay)
  serial = serial + 1
  local now = clock.now
  local at = now + delay
  -- A sum that wraps around lies beyond what can be counted, and so never comes.
  timer.at, timer.serial = at >= now and at or math.huge, serial
  local count = M.count + 1
  -- First what may find no memory: a timer that was not set is nowhere.
  local proc = timer.proc
  proc.timer_count, proc.timers = proc.timer_count or 0, proc.timers or false
  heap[count] = timer
  M.count = count
  own(timer)
  up(timer, count)
end

--- Stops `timer`; returns true if it had not gone off.
function M.stop(timer)
  local at = timer.place
  if not at then
    return false
  end
  timer.place = nil
  disown(timer)
  local count = M.count
  local last = heap[count]
  heap[count] = nil
  M.count = count - 1
  if last ~= timer then
    up(last, at)
    down(last, last.place)
  end
  return true
end

function M.drop_all(proc)
  while proc.timers do
    M.stop(proc.timers)
  end
end

--- The time at which the next timer goes off, or nil.
function M.next_at()
  local first = heap[1]
  return first and first.at
end

--- Lets timers go off whose time has come, in order, `most` at most.
-- @treturn boolean whether there are more of them
function M.fire_due(most)
  local now = clock.now
  local timer = heap[1]
  while timer and timer.at <= now do
    if most == 0 then
      return true
    end
    most = most - 1
    M.stop(timer)
    timer:fire()
    timer = heap[1]
  end
  return false
end

return M
