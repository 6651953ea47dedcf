--- The run queue: tasks that have something to do, first come, first served.
-- A linked list through the tasks themselves: `task.next` is false for a task that is not queued.

local M = {}

local LAST = {}
M.LAST = LAST
M.first, M.last = LAST, LAST

function M.push(task)
  if task.next then
    return
  end
  task.next = LAST
  if M.first == LAST then
    M.first = task
  else
    M.last.next = task
  end
  M.last = task
end

--- Puts a task before all others: it goes on within the step that made it ready.
function M.push_front(task)
  if task.next then
    return
  end
  task.next = M.first
  if M.first == LAST then
    M.last = task
  end
  M.first = task
end

function M.pop()
  local task = M.first
  if task == LAST then
    return nil
  end
  M.first = task.next
  task.next = false
  return task
end

return M
