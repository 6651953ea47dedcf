--- Time: an instant to the nanosecond, and the location its calendar is read in. Knows no clock.

local civil = require("api.time.civil")
local classes = require("kernel.classes")
local duration = require("api.time.duration")
local fault = require("kernel.fault")
local int = require("kernel.int")
local layout = require("api.time.layout")
local location = require("api.time.location")
local object = require("api.time.object")
local rounding = require("api.time.rounding")

local M = {}

local TAG = 2
local SECOND, DAY = 1000000000, 86400 -- in nanoseconds, in seconds
local YEAR_1 = -62135596800 -- 0001-01-01T00:00:00Z, the zero Time; rounding counts from it
local MAX = 9223372036854775807 -- of a Duration and of unix_nano
local MIN = -MAX - 1

-- The private keys of an object's parts: unix seconds, 0 to 999999999 nanoseconds, Location.
local SECONDS, NANOSECONDS, LOCATION = {}, {}, {}

local methods = {}
local Time = object.class("Time", methods)

local function too_far()
  return nil, fault.new("Invalid", "time: more than 285 million years from 1970")
end

--- A Time, or `nil, err` when it is too far from 1970. Nanoseconds of any size carry over.
function M.new(seconds, nanoseconds, where)
  local carry = int.div(nanoseconds, SECOND)
  if not (math.abs(seconds + 0.0 + carry) < civil.FARTHEST) then -- nan is too far as well
    return too_far()
  end
  return setmetatable({
    [SECONDS] = seconds + carry,
    [NANOSECONDS] = nanoseconds - carry * SECOND,
    [LOCATION] = where,
  }, Time)
end

--- The Time at which calendar and clock read this in a location, or `nil, err`. Months, days,
-- hours and so on outside their ranges carry over.
function M.date(year, month, day, hour, minute, second, nanosecond, where)
  local carry = int.div(nanosecond, SECOND)
  local reading = civil.seconds(year, month, day, hour, minute, second + carry)
  if not reading then
    return too_far()
  end
  return M.new(location.instant_of(where, reading), nanosecond - carry * SECOND, where)
end

--- The Time that a text spells by a layout, or `nil, err`. A text that says nothing about its
-- zone is read in `where`.
function M.parse(pattern, text, where)
  local read, problem = layout.parse(pattern, text)
  if not read then
    return nil, fault.new("Invalid", problem)
  end
  local offset, abbreviation = read.offset, read.abbreviation
  local reading =
    civil.seconds(read.year, read.month, read.day, read.hour, read.minute, read.second)
  if read.utc then
    return M.new(reading, read.nanosecond, location.utc)
  elseif offset then
    local used, name = location.lookup(where, reading - offset)
    if used ~= offset or (abbreviation and name ~= abbreviation) then
      where = location.fixed(abbreviation or "", offset, abbreviation or "")
    end
    return M.new(reading - offset, read.nanosecond, where)
  elseif abbreviation then
    offset = location.offset_of(where, abbreviation, reading)
    if not offset then -- an unknown abbreviation says nothing, but "GMT-3" does
      offset = (tonumber(abbreviation:match("^GMT([+-]%d+)$")) or 0) * 3600
      where = location.fixed(abbreviation, offset, abbreviation)
    end
    return M.new(reading - offset, read.nanosecond, where)
  end
  return M.new(location.instant_of(where, reading), read.nanosecond, where)
end

function M.is(value)
  return object.is(value, Time)
end

--- Unix seconds, nanoseconds and Location of a Time.
function M.parts(self)
  return self[SECONDS], self[NANOSECONDS], self[LOCATION]
end

--- The days since 1970 and the second of the day that calendar and clock show.
local function reading_of(self)
  local reading = self[SECONDS] + (location.lookup(self[LOCATION], self[SECONDS]))
  local days = int.div(reading, DAY)
  return days, reading - days * DAY
end

local function date_of(self)
  return civil.date((reading_of(self)))
end

local function clock_of(self)
  local _, second = reading_of(self)
  return int.div(second, 3600), int.div(second, 60) % 60, second % 60
