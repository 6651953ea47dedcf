--- Questions to other Lua states that wait for their answer.

local queue = require("kernel.queue")

local M = {}

local waiting, asked, last = {}, {}, 0

--- A ticket for a question to a state.
-- @param waiter a task, which goes on with the answer, or a function that gets it
function M.new(to, waiter)
  last = last + 1
  waiting[last], asked[last] = waiter, to
  return last
end

function M.answer(ticket, a, b, c)
  local waiter = waiting[ticket]
  if not waiter then
    return
  end
  waiting[ticket], asked[ticket] = nil, nil
  if type(waiter) == "function" then
    return waiter(a, b, c)
  end
  waiter.r1, waiter.r2, waiter.r3 = a, b, c
  queue.push(waiter)
end

--- Answers everybody who asked a state that is no more.
function M.fail(to, failure)
  local tickets = {}
  for ticket, state in next, asked do
    if state == to then
      tickets[#tickets + 1] = ticket
    end
  end
  table.sort(tickets)
  for i = 1, #tickets do
    M.answer(tickets[i], nil, failure)
  end
end

return M
