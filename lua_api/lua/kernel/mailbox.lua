--- Mailboxes: where the messages and events for a process wait.
-- `proc.mailbox` maps a topic to the channel of its listener; the inbox, the events and the upgrades are
-- there too, under their kinds. `proc.mail` counts the messages that nobody received yet.

local channel = require("kernel.channel")
local work = require("kernel.work")
local fault = require("kernel.fault")
local queue = require("kernel.queue")

local kinds, new_fault = fault.kinds, fault.new
local LAST = queue.LAST
local byte, type = string.byte, type
local sort = table.sort
local hand_over, put, new_channel = channel.hand_over, channel.put, channel.of_mailbox
local INBOX, EVENTS, UPGRADES, TOPIC = channel.INBOX, channel.EVENTS, channel.UPGRADES, channel.TOPIC

local AT = byte("@")

-- Looking at this many messages takes about as long as a request.
local A_REQUEST = 16

local M = {}

--- The error for what a process has no room for.
function M.full(proc)
  local limit = proc.program.host.max_mailbox
  return new_fault(kinds.RATE_LIMITED, "mailbox of " .. proc.pid .. " is full: it holds its max_mailbox of " .. limit)
end

--- The error for a topic that nobody may use; none for what is no text: the API raises for it.
function M.reserved(topic)
  if type(topic) ~= "string" then
    return nil
  end
  return new_fault(kinds.INVALID, 'invalid topic "' .. topic .. '": a topic is not empty and does not start with "@"')
end

local function open(proc, key, kind)
  local ch = new_channel(proc, kind, key)
  if proc.mailbox then
    proc.mailbox[key] = ch
  else
    proc.mailbox = { [key] = ch }
  end
  return ch
end

local function existing(proc, key)
  local mailbox = proc.mailbox
  return mailbox and mailbox[key]
end

--- Forgets the handles of these channels, whose process needs them no more: LuaJIT would keep both for
-- ever, since a channel is found by its handle (see channel.lua) and had the handle, too.
function M.drop_handles(mailbox)
  for _, ch in next, mailbox or {} do
    ch.handle = nil
  end
end

--- The inbox: everything whose topic has no listener.
function M.inbox(proc)
  return existing(proc, INBOX) or open(proc, INBOX, INBOX)
end

--- The channel of EXIT, LINK_DOWN and CANCEL events.
function M.events(proc)
  return existing(proc, EVENTS) or open(proc, EVENTS, EVENTS)
end

--- The channel of the news that there is newer code.
function M.upgrades(proc)
  return existing(proc, UPGRADES) or open(proc, UPGRADES, UPGRADES)
end

--- Whether a process wants to hear of newer code.
function M.hears_of_upgrades(proc)
  return existing(proc, UPGRADES) and true or false
end

local function is_reserved(topic)
  return type(topic) ~= "string" or topic == "" or byte(topic) == AT
end
M.is_reserved = is_reserved

--- Puts a message (already a copy) into the mailbox.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] table what was wrong: the topic, or the mailbox is full
function M.deliver(proc, topic, payload, from)
  local mailbox = proc.mailbox
  local ch = mailbox and mailbox[topic]
  local marker = topic
  if ch then
    marker = ch.kind.marker
  elseif is_reserved(topic) then
    return nil, M.reserved(topic)
  else
    ch = M.inbox(proc)
  end
  local waiter = ch.receivers
  if waiter then
    if waiter.co and not waiter.next_waiter then
      -- The common case of `wake`: one coroutine that waits for this channel alone.
      ch.receivers = false
      waiter.r1, waiter.r2, waiter.r3 = payload, marker, from
      queue.last.next, queue.last, waiter.next = waiter, waiter, LAST
      return true
    end
    return hand_over(ch, payload, marker, from)
  end
  local mail = proc.mail
  if mail >= proc.program.host.max_mailbox then
    return nil, M.full(proc)
  end
  put(ch, payload, from, topic)
  proc.mail = mail + 1
  return true
end

