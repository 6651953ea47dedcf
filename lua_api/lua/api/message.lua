--- Message objects: `msg:topic()`, `msg:from()`, `msg:payload()`.
-- The same names read as fields print as the value they stand for, so `print(msg.topic, msg.payload)`
-- works; such a field is a view that is called, compared, indexed and printed like its value.

local classes = require("kernel.classes")
local error, getmetatable, rawget, setmetatable = error, debug.getmetatable, rawget, setmetatable
local tostring, type = tostring, type

local M = {}

local Message = { __name = "message", __metatable = false }
local View = { __name = "message field", __metatable = false }

local slots = { topic = 1, from = 2, payload = 3 }

function M.new(topic, from, payload)
  return setmetatable({ topic, from, payload }, Message)
end

function Message.__index(message, key)
  local slot = slots[key]
  if slot then
    return setmetatable({ message[slot] }, View)
  end
end

function Message.__newindex()
  error("messages cannot be changed", 2)
end

function Message.__tostring(message)
  return "message " .. tostring(message[1]) .. ": " .. tostring(message[3])
end

--- The value behind a view; any other value is itself.
local function value_of(value)
  if type(value) == "table" and getmetatable(value) == View then
    return rawget(value, 1)
  end
  return value
end
M.value_of = value_of

function View.__call(view)
  return view[1]
end

function View.__tostring(view)
  return tostring(rawget(view, 1))
end

function View.__index(view, key)
  local value = rawget(view, 1)
  local found = nil
  if value ~= nil then
    found = value[key]
  end
  if found and type(value) == "string" then
    -- A method of the text, which takes the text where it is called on the view.
    return function(self, ...)
      return found(value_of(self), ...)
    end
  end
  return found
end

function View.__newindex()
  error("messages cannot be changed", 2)
end

function View.__len(view)
  return #rawget(view, 1)
end

function View.__concat(left, right)
  return value_of(left) .. value_of(right)
end

function View.__eq(left, right)
  return value_of(left) == value_of(right)
end

function View.__lt(left, right)
  return value_of(left) < value_of(right)
end

function View.__le(left, right)
  return value_of(left) <= value_of(right)
end

function View.__pairs(view)
  return pairs(rawget(view, 1))
end

local operators = {
  __add = "a + b",
  __sub = "a - b",
  __mul = "a * b",
  __div = "a / b",
  __mod = "a % b",
  __pow = "a ^ b",
  __unm = "-a",
}
for event, expression in pairs(operators) do
  local operate = load("return function(a, b) return " .. expression .. " end")()
  View[event] = function(left, right)
    return operate(value_of(left), value_of(right))
  end
end

-- Sent on, a field is its value and a message is a table of its three parts.
classes.transparent(View, value_of)
classes.transparent(Message, function(message)
  return { topic = message[1], from = message[2], payload = message[3] }
end)

return M
