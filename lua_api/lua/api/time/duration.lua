--- Duration: a length of time, an immutable number of nanoseconds. Knows no clock.

local classes = require("kernel.classes")
local duration_text = require("api.time.duration_text")
local fault = require("kernel.fault")
local int = require("kernel.int")
local memo = require("kernel.memo")
local object = require("api.time.object")

local M = {}

local TAG = 3
local NANOSECONDS = {} -- the private key of an object's value
local SECOND, MINUTE, HOUR = 1000000000, 60000000000, 3600000000000
local LIMIT = 2 ^ 63

local methods = {}
local Duration = object.class("Duration", methods)

local math_type = math.type or type
local tointeger = math.tointeger or function(number)
  return number == math.floor(number) and number or nil
end

function M.new(nanoseconds)
  return setmetatable({ [NANOSECONDS] = nanoseconds }, Duration)
end

local function from_number(number)
  if math_type(number) == "integer" then
    return number
  end
  if not (number > -LIMIT and number < LIMIT) then
    return nil, fault.new("Invalid", ("time: duration out of range: %g ns"):format(number))
  end
  return number < 0 and math.ceil(number) or math.floor(number)
end

local from_text = memo.of(function(text)
  local nanoseconds, problem = duration_text.parse(text)
  if not nanoseconds then
    return nil, fault.new("Invalid", problem)
  end
  return nanoseconds
end)

--- The nanoseconds of a number, a text such as "1h30m", or a Duration; else `nil, err`.
-- Fractions of a nanosecond are cut off.
function M.nanoseconds_of(value)
  local kind = type(value)
  if kind == "number" then
    return from_number(value)
  elseif kind == "string" then
    return from_text(value)
  elseif object.is(value, Duration) then
    return value[NANOSECONDS]
  end
  return nil, fault.new("Invalid", object.mismatch("duration", value))
end

--- The nanoseconds of an argument, or `nil, err`. A value of a type that is no duration raises,
-- and blames the line that called the function which calls this.
function M.argument(value, position, name)
  local kind = type(value)
  if kind ~= "number" and kind ~= "string" and not object.is(value, Duration) then
    local problem = object.mismatch("duration", value)
    error(("bad argument #%d to '%s' (%s)"):format(position, name, problem), 3)
  end
  return M.nanoseconds_of(value)
end

--- A Duration of what `nanoseconds_of` takes, or `nil, err`.
function M.parse(value)
  local nanoseconds, err = M.nanoseconds_of(value)
  if not nanoseconds then
    return nil, err
  end
  return M.new(nanoseconds)
end

function M.is(value)
  return object.is(value, Duration)
end

--- Whether an integer result is none: it wrapped around, as the same sum or product in floats
-- shows, or, on a Lua without integers, it is out of range.
function M.wrapped(exact, approximate)
  local size = math.abs(approximate)
  return size >= 1.5 * LIMIT
    or (size >= LIMIT / 2 and (exact < 0) ~= (approximate < 0))
    or math.abs(exact) > LIMIT
end

--- Integer division toward zero.
local function quotient(dividend, divisor)
  local result = int.div(dividend, divisor)
  if result < 0 and result * divisor ~= dividend then
    return result + 1
  end
  return result
end

--- The count of whole units and the rest as a fraction of a unit.
local function in_units(nanoseconds, unit)
  local whole = quotient(nanoseconds, unit)
  return whole + (nanoseconds - whole * unit) / unit
end

--- The method that gives `convert(nanoseconds, unit)`.
local function getter(name, convert, unit)
  methods[name] = function(self)
    object.self(self, Duration, name)
    return convert(self[NANOSECONDS], unit)
  end
end

getter("nanoseconds", quotient, 1)
getter("microseconds", quotient, 1000)
getter("milliseconds", quotient, 1000000)
getter("seconds", in_units, SECOND)
getter("minutes", in_units, MINUTE)
getter("hours", in_units, HOUR)

--- An operand of + and -, or an error that blames the line of the operator.
function M.operand(value, position, name)
  local nanoseconds, err = M.nanoseconds_of(value)
  if not nanoseconds then
    error(("bad argument #%d to '%s' (%s)"):format(position, name, tostring(err)), 3)
  end
  return nanoseconds
end

--- Checks an operand of * and /.
local function check(valid, wanted, value, position, name)
  if not valid then
    local problem = object.mismatch(wanted, value)
    error(("bad argument #%d to '%s' (%s)"):format(position, name, problem), 3)
  end
end

local function in_range(exact, approximate)
  if M.wrapped(exact, approximate) then
    error("duration out of range", 3)
  end
  return exact
end

--- A result in floats, cut to nanoseconds.
local function cut(number)
  local nanoseconds = from_number(number)
  if not nanoseconds then
    error("duration out of range", 3)
  end
  return nanoseconds
end

function Duration.__add(left, right)
  local a, b = M.operand(left, 1, "add"), M.operand(right, 2, "add")
  return M.new(in_range(a + b, a + 0.0 + b))
end

function Duration.__sub(left, right)
  local a, b = M.operand(left, 1, "sub"), M.operand(right, 2, "sub")
  return M.new(in_range(a - b, a + 0.0 - b))
end

function Duration.__unm(self)
  local value = self[NANOSECONDS]
  return M.new(in_range(-value, -(value + 0.0)))
end

function Duration.__mul(left, right)
  local position, factor = 2, right
  if not M.is(left) then
    position, left, factor = 1, right, left
  end
  check(type(factor) == "number", "number", factor, position, "mul")
  local value, whole = left[NANOSECONDS], tointeger(factor)
  if whole then
    return M.new(in_range(value * whole, (value + 0.0) * whole))
  end
  return M.new(cut(value * factor))
end

--- A Duration by a number is a Duration, by a Duration it is a number.
function Duration.__div(left, right)
  check(M.is(left), "Duration", left, 1, "div")
  local value = left[NANOSECONDS]
  if M.is(right) then
    return value / right[NANOSECONDS]
  end
  check(type(right) == "number", "number", right, 2, "div")
  local whole = tointeger(right)
  if whole and whole ~= 0 then
    return M.new(in_range(quotient(value, whole), (value + 0.0) / whole))
  end
  return M.new(cut(value / right))
end

function Duration.__eq(left, right)
  return M.is(left) and M.is(right) and left[NANOSECONDS] == right[NANOSECONDS]
end

--- Durations compare with each other and with numbers, so with `time.SECOND` too.
local function comparable(value, other)
  if type(value) == "number" then
    return value
  elseif not M.is(value) then
    local names = { object.type_name(value), object.type_name(other) }
    error(("attempt to compare %s with %s"):format(names[1], names[2]), 3)
  end
  return value[NANOSECONDS]
end

function Duration.__lt(left, right)
  return comparable(left, right) < comparable(right, left)
end

function Duration.__le(left, right)
  return comparable(left, right) <= comparable(right, left)
end

function Duration.__tostring(self)
  return duration_text.format(self[NANOSECONDS])
end

classes.register(Duration, TAG, function(self)
  local nanoseconds = self[NANOSECONDS]
  return type(nanoseconds) == "number" and from_number(nanoseconds) or nil
end, M.new)

return M