--- Whether fewer events wait for a process than messages may. Whoever is asked to end may be asked again
-- and again; the other events are bounded by what it watches, and never refused.
function M.has_room_for_event(proc)
  local ch = existing(proc, EVENTS)
  return not ch or channel.length(ch) < proc.program.host.max_mailbox
end

function M.has_room(proc)
  return proc.mail < proc.program.host.max_mailbox
end

--- Puts a message into the mailbox even if it is full.
-- @treturn boolean whether there is room for another one; nil and an error as `deliver`
function M.deliver_anyway(proc, topic, payload, from)
  local unread = proc.mail
  proc.mail = -1
  local ok, failure = M.deliver(proc, topic, payload, from)
  proc.mail = unread + proc.mail + 1
  if not ok then
    return nil, failure
  end
  return M.has_room(proc)
end

--- Puts an event into the mailbox. Events are never dropped.
function M.deliver_event(proc, event)
  local ch = M.events(proc)
  if not hand_over(ch, event, true) then
    put(ch, event)
  end
end

--- Moves what waits in the inbox under `topic` to the new listener, in order.
local function claim(proc, topic, listener)
  local inbox = existing(proc, INBOX)
  if not inbox or inbox.head == inbox.tail then
    return
  end
  local buffer, kept, n = inbox.buffer, {}, 1
  work.extra = work.extra + channel.length(inbox) / A_REQUEST
  for at = inbox.head, inbox.tail - 3, 3 do
    local payload, from, of_topic = buffer[at], buffer[at + 1], buffer[at + 2]
    if of_topic == topic then
      put(listener, payload, from)
    else
      kept[n], kept[n + 1], kept[n + 2] = payload, from, of_topic
      n = n + 3
    end
  end
  inbox.buffer, inbox.head, inbox.tail = kept, 1, n
end

local function move(ch, topic, inbox)
  local buffer, stride = ch.buffer, ch.kind.stride
  for at = ch.head, ch.tail - stride, stride do
    put(inbox, buffer[at], buffer[at + 1], topic or buffer[at + 2])
  end
end

--- Takes all channels from the code of a process. What nobody received stays: events as they are, and
-- messages as if they had never had a listener, those of the inbox first, then topic by topic.
function M.take_back(proc)
  local old = proc.mailbox
  if not old then
    return
  end
  M.drop_handles(old)
  proc.mailbox = {}
  local topics = {}
  for key in next, old do
    if type(key) == "string" then
      topics[#topics + 1] = key
    end
  end
  sort(topics)
  if proc.mail > 0 then
    local inbox = M.inbox(proc)
    if old[INBOX] then
      move(old[INBOX], nil, inbox)
    end
    for i = 1, #topics do
      move(old[topics[i]], topics[i], inbox)
    end
  end
  local events = old[EVENTS]
  if events and events.head ~= events.tail then
    local kept = M.events(proc)
    kept.buffer, kept.head, kept.tail = events.buffer, events.head, events.tail
  end
end

--- The channel of `topic`. `with_messages` makes it hand out message objects from now on.
function M.listen(proc, topic, with_messages)
  local ch = existing(proc, topic)
  if not ch then
    ch = open(proc, topic, with_messages and channel.messages_of(topic) or TOPIC)
    claim(proc, topic, ch)
  elseif with_messages then
    ch.kind = channel.messages_of(topic)
  end
  return ch
end

--- Ends a listener: its channel is closed, later messages of the topic go to the inbox.
-- @treturn[1] boolean true
-- @treturn[2] boolean false
-- @treturn[2] table what was wrong
function M.unlisten(proc, ch)
  if ch and ch.proc == proc and type(ch.key) == "string" and existing(proc, ch.key) == ch then
    proc.mailbox[ch.key] = nil
    proc.mail = proc.mail - channel.length(ch)
    ch.kind, ch.handle = channel.detached(ch.kind), nil
    channel.close(ch)
    return true
  end
  return false, new_fault(kinds.INVALID, "unlisten: the channel is not a topic listener of this process")
end

return M
