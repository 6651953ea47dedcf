--- The run queue: tasks that have something to do, first come, first served.
-- A linked list through the tasks themselves, with this module at its head: `task.next` is false for a
-- task that is not queued, and LAST for the last one.

local M = {}

local LAST = {}
M.LAST = LAST
M.next, M.last = LAST, M

function M.push(task)
  if not task.next then
    M.last.next, M.last, task.next = task, task, LAST
  end
end

--- Puts a task before all others: it goes on within the step that made it ready.
function M.push_front(task)
  if task.next then
    return
  end
  task.next = M.next
  if M.next == LAST then
    M.last = task
  end
  M.next = task
end

-- How often in a row a task is put before all others by what it does itself.
local TURN = 64

--- Puts a task before all others, but not for ever: now and then they get their turns first.
-- @param count the field of the task that counts for how long it went on
function M.push_ahead(task, count)
  local ahead = (task[count] or 0) + 1
  if ahead < TURN then
    task[count] = ahead
    M.push_front(task)
  else
    task[count] = 0
    M.push(task)
  end
end

--- Takes the first task, or nil.
function M.pop()
  local task = M.next
  if task == LAST then
    return nil
  end
  if task.next == LAST then
    M.last = M
  end
  M.next, task.next = task.next, false
  return task
end

return M
