--- Lets a seed decide what the kernel leaves open: who of those that can run is next, and which of the
-- timers that are due at the same moment goes off first. Who was put before all others (a child that
-- loads, a coroutine that was just spawned) still goes first: that is promised.

local queue = require("kernel.queue")
local timers = require("kernel.timers")

local M = { turns = 0 }

local LAST = queue.LAST

-- The next one is drawn from so many at the head of the queue.
local WINDOW = 16

-- How many tasks at the head of the queue were put there to go first.
local urgent = 0

local push_front, pop = queue.push_front, queue.pop

function queue.push_front(task)
  if not task.next then
    urgent = urgent + 1
  end
  push_front(task)
end

function queue.pop()
  if urgent > 0 then
    urgent = urgent - 1
  end
  return pop()
end

--- Brings a drawn task to the head of the queue.
local function choose(draw)
  local count, task = 0, queue.next
  while task ~= LAST and count < WINDOW do
    count, task = count + 1, task.next
  end
  local before = queue
  for _ = 2, count > 1 and draw(count) or 1 do
    before = before.next
  end
  local chosen = before.next
  if before ~= queue then
    before.next = chosen.next
    if chosen.next == LAST then
      queue.last = before
    end
    chosen.next, queue.next = queue.next, chosen
  end
end

-- Timers that are due are gathered first, and go off together.
local due, gathered = {}, 0

local function gather(timer)
  gathered = gathered + 1
  due[gathered] = timer
end

local set, fire_due = timers.set, timers.fire_due

function timers.set(timer, delay)
  if timer.fire ~= gather then
    timer.go_off, timer.fire = timer.fire, gather
  end
  set(timer, delay)
end

--- Lets all timers go off that are due; those of the same moment in drawn order.
local function fire_all(draw)
  fire_due(math.huge)
  while gathered > 0 do
    local group, first = due, 1
    local count = gathered
    due, gathered = {}, 0
    while first <= count do
      local last = first
      while last < count and group[last + 1].at == group[first].at do
        last = last + 1
      end
      for i = last, first, -1 do
        local j = first - 1 + draw(i - first + 1)
        group[i], group[j] = group[j], group[i]
        group[i]:go_off()
      end
      first = last + 1
    end
    fire_due(math.huge)
  end
end

-- What a turn takes of the budget of a step.
local TURN = 10

--- Installs this in a kernel whose modules have been loaded.
-- @param draw see rng.lua
-- @param before_turn called with each task that is about to run
function M.install(scheduler, draw, before_turn)
  local run = scheduler.run

  function timers.fire_due()
    fire_all(draw)
  end

  function scheduler.run(budget)
    repeat
      if urgent > 0 then
        urgent = urgent - 1
      else
        choose(draw)
      end
      if queue.next ~= LAST then
        M.turns = M.turns + 1
        before_turn(queue.next)
      end
      run(1)
      budget = budget - TURN
    until queue.next == LAST or budget <= 0
  end
end

return M
