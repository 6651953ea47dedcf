--- The `channel` module: what a process can do with a channel it holds.

local argument = require("api.argument")
local classes = require("kernel.classes")
local kernel_channel = require("kernel.channel")
local message = require("api.message")
local op = require("kernel.op")

local bad = argument.bad
local state_of, Handle, TIME = kernel_channel.state_of, kernel_channel.Handle, kernel_channel.TIME
local error, floor, getmetatable, setmetatable, type = error, math.floor, debug.getmetatable, setmetatable, type
local new_message = message.new
local yield = coroutine.yield

local RECEIVE, SELECT, CHANNEL_SEND = op.RECEIVE, op.SELECT, op.CHANNEL_SEND

local M = {}
local methods = {}

--- Makes a Time of a unix time in nanoseconds; set by api/time.lua.
local new_time

function M.on_time(make)
  new_time = make
end

--- What the process gets for an item: see the markers of kernel/channel.lua.
local function received(value, marker, from)
  if marker == true then
    return value, true
  elseif marker == false then
    return nil, false
  elseif marker == TIME then
    return new_time(value), true
  end
  return new_message(marker, from, value), true
end

local function check(name, ch, depth)
  if not state_of[ch] then
    bad(1, name, "channel", ch, depth or 1)
  end
end

function methods.receive(ch)
  local value, marker, from = yield(RECEIVE, ch)
  if marker == true then
    return value, true
  elseif marker == nil then
    bad(1, "receive", "channel", ch)
  end
  return received(value, marker, from)
end

local function check_sendable(name, ch)
  check(name, ch, 2)
  if state_of[ch].kind.mailbox then
    error(name .. ": only the kernel sends on this channel", 3)
  end
end

function methods.send(ch, value)
  check_sendable("send", ch)
  local sent, failure = yield(CHANNEL_SEND, ch, value)
  if sent then
    return true
  elseif sent == false then
    error("send on closed channel", 2)
  end
  return nil, failure
end

function methods.close(ch)
  check("close", ch)
  if not yield(op.CHANNEL_CLOSE, ch) then
    error("close: the inbox and the events of a process stay open", 2)
  end
end

-- Cases belong to the process that made them and may be used again and again.
local Case = { __name = "channel case", __metatable = false }

function methods.case_receive(ch)
  check("case_receive", ch)
  return setmetatable({ ch, false }, Case)
end

function methods.case_send(ch, value)
  check_sendable("case_send", ch)
  return setmetatable({ ch, true, value }, Case)
end

classes.refuse(Handle, "channel")
classes.refuse(Case, "channel case")

Handle.__index = methods
function Handle.__newindex()
  error("channels have no fields that can be set", 2)
end

--- channel.new([capacity])
function M.new(capacity)
  if capacity == nil then
    capacity = 0
  elseif type(capacity) ~= "number" then
    bad(1, "new", "number", capacity)
  elseif capacity < 0 or capacity ~= floor(capacity) then
    error("bad argument #1 to 'new' (a whole number >= 0 expected, got " .. tostring(capacity) .. ")", 2)
  end
  return (yield(op.CHANNEL, capacity))
end

--- channel.select{case, ..., default = true}: the first ready case in list order.
function M.select(cases)
  if type(cases) ~= "table" then
    bad(1, "select", "table", cases)
  end
  local flat, n = {}, #cases
  for i = 1, n do
    local case = cases[i]
    local ch = type(case) == "table" and getmetatable(case) == Case and case[1]
    if not ch or not state_of[ch] then
      error("select: entry " .. i .. " is not a case (use ch:case_receive() or ch:case_send(value)), got " .. argument.type_name(case), 2)
    end
    if case[2] then
      check_sendable("select", ch)
    end
    flat[i * 3 - 2], flat[i * 3 - 1], flat[i * 3] = ch, case[2], case[3]
    -- The list may be changed while we wait: what we need of it afterwards stands behind the triples.
    flat[n * 3 + i] = case
  end
  local has_default = not not cases.default
  if n == 0 and not has_default then
    error("select: no cases and no default: it would wait forever", 2)
  end
  local index, value, marker, from = yield(SELECT, flat, n, has_default)
  if index == 0 then
    return { default = true, ok = true }
  end
  local ok
  local case = flat[n * 3 + index]
  if case[2] then
    value, ok = nil, marker
  else
    value, ok = received(value, marker, from)
  end
  return { channel = case[1], value = value, ok = ok }
end

return M