end

local function year_day_of(self)
  return civil.year_day(date_of(self))
end

local function weekday_of(self)
  return civil.weekday((reading_of(self)))
end

local function formatted(self, pattern)
  local date = { nanosecond = self[NANOSECONDS] }
  date.year, date.month, date.day = date_of(self)
  date.hour, date.minute, date.second = clock_of(self)
  date.weekday, date.year_day = weekday_of(self), year_day_of(self)
  date.offset, date.abbreviation = location.lookup(self[LOCATION], self[SECONDS])
  return layout.format(pattern, date)
end

--- The Time `sign` * `nanoseconds` later.
local function shifted(self, nanoseconds, sign)
  local seconds = int.div(nanoseconds, SECOND)
  local rest = nanoseconds - seconds * SECOND
  return M.new(self[SECONDS] + sign * seconds, self[NANOSECONDS] + sign * rest, self[LOCATION])
end

--- The Duration from `other` to `self`; the longest there is if it does not fit, as in Go.
local function difference(self, other)
  local seconds = self[SECONDS] - other[SECONDS]
  local nanoseconds = self[NANOSECONDS] - other[NANOSECONDS]
  local exact = seconds * SECOND + nanoseconds
  if duration.wrapped(exact, (seconds + 0.0) * SECOND + nanoseconds) then
    exact = seconds < 0 and MIN or MAX
  end
  return duration.new(exact)
end

local function is_before(self, other)
  if self[SECONDS] == other[SECONDS] then
    return self[NANOSECONDS] < other[NANOSECONDS]
  end
  return self[SECONDS] < other[SECONDS]
end

local function is_same(self, other)
  return self[SECONDS] == other[SECONDS] and self[NANOSECONDS] == other[NANOSECONDS]
end

local function unix_nano_of(self)
  local seconds, nanoseconds = self[SECONDS], self[NANOSECONDS]
  local exact = seconds * SECOND + nanoseconds
  if duration.wrapped(exact, (seconds + 0.0) * SECOND + nanoseconds) then
    return nil, fault.new("Invalid", "time: unix_nano holds the years 1678 to 2262 only")
  end
  return exact
end

--- The method that takes nothing and gives `read(self)`.
local function getter(name, read)
  methods[name] = function(self)
    object.self(self, Time, name)
    return read(self)
  end
end

getter("date", date_of)
getter("clock", clock_of)
getter("year", function(self) return (date_of(self)) end)
getter("month", function(self) return (select(2, date_of(self))) end)
getter("day", function(self) return (select(3, date_of(self))) end)
getter("hour", function(self) return (clock_of(self)) end)
getter("minute", function(self) return (select(2, clock_of(self))) end)
getter("second", function(self) return (select(3, clock_of(self))) end)
getter("nanosecond", function(self) return self[NANOSECONDS] end)
getter("weekday", weekday_of)
getter("year_day", year_day_of)
getter("unix", function(self) return self[SECONDS] end)
getter("unix_nano", unix_nano_of)
getter("is_zero", function(self) return self[SECONDS] == YEAR_1 and self[NANOSECONDS] == 0 end)
getter("location", function(self) return self[LOCATION] end)
getter("utc", function(self) return M.new(self[SECONDS], self[NANOSECONDS], location.utc) end)
getter("in_local", function(self)
  return M.new(self[SECONDS], self[NANOSECONDS], location.localtz)
end)
getter("format_rfc3339", function(self) return formatted(self, layout.NAMED.RFC3339) end)

function methods.in_location(self, where)
  object.self(self, Time, "in_location")
  object.instance(where, location.class, 1, "in_location")
  return M.new(self[SECONDS], self[NANOSECONDS], where)
end

function methods.format(self, pattern)
  object.self(self, Time, "format")
  object.text(pattern, 1, "format")
  return formatted(self, pattern)
end

function methods.add(self, length)
  object.self(self, Time, "add")
  local nanoseconds, err = duration.argument(length, 1, "add")
  if not nanoseconds then
    return nil, err
  end
  return shifted(self, nanoseconds, 1)
