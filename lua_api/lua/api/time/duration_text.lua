--- Durations as text, by the grammar of Go's time package. Knows numbers of nanoseconds only.

local digits = require("api.time.digits")
local int = require("kernel.int")

local M = {}

local MAX = 9223372036854775807
local MIN = -MAX - 1
local LAST_BEFORE_TEN_TIMES = -922337203685477580 -- MIN / 10
local LAST_FRACTION = "9223372036854775808" -- 2^63

local UNITS = {
  ns = 1,
  us = 1000,
  ["\194\181s"] = 1000, -- U+00B5, micro sign
  ["\206\188s"] = 1000, -- U+03BC, Greek letter mu
  ms = 1000000,
  s = 1000000000,
  m = 60000000000,
  h = 3600000000000,
}

-- Sums are kept negative: -2^63 is a duration, +2^63 is not.

--- Minus the number that the digits spell, or nil when it is below MIN.
local function negative_of(text)
  local number = 0
  for index = 1, #text do
    if number < LAST_BEFORE_TEN_TIMES then
      return nil
    end
    number = number * 10 - (text:byte(index) - 48)
    if number > 0 or number < MIN then
      return nil
    end
  end
  return number
end

--- How many whole nanoseconds `.text` units are; digits past 2^63 are dropped, as in Go.
local function fraction_of(text, unit)
  local kept = text:sub(1, 19)
  if #kept == 19 and kept > LAST_FRACTION then
    kept = text:sub(1, 18)
  end
  if kept == "" then
    return 0
  end
  return math.floor(tonumber(kept) * (unit / 10 ^ #kept))
end

--- Minus the nanoseconds of one "1.5h", and where the next one starts.
local function element(text, start)
  local whole, point, rest = text:match("^(%d*)(%.?)(%d*)", start)
  if whole == "" and rest == "" then
    return nil, "invalid duration "
  end
  start = start + #whole + #point + #rest
  local name = text:match("^[^%.%d]+", start)
  if not name then
    return nil, "missing unit in duration "
  end
  local unit = UNITS[name]
  if not unit then
    return nil, "unknown unit " .. digits.quoted(name) .. " in duration "
  end
  local count = negative_of(whole)
  if not count or unit > 1 and count < -int.div(MAX, unit) then
    return nil, "invalid duration "
  end
  local sum = count * unit - fraction_of(rest, unit)
  if sum > 0 or sum < MIN then
    return nil, "invalid duration "
  end
  return sum, start + #name
end

--- The nanoseconds that a text such as "1h30m" spells, or nil and what is wrong.
function M.parse(text)
  local sign, rest = text:match("^([+-]?)(.*)$")
  if rest == "0" then
    return 0
  end
  local sum, start = 0, #sign + 1
  repeat
    local part, next_or_problem = element(text, start)
    if not part then
      return nil, "time: " .. next_or_problem .. digits.quoted(text)
    end
    sum, start = sum + part, next_or_problem
    if sum > 0 or sum < MIN or (sum == MIN and sign ~= "-") then
      return nil, "time: invalid duration " .. digits.quoted(text)
    end
  until start > #text
  return sign == "-" and sum or -sum
end

--- "1.5" of `count` = 1500 and `places` = 3: no trailing zeros.
local function with_fraction(count, places)
  local scale = 10 ^ places
  local whole, rest = math.floor(count / scale), math.fmod(count, scale)
  if rest == 0 then
    return ("%d"):format(whole)
  end
  return ("%d.%s"):format(whole, (digits.padded(rest, places):gsub("0+$", "")))
end

--- The shortest text Go gives a duration: `1h30m45s`, `1.5ms`, `0s`.
function M.format(nanoseconds)
  if nanoseconds == 0 then
    return "0s"
  end
  local sign, second = nanoseconds < 0 and "-" or "", UNITS.s
  local seconds = int.div(nanoseconds, second)
  local rest = nanoseconds - seconds * second
  if nanoseconds < 0 then -- from the floor of a negative number to the size of both parts
    seconds = rest > 0 and -seconds - 1 or -seconds
    rest = rest > 0 and second - rest or 0
  end
  if seconds == 0 then
    if rest < UNITS.us then
      return sign .. with_fraction(rest, 0) .. "ns"
    elseif rest < UNITS.ms then
      return sign .. with_fraction(rest, 3) .. "\194\181s"
    end
    return sign .. with_fraction(rest, 6) .. "ms"
  end
  local minutes = int.div(seconds, 60)
  local hours = int.div(minutes, 60)
  local text = with_fraction(seconds % 60 * second + rest, 9) .. "s"
  if minutes > 0 then
    text = ("%dm"):format(minutes % 60) .. text
  end
  if hours > 0 then
    text = ("%dh"):format(hours) .. text
  end
  return sign .. text
end

return M
