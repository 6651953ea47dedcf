--- Channels: buffers with waiting receivers and senders, inside one process.
-- The process holds an empty handle; the state behind it is out of its reach. A mailbox channel is a
-- channel that the kernel fills (see mailbox.lua): it says so by its kind.

local queue = require("kernel.queue")
local push_task = queue.push

local M = {}

--- What the handles of all channels share; the methods are set by api/channel.lua.
M.Handle = { __name = "channel", __metatable = false }
local Handle = M.Handle

local state_of = setmetatable({}, { __mode = "k" })
--- handle -> channel, for as long as the process holds the handle.
M.state_of = state_of

-- The second value of an answer to RECEIVE says what the first one is:
-- true a value, false nothing (closed), a text the payload of a message with that topic, TIME a unix time.
local TIME = 0
M.TIME = TIME

--- A kind: how many places of the buffer an item takes (value, sender, topic), what its items are
-- (a marker as above, nil if it is stored with the item), and whether the kernel alone fills it.
local function kind(stride, marker, filled_by_kernel)
  return { stride = stride, marker = marker, mailbox = filled_by_kernel, counted = stride > 1 }
end

M.PLAIN = kind(1, true, false)
M.TIMER = kind(1, TIME, true)
M.EVENTS = kind(1, true, true)
M.UPGRADES = kind(1, true, true)
M.TOPIC = kind(2, true, true)
M.INBOX = kind(3, nil, true)

-- A buffer that once held many items is not kept when it is empty.
local ROOMY = 256

local message_kinds = setmetatable({}, { __mode = "v" })

--- The kind of a listener that receives message objects.
function M.messages_of(topic)
  local found = message_kinds[topic]
  if not found then
    found = kind(2, topic, true)
    message_kinds[topic] = found
  end
  return found
end

--- The same kind for a channel that is no longer part of the mailbox.
function M.detached(of)
  local copy = kind(of.stride, of.marker, true)
  copy.counted = false
  return copy
end

--- A channel of a mailbox, which has it under `key`. What a process whose code is Python has has no handle:
-- such a process knows it by a number. Eight fields: with more it would take twice the memory.
function M.of_mailbox(proc, of_kind, key)
  local handle = not proc.port and setmetatable({}, Handle)
  local ch = {
    proc = proc,
    kind = of_kind,
    key = key,
    handle = handle,
    buffer = false,
    head = 1,
    tail = 1,
    receivers = false,
  }
  if handle then
    state_of[handle] = ch
  end
  return ch
end

--- A channel that a process makes; returns its handle and the channel.
function M.new(proc, of_kind, capacity)
  local handle = setmetatable({}, Handle)
  local ch = { proc = proc, kind = of_kind, buffer = false, head = 1, tail = 1, receivers = false, capacity = capacity }
  state_of[handle] = ch
  return handle, ch
end

-- Waiters. A waiter is a task (waiting for this channel alone) or a node of a select; both have
-- `task`. Lists are singly linked; the first waiter knows the last.

local function add_waiter(ch, field, waiter)
  local first = ch[field]
  if first then
    local last = first.last_waiter or first
    last.next_waiter, first.last_waiter = waiter, waiter
  else
    ch[field] = waiter
  end
end
M.add_waiter = add_waiter

local function take_waiter(ch, field)
  local first = ch[field]
  local second = first.next_waiter
  if second then
    if second ~= first.last_waiter then
      second.last_waiter = first.last_waiter
    end
    first.next_waiter, first.last_waiter = nil, nil
    ch[field] = second
  else
    ch[field] = false
  end
  return first
end

local function remove_waiter(ch, field, waiter)
  local at = ch[field]
  if at == waiter then
    take_waiter(ch, field)
    return
  end
  local first = at
  while at and at.next_waiter ~= waiter do
    at = at.next_waiter
  end
  if at then
    at.next_waiter = waiter.next_waiter
    if first.last_waiter == waiter then
      first.last_waiter = at ~= first and at or nil
    end
    waiter.next_waiter = nil
  end
end
M.remove_waiter = remove_waiter

--- Takes the nodes of a select out of all channels it waits on.
local function detach(select)
  for i = 1, #select do
    local node = select[i]
    remove_waiter(node.ch, node.field, node)
  end
end
M.detach = detach