end

--- The Duration since another Time.
function methods.sub(self, other)
  object.self(self, Time, "sub")
  object.instance(other, Time, 1, "sub")
  return difference(self, other)
end

--- The same clock reading, calendar years, months and days later.
function methods.add_date(self, years, months, days)
  object.self(self, Time, "add_date")
  years = object.integer(years, 1, "add_date")
  months = object.integer(months, 2, "add_date", 0)
  days = object.integer(days, 3, "add_date", 0)
  local year, month, day = date_of(self)
  local hour, minute, second = clock_of(self)
  return M.date(
    year + years, month + months, day + days, hour, minute, second,
    self[NANOSECONDS], self[LOCATION]
  )
end

for name, holds in pairs({
  before = is_before,
  after = function(self, other) return is_before(other, self) end,
  equal = is_same,
}) do
  methods[name] = function(self, other)
    object.self(self, Time, name)
    object.instance(other, Time, 1, name)
    return holds(self, other)
  end
end

--- The last multiple of a duration since the zero Time that is not later.
function methods.truncate(self, length)
  object.self(self, Time, "truncate")
  local piece, err = duration.argument(length, 1, "truncate")
  if not piece then
    return nil, err
  elseif piece <= 0 then
    return self
  end
  local rest = rounding.rest(self[SECONDS] - YEAR_1, self[NANOSECONDS], piece)
  return shifted(self, rest, -1)
end

--- The nearest multiple of a duration since the zero Time; the later one from halfway on.
function methods.round(self, length)
  object.self(self, Time, "round")
  local piece, err = duration.argument(length, 1, "round")
  if not piece then
    return nil, err
  elseif piece <= 0 then
    return self
  end
  local rest = rounding.rest(self[SECONDS] - YEAR_1, self[NANOSECONDS], piece)
  if rest < piece - rest then
    return shifted(self, rest, -1)
  end
  return shifted(self, piece - rest, 1)
end

--- The Time, or an error that blames the line of the operator.
local function or_raise(result, err)
  if not result then
    error(tostring(err), 3)
  end
  return result
end

local function check_operand(value, name)
  if not M.is(value) then
    local problem = object.mismatch("Time", value)
    error(("bad argument #1 to '%s' (%s)"):format(name, problem), 3)
  end
end

function Time.__add(left, right)
  check_operand(left, "add")
  local later = or_raise(shifted(left, duration.operand(right, 2, "add"), 1))
  return later
end

--- A Time minus a Time is a Duration, minus a duration it is a Time.
function Time.__sub(left, right)
  check_operand(left, "sub")
  if M.is(right) then
    return difference(left, right)
  end
  local earlier = or_raise(shifted(left, duration.operand(right, 2, "sub"), -1))
  return earlier
end

local function check_order(left, right)
  if not (M.is(left) and M.is(right)) then
    local names = { object.type_name(left), object.type_name(right) }
    error(("attempt to compare %s with %s"):format(names[1], names[2]), 3)
  end
end

--- The same instant; the locations may differ.
function Time.__eq(left, right)
  return M.is(left) and M.is(right) and is_same(left, right)
end

function Time.__lt(left, right)
  check_order(left, right)
  return is_before(left, right)
end

function Time.__le(left, right)
  check_order(left, right)
  return not is_before(right, left)
end

function Time.__tostring(self)
  return formatted(self, layout.FULL)
end

-- A Time takes along what its zone said at that instant, for a state that never saw the zone.
classes.register(Time, TAG, function(self)
  local seconds, nanoseconds, where = object.whole(self[SECONDS]), object.whole(self[NANOSECONDS]), self[LOCATION]
  if not (seconds and nanoseconds and location.is(where)) then
    return nil
  end
  local offset, abbreviation = location.lookup(where, seconds)
  return { seconds, nanoseconds, location.name(where), offset, abbreviation }
end, function(data)
  local seconds, name, offset, abbreviation = data[1], data[3], data[4], data[5]
  local where = location.matching(name, seconds, offset, abbreviation)
  return M.new(seconds, data[2], where)
end)

return M
