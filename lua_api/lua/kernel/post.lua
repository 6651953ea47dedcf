--- What goes to other Lua states: rows that wait for the end of the step, for each state one after the
-- other. A row is a list, its kind and its fields; afar.lua says what they mean. Messages and their
-- answers come many at a time, with tickets in a row: one row tells of all. This is a run, no list: its
-- kind, the first ticket, how many there are, the number of the state that it is from, and what its kind
-- has for each ticket.

local memo = require("kernel.memo")
local state = require("kernel.state")
local wire = require("kernel.wire")

local encode, encode_list = wire.encode, wire.encode_list
local NIL, FALSE = encode(nil), encode(false)
local concat = table.concat
local unpack = table.unpack or unpack

local M = {
  ANSWER = 1, -- ticket, value, failure, another value, the spawner of the linked process that is the value
  BORN = 2, -- pid, entry, asker and ticket of its SPAWN, or nil and that of its START_CHILD: to the hub
  ENDED = 3, -- pid, result, failure, whether another process took it along, whether it was loading
  -- Requests have the number of the state that asks and its ticket, or ticket 0 for no answer.
  SEND = 4, -- a run: for each message, pid and topic (or false: those of the one before), sender, payload
  WATCH = 5, -- asker, ticket, pid: tell me its end
  LINK = 6, -- asker, ticket, pid, peer
  CANCEL = 7, -- asker, ticket, pid, sender, reason; the hub is answered as by ROOM
  TERMINATE = 8, -- asker, ticket, pid
  SPAWN = 9, -- asker, ticket, host, entry, arguments as bytes, parent, link, watch
  CALL_SUPERVISOR = 10, -- asker, ticket, pid, verb, argument
  REGISTER = 11, -- asker, ticket, name, pid
  UNREGISTER = 12, -- asker, ticket, name
  LOOKUP = 13, -- asker, ticket, name
  ROOM = 14, -- asker, ticket, pid, events: whether its mailbox takes another message, or event
  UNLINK = 15, -- pid, peer
  PLACED = 16, -- asker, ticket: a spawn that the hub passed on is done
  -- Between the hub and the state of a supervised process.
  START_CHILD = 17, -- ticket, owner, host, entry, arguments as bytes, name, ready
  STOP_CHILD = 18, -- ticket, reason
  KILL_CHILD = 19, -- ticket
  CHILD_UP = 20, -- ticket, pid, value
  CHILD_DOWN = 21, -- ticket, failure, how others ended it
  SEND_AT_ONCE = 22, -- as SEND, but the mailbox takes it even if it is full
  ANSWER_TRUE = 23, -- a run of tickets, and nothing else
  UPGRADED = 24, -- pid, entry: to the hub
}

local text = memo.of(wire.encode)

local boxes, numbers = {}, {}

-- A process may find no memory anywhere in here: what it has not finished then is not in the box.

local function box_of(to)
  local box = boxes[to]
  if not box then
    -- Besides what is in it, the run that may go on: its kind, the place of its head, its first ticket, the
    -- next one, how many there are, and the pid and topic of the last message.
    box = { n = 0, run = false, head = 0, first = 0, following = 0, length = 0, pid = false, topic = false }
    boxes[to] = box
    numbers[#numbers + 1] = to
  end
  return box
end

local function close_run(box)
  if box.run then
    box[box.head] = encode(box.run) .. encode(box.first) .. encode(box.length) .. encode(state.number)
    box.run = false
  end
end

--- Makes sure that a run of this kind goes on with this ticket.
local function ensure_run(box, kind, ticket)
  if box.run ~= kind or box.following ~= ticket then
    close_run(box)
    box.n = box.n + 1
    box.run, box.head, box.first, box.length, box.pid = kind, box.n, ticket, 0, false
  end
end

function M.row(to, n, ...)
  local box = box_of(to)
  close_run(box)
  local count = box.n + 1
  box[count] = assert(encode_list(n, { ... }))
  box.n = count
end

--- A message of a process here: SEND or SEND_AT_ONCE.
-- @param payload as packed by wire.lua
function M.message(to, kind, ticket, pid, topic, from, payload)
  local box = boxes[to] or box_of(to)
  ensure_run(box, kind, ticket)
  local n = box.n
  if box.pid == pid and box.topic == topic then
    box[n + 1] = FALSE
  else
    box[n + 1] = text(pid) .. text(topic)
  end
  box[n + 2] = from and text(from) or NIL
  box[n + 3] = payload
  box.n, box.pid, box.topic = n + 3, pid, topic
  box.length, box.following = box.length + 1, ticket + 1
end

--- The answer true.
function M.answer_true(to, ticket)
  local box = boxes[to] or box_of(to)
  ensure_run(box, M.ANSWER_TRUE, ticket)
  box.length, box.following = box.length + 1, ticket + 1
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
