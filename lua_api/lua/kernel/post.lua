--- What goes to other Lua states: rows that wait for the end of the step, for each state one after the
-- other. A row is a list, its kind and its fields; afar.lua says what they mean. Messages and their
-- answers come many at a time and in a row: one row tells of all, a run that is no list but starts with
-- its kind.

local memo = require("kernel.memo")
local state = require("kernel.state")
local wire = require("kernel.wire")

local encode, encode_list = wire.encode, wire.encode_list
local NIL, FALSE = encode(nil), encode(false)
local concat = table.concat
local unpack = table.unpack or unpack

local M = {
  ANSWER = 1, -- ticket, value, failure, another value
  BORN = 2, -- pid, entry: to the hub
  ENDED = 3, -- pid, result, failure, whether another process took it along, whether it was loading
  -- Requests have the number of the state that asks and its ticket, or ticket 0 for no answer.
  SEND = 4, -- a run: see `message`
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
  ANSWER_TRUE = 23, -- a run: the first ticket, and how many in a row get the answer true
}

local text = memo.of(wire.encode)

local boxes, numbers = {}, {}

local function box_of(state)
  local box = boxes[state]
  if not box then
    -- The run that may go on: its kind, its next ticket, and how many of a kind it tells of.
    box = { n = 0, run = false, following = 0, length = 0, head = 0, first = 0 }
    boxes[state] = box
    numbers[#numbers + 1] = state
  end
  return box
end

local function close_run(box)
  if box.run then
    box[box.head] = encode(box.run) .. encode(box.first) .. encode(box.length)
    box.run = false
  end
end

local function open_run(box, kind, ticket)
  close_run(box)
  box.n = box.n + 1
  box.run, box.head, box.first, box.length = kind, box.n, ticket, 0
end

function M.row(state, n, ...)
  local box = box_of(state)
  close_run(box)
  local count = box.n + 1
  box.n, box[count] = count, assert(encode_list(n, { ... }))
end

--- A message of a process here: SEND or SEND_AT_ONCE.
-- The run is the first ticket, how many messages there are, the number of the state that asks, and of
-- each message the pid and the topic, or false if they are those of the one before, the sender, and the
-- payload.
-- @param payload as packed by wire.lua
function M.message(to, kind, ticket, pid, topic, from, payload)
  local box = boxes[to] or box_of(to)
  local n
  if box.run ~= kind or box.following ~= ticket then
    open_run(box, kind, ticket)
    n = box.n + 1
    box[n], box.pid = encode(state.number), false
  else
    n = box.n
  end
  if box.pid == pid and box.topic == topic then
    box[n + 1] = FALSE
  else
    box[n + 1], box.pid, box.topic = text(pid) .. text(topic), pid, topic
  end
  box[n + 2], box[n + 3], box.n = from and text(from) or NIL, payload, n + 3
  box.following, box.length = ticket + 1, box.length + 1
end

--- The answer true.
function M.answer_true(to, ticket)
  local box = boxes[to] or box_of(to)
  if box.run ~= M.ANSWER_TRUE or box.following ~= ticket then
    open_run(box, M.ANSWER_TRUE, ticket)
  end
  box.following, box.length = ticket + 1, box.length + 1
end

--- What goes out now, as a number of values: a state and the bytes that it is to receive, and so on.
function M.take()
  if not numbers[1] then
    return
  end
  local posts = {}
  for i = 1, #numbers do
    local box = boxes[numbers[i]]
    close_run(box)
    posts[i * 2 - 1], posts[i * 2] = numbers[i], concat(box, "", 1, box.n)
  end
  boxes, numbers = {}, {}
  return unpack(posts)
end

return M
