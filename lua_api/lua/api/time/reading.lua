--- Reads a date from text by a Go reference layout, by the rules of Go's time.Parse.
-- Knows no instants and no locations: it gives the fields it read.

local chunks = require("api.time.chunks")
local civil = require("api.time.civil")
local digits = require("api.time.digits")
local zone_text = require("api.time.zone_text")

local M = {}

-- A reader takes the text that is left, the date so far and the chunk. It gives the text that
-- is left then; or nil when the text does not fit; or the text and what is out of range.

--- The reader of a number that `pattern` finds, from `least` to `most` if they are given.
local function number(name, pattern, least, most)
  return function(text, date)
    local found = text:match(pattern)
    if not found then
      return nil
    end
    local value = tonumber(found)
    date[name] = value
    local rest = text:gsub(pattern, "", 1)
    if least and (value < least or value > most) then
      return rest, name
    end
    return rest
  end
end

local ONE_OR_TWO, TWO = "^%d%d?", "^%d%d"

--- The reader of one of `names`, cut to `length` if it is given; case does not matter.
local function one_of(names, name, length)
  return function(text, date)
    for index, full in ipairs(names) do
      local wanted = length and full:sub(1, length) or full
      if text:sub(1, #wanted):lower() == wanted:lower() then
        date[name] = index
        return text:sub(#wanted + 1)
      end
    end
    return nil
  end
end

--- A reader that first skips up to `most` spaces.
local function spaced(most, reader)
  return function(text, ...)
    for _ = 1, most do
      text = text:gsub("^ ", "")
    end
    return reader(text, ...)
  end
end

--- Reads ".123" as nanoseconds; digits after the ninth are dropped.
local function fraction(text, date)
  local found = text:match("^[.,](%d+)")
  date.nanosecond = tonumber((found .. "000000000"):sub(1, 9))
  return text:sub(#found + 2)
end

local function exact_fraction(text, date, chunk)
  local found = text:sub(1, chunk.digits + 1)
  if not found:find("^[.,]%d+$") or #found <= chunk.digits then
    return nil
  end
  fraction(found, date)
  return text:sub(#found + 1)
end

local function optional_fraction(text, date)
  if text:find("^[.,]%d") then
    return fraction(text, date)
  end
  return text
end

--- The reader of seconds: it also takes a fraction that the layout does not mention.
local function second(pattern)
  local read = number("second", pattern, 0, 59)
  return function(text, date, _, next_chunk)
    local rest, problem = read(text, date)
    if rest and not problem and not next_chunk.digits then
      return optional_fraction(rest, date)
    end
    return rest, problem
  end
end

local function two_digit_year(text, date)
  local found = text:match(TWO)
  if not found then
    return nil
  end
  local year = tonumber(found)
  date.year = year + (year >= 69 and 1900 or 2000)
  return text:sub(3)
end

--- The reader of "PM" or "AM" in the given spelling.
local function half(before_noon, after_noon)
  return function(text, date)
    local found = text:sub(1, 2)
    if found ~= before_noon and found ~= after_noon then
      return nil
    end
    date.half = found == after_noon and "afternoon" or "morning"
    return text:sub(3)
  end
end

local READERS = {
  ["January"] = one_of(chunks.MONTHS, "month"),
  ["Jan"] = one_of(chunks.MONTHS, "month", 3),
  ["1"] = number("month", ONE_OR_TWO, 1, 12),
  ["01"] = number("month", TWO, 1, 12),
  ["Monday"] = one_of(chunks.WEEKDAYS, "weekday"),
  ["Mon"] = one_of(chunks.WEEKDAYS, "weekday", 3),
  ["2"] = number("day", ONE_OR_TWO),
  ["_2"] = spaced(1, number("day", ONE_OR_TWO)),
  ["02"] = number("day", TWO),
  ["__2"] = spaced(2, number("year_day", "^%d%d?%d?")),
  ["002"] = number("year_day", "^%d%d%d"),
  ["15"] = number("hour", ONE_OR_TWO, 0, 23),
  ["3"] = number("hour", ONE_OR_TWO, 0, 12),
  ["03"] = number("hour", TWO, 0, 12),
  ["4"] = number("minute", ONE_OR_TWO, 0, 59),
  ["04"] = number("minute", TWO, 0, 59),
  ["5"] = second(ONE_OR_TWO),
  ["05"] = second(TWO),
  ["2006"] = number("year", "^%d%d%d%d"),
  ["06"] = two_digit_year,
  ["PM"] = half("AM", "PM"),
  ["pm"] = half("am", "pm"),
  ["MST"] = zone_text.read_abbreviation,
}
for field, form in pairs(zone_text.OFFSETS) do
  READERS[field] = zone_text.offset_reader(form)
end

local function reader_of(chunk)
  if chunk.digits then
    return chunk.trims and optional_fraction or exact_fraction
  end
  return READERS[chunk.field]
end

--- The text after a literal prefix; a run of spaces stands for any run of spaces.
local function without_prefix(text, prefix)
  local position, index = 1, 1
  while index <= #prefix do
    local wanted, found = prefix:sub(index, index), text:sub(position, position)
    if wanted == " " then
      if found ~= " " and found ~= "" then
        return nil, text:sub(position)
      end
      index, position = prefix:match("^ *()", index), text:match("^ *()", position)
    elseif found ~= wanted then
      return nil, text:sub(position)
    else
      index, position = index + 1, position + 1
    end
  end
  return text:sub(position)
end

--- Settles month and day, and checks that they make a date. Gives what is wrong, or nil.
local function complete(date)
  local year = date.year
  if date.half == "afternoon" and date.hour < 12 then
    date.hour = date.hour + 12
  elseif date.half == "morning" and date.hour == 12 then
    date.hour = 0
  end
  if date.year_day then
    if date.year_day < 1 or date.year_day > (civil.is_leap(year) and 366 or 365) then
      return "day-of-year out of range"
    end
    local month, day = civil.month_and_day(year, date.year_day)
    if date.month and date.month ~= month then
      return "day-of-year does not match month"
    elseif date.day and date.day ~= day then
      return "day-of-year does not match day"
    end
    date.month, date.day = month, day
  end
  date.month, date.day = date.month or 1, date.day or 1
  if date.day < 1 or date.day > civil.days_in(year, date.month) then
    return "day out of range"
  end
  return nil
end

--- Reads `text`; gives a table of year month day hour minute second nanosecond and of what the
-- text says about its zone (`utc`, `offset`, `abbreviation`); or nil and what is wrong.
function M.parse(layout, text)
  local function mismatch(rest, element)
    local quoted = digits.quoted
    return ("parsing time %s as %s: cannot parse %s as %s"):format(
      quoted(text), quoted(layout), quoted(rest), quoted(element)
    )
  end
  local function wrong(problem)
    return ("parsing time %s: %s"):format(digits.quoted(text), problem)
  end

  local date = { year = 0, hour = 0, minute = 0, second = 0, nanosecond = 0 }
  local list, left = chunks.of(layout), text
  for index, chunk in ipairs(list) do
    local rest, stopped_at = without_prefix(left, chunk.prefix)
    if not rest then
      return nil, mismatch(stopped_at, chunk.prefix)
    end
    left = rest
    if chunk.field then
      local problem
      rest, problem = reader_of(chunk)(left, date, chunk, list[index + 1])
      if not rest then
        return nil, mismatch(left, chunk.field)
      elseif problem then
        return nil, wrong(problem .. " out of range")
      end
      left = rest
    end
  end
  if left ~= "" then
    return nil, wrong("extra text: " .. digits.quoted(left))
  end
  local problem = complete(date)
  if problem then
    return nil, wrong(problem)
  end
  return date
end

return M
