--- What goes to other Lua states: rows that wait for the end of the step, a list for each state.
-- A row is its kind and its fields; afar.lua says what they mean.

local wire = require("kernel.wire")
local encode_list = wire.encode_list
local unpack = table.unpack or unpack

local M = {
  ANSWER = 1, -- ticket, value, failure, another value
  BORN = 2, -- pid, entry, ticket and asker of the spawn, or ticket of the seat: to the hub
  ENDED = 3, -- pid, result, failure, whether another process took it along, whether it was loading
  -- Requests have the number of the state that asks and its ticket, or ticket 0 for no answer.
  SEND = 4, -- asker, ticket, pid, topic, payload as bytes, sender
  WATCH = 5, -- asker, ticket, pid: tell me its end
  LINK = 6, -- asker, ticket, pid, peer
  CANCEL = 7, -- asker, ticket, pid, sender, reason
  TERMINATE = 8, -- asker, ticket, pid
  SPAWN = 9, -- asker, ticket, host, entry, arguments as bytes, parent, link, watch
  CALL_SUPERVISOR = 10, -- asker, ticket, pid, verb, argument
  REGISTER = 11, -- asker, ticket, name, pid
  UNREGISTER = 12, -- asker, ticket, name
  LOOKUP = 13, -- asker, ticket, name
  ROOM = 14, -- asker, ticket, pid: whether its mailbox takes another message
  UNLINK = 15, -- pid, peer
  PLACED = 16, -- asker, ticket: a spawn that the hub passed on is done
  -- Between the hub and the state of a supervised process.
  START_CHILD = 17, -- ticket, owner, host, entry, arguments as bytes, name, ready
  STOP_CHILD = 18, -- ticket, reason
  KILL_CHILD = 19, -- ticket
  CHILD_UP = 20, -- ticket, pid, value
  CHILD_DOWN = 21, -- ticket, failure, how others ended it
  SEND_AT_ONCE = 22, -- as SEND, but the mailbox takes it even if it is full
  UPGRADED = 23, -- pid, entry: to the hub
}

local boxes, numbers = {}, {}

function M.row(state, n, ...)
  local box = boxes[state]
  if not box then
    box = { count = 0 }
    boxes[state] = box
    numbers[#numbers + 1] = state
  end
  local count = box.count + 1
  box.count, box[count] = count, assert(encode_list(n, { ... }))
end

--- What goes out now, as a number of values: a state and the bytes that it is to receive, and so on.
function M.take()
  if not numbers[1] then
    return
  end
  local posts = {}
  for i = 1, #numbers do
    local box = boxes[numbers[i]]
    posts[i * 2 - 1], posts[i * 2] = numbers[i], wire.join(box.count, box)
  end
  boxes, numbers = {}, {}
  return unpack(posts)
end

return M
