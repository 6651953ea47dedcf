--- The part of the Lua `time` module that does not wait: Times, Durations, Locations, constants.
-- Knows no clock and no time zone database; whoever does adds `now`, `load_location`, `localtz`.

local duration = require("api.time.duration")
local instant = require("api.time.instant")
local layout = require("api.time.layout")
local location = require("api.time.location")
local object = require("api.time.object")

local M = {
  NANOSECOND = 1,
  MICROSECOND = 1000,
  MILLISECOND = 1000000,
  SECOND = 1000000000,
  MINUTE = 60000000000,
  HOUR = 3600000000000,

  JANUARY = 1,
  FEBRUARY = 2,
  MARCH = 3,
  APRIL = 4,
  MAY = 5,
  JUNE = 6,
  JULY = 7,
  AUGUST = 8,
  SEPTEMBER = 9,
  OCTOBER = 10,
  NOVEMBER = 11,
  DECEMBER = 12,

  SUNDAY = 0,
  MONDAY = 1,
  TUESDAY = 2,
  WEDNESDAY = 3,
  THURSDAY = 4,
  FRIDAY = 5,
  SATURDAY = 6,

  utc = location.utc,
  fixed_zone = location.fixed_zone,
}

for name, pattern in pairs(layout.NAMED) do
  M[name] = pattern
end

--- The Time of a date and a clock reading, in the node's own zone unless a Location is given.
function M.date(year, month, day, hour, minute, second, nanosecond, where)
  year = object.integer(year, 1, "date")
  month = object.integer(month, 2, "date")
  day = object.integer(day, 3, "date")
  hour = object.integer(hour, 4, "date", 0)
  minute = object.integer(minute, 5, "date", 0)
  second = object.integer(second, 6, "date", 0)
  nanosecond = object.integer(nanosecond, 7, "date", 0)
  if where ~= nil then
    object.instance(where, location.class, 8, "date")
  end
  where = where or location.localtz
  return instant.date(year, month, day, hour, minute, second, nanosecond, where)
end

--- The Time of unix seconds, in the node's own zone. Fractions of a second are kept.
function M.unix(seconds, nanoseconds)
  object.number(seconds, 1, "unix")
  nanoseconds = object.integer(nanoseconds, 2, "unix", 0)
  local whole = math.floor(seconds)
  local fraction = seconds - whole
  if fraction > 0 then
    nanoseconds = nanoseconds + math.floor(fraction * M.SECOND + 0.5)
  end
  return instant.new(whole, nanoseconds, location.localtz)
end

--- The Time that a text spells. What says nothing about its zone is read in UTC, or in a
-- Location that is given.
function M.parse(pattern, text, where)
  object.text(pattern, 1, "parse")
  object.text(text, 2, "parse")
  if where ~= nil then
    object.instance(where, location.class, 3, "parse")
  end
  return instant.parse(pattern, text, where or location.utc)
end

function M.parse_duration(value)
  local nanoseconds, err = duration.argument(value, 1, "parse_duration")
  if not nanoseconds then
    return nil, err
  end
  return duration.new(nanoseconds)
end

return M
