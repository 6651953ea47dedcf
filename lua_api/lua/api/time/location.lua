--- Location: the offsets and abbreviations that a place has used. Knows no time zone database.

local fault = require("kernel.fault")
local int = require("kernel.int")
local object = require("api.time.object")

local M = {}

local LARGEST_OFFSET = 2147483647 -- what a time zone file can hold

local methods = {}
local Location = object.class("Location", methods)

-- A location may be shared by processes, so its object is empty and shows nothing to change.
local states = setmetatable({}, { __mode = "k" })
local known = {} -- name -> the location made from transitions

local function new(name, starts, offsets, abbreviations)
  local location = setmetatable({}, Location)
  states[location] =
    { name = name, starts = starts, offsets = offsets, abbreviations = abbreviations }
  return location
end

--- A location that always has one offset, in seconds east of UTC.
function M.fixed(name, offset, abbreviation)
  return new(name, { -math.huge }, { offset }, { abbreviation })
end

--- A location from a list of {unix seconds from which it holds, offset, abbreviation}, in order.
-- The first entry holds for all earlier times and the last one for all later times.
function M.from_transitions(name, transitions)
  local starts, offsets, abbreviations = {}, {}, {}
  for index = 1, #transitions do
    local entry = transitions[index]
    starts[index], offsets[index], abbreviations[index] = entry[1], entry[2], entry[3]
  end
  starts[1] = -math.huge
  known[name] = new(name, starts, offsets, abbreviations)
  return known[name]
end

M.utc = M.fixed("UTC", 0, "UTC")
known.UTC = M.utc

--- The node's own zone. UTC until whoever knows the zone replaces it.
M.localtz = M.utc

function M.is(value)
  return object.is(value, Location)
end

M.class = Location

--- `time.fixed_zone`.
function M.fixed_zone(name, seconds)
  object.text(name, 1, "fixed_zone")
  seconds = object.integer(seconds, 2, "fixed_zone")
  if math.abs(seconds) > LARGEST_OFFSET then
    return nil, fault.new("Invalid", ("time: zone offset out of range: %d s"):format(seconds))
  end
  return M.fixed(name, seconds, name)
end

function M.name(location)
  return states[location].name
end

--- The offset and abbreviation in force at an instant, and when they began and end.
-- They hold from `start` up to, not including, `finish`.
function M.lookup(location, unix_seconds)
  local state = states[location]
  local starts = state.starts
  local low, high = 1, #starts
  while low < high do
    local middle = int.div(low + high + 1, 2)
    if starts[middle] <= unix_seconds then
      low = middle
    else
      high = middle - 1
    end
  end
  return state.offsets[low], state.abbreviations[low], starts[low], starts[low + 1] or math.huge
end

--- The instant at which clocks read `local_seconds` (the reading, counted as if it were UTC).
-- Go's rule: a reading that occurs twice or never is taken by one of the two offsets around
-- the change.
function M.instant_of(location, local_seconds)
  local offset, _, start, finish = M.lookup(location, local_seconds)
  local guess = local_seconds - offset
  if guess < start or guess >= finish then
    offset = M.lookup(location, guess)
  end
  return local_seconds - offset
end

--- The offset that an abbreviation means when clocks read `local_seconds`, or nil.
-- One that is in force then goes before one that was in force at another time.
function M.offset_of(location, abbreviation, local_seconds)
  local state, found = states[location], nil
  for index = 1, #state.offsets do
    if state.abbreviations[index] == abbreviation then
      local offset = state.offsets[index]
      local offset_then, in_force = M.lookup(location, local_seconds - offset)
      if in_force == abbreviation then
        return offset_then
      end
      found = found or offset
    end
  end
  return found
end

--- The known location of this name if it agrees about an instant, else a fixed one that does.
function M.matching(name, unix_seconds, offset, abbreviation)
  local location = known[name]
  if location then
    local its_offset, its_abbreviation = M.lookup(location, unix_seconds)
    if its_offset == offset and its_abbreviation == abbreviation then
      return location
    end
  end
  return M.fixed(name, offset, abbreviation)
end

--- The name, as `tostring` gives it.
function methods.string(self)
  object.self(self, Location, "string")
  return states[self].name
end

function Location.__tostring(self)
  return states[self].name
end

return M