--- Makes the task of a waiter ready, with its answer.
local function wake(waiter, value, marker, from)
  local task = waiter.task
  local select = waiter.select
  if select then
    detach(select)
    task.r1, task.r2, task.r3 = waiter.index, value, marker
    if from then
      task.r4 = from
    end
  else
    task.r1, task.r2, task.r3 = value, marker, from
  end
  push_task(task)
end

--- Hands an item to the first waiting receiver; returns false if nobody waits.
function M.hand_over(ch, value, marker, from)
  if not ch.receivers then
    return false
  end
  wake(take_waiter(ch, "receivers"), value, marker, from)
  return true
end

--- Puts an item at the end of the buffer.
function M.put(ch, value, from, topic)
  local buffer, tail = ch.buffer, ch.tail
  if not buffer then
    buffer = {}
    ch.buffer = buffer
  end
  local stride = ch.kind.stride
  buffer[tail] = value
  if stride > 1 then
    buffer[tail + 1] = from
    if stride > 2 then
      buffer[tail + 2] = topic
    end
  end
  ch.tail = tail + stride
end

--- Puts an item that was handed over, but never taken, before all others.
function M.put_back(ch, value, marker, from)
  if M.hand_over(ch, value, marker, from) then
    return
  end
  local buffer, of_kind = ch.buffer or {}, ch.kind
  local stride = of_kind.stride
  local head = ch.head - stride
  ch.buffer, ch.head = buffer, head
  buffer[head] = value
  if stride > 1 then
    buffer[head + 1] = from
    if stride > 2 then
      buffer[head + 2] = marker
    end
    if of_kind.counted then
      ch.proc.mail = ch.proc.mail + 1
    end
  end
end

--- How many items the buffer holds.
function M.length(ch)
  return (ch.tail - ch.head) / ch.kind.stride
end

--- Takes the first item of a buffer that holds one; returns value, marker, sender.
local function take_item(ch)
  local of_kind, buffer, head = ch.kind, ch.buffer, ch.head
  local stride, marker, from = of_kind.stride, of_kind.marker, nil
  local value = buffer[head]
  buffer[head] = nil
  if stride > 1 then
    from = buffer[head + 1]
    buffer[head + 1] = nil
    if stride > 2 then
      marker = buffer[head + 2]
      buffer[head + 2] = nil
    end
    if of_kind.counted then
      local proc = ch.proc
      proc.mail = proc.mail - 1
    end
  end
  head = head + stride
  if head == ch.tail then
    if head > ROOMY then
      ch.buffer = false
    end
    head, ch.tail = 1, 1
  end
  ch.head = head
  return value, marker, from
end

M.take_item = take_item

--- A waiting sender's value moves up as soon as there is room.
local function admit_sender(ch)
  local waiter = take_waiter(ch, "senders")
  if waiter.select then
    wake(waiter, true, true)
    return waiter.value
  end
  local task = waiter.task
  local value = task.sending
  task.sending = nil
  wake(waiter, true)
  return value
end

--- Takes the next item without waiting.
-- @treturn boolean whether there was an answer; then value, marker, sender
function M.try_receive(ch)
  if ch.head ~= ch.tail then
    local value, marker, from = take_item(ch)
    if ch.senders then
      M.put(ch, admit_sender(ch))
    end
    return true, value, marker, from
  end
  if ch.senders then
    return true, admit_sender(ch), true, nil
  end
  if ch.closed then
    return true, nil, false, nil
  end
  return false
end

--- Gives a value without waiting; returns false if there is neither receiver nor room.
function M.try_send(ch, value)
  if M.hand_over(ch, value, true) then
    return true
  end
  if ch.tail - ch.head < ch.capacity then
    M.put(ch, value)
    return true
  end
  return false
end

--- Closes the channel: receivers see the end, waiting senders are refused. Buffered items stay.
-- `refusal` makes the error a waiting sender gets.
function M.close(ch, refusal)
  if ch.closed then
    return
  end
  ch.closed = true
  while ch.receivers do
    wake(take_waiter(ch, "receivers"), nil, false)
  end
  while ch.senders do
    local waiter = take_waiter(ch, "senders")
    if waiter.select then
      wake(waiter, nil, false)
    else
      waiter.task.sending = nil
      wake(waiter, nil, refusal())
    end
  end
end

return M
