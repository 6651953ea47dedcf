--- Go reference layouts: writes dates by them, and names the common ones.
-- Knows a date as a plain table: year month day hour minute second nanosecond weekday year_day
-- offset abbreviation.

local chunks = require("api.time.chunks")
local digits = require("api.time.digits")
local reading = require("api.time.reading")
local zone_text = require("api.time.zone_text")

local M = {}

M.NAMED = {
  RFC3339 = "2006-01-02T15:04:05Z07:00",
  RFC3339NANO = "2006-01-02T15:04:05.999999999Z07:00",
  RFC822 = "02 Jan 06 15:04 MST",
  RFC822Z = "02 Jan 06 15:04 -0700",
  RFC850 = "Monday, 02-Jan-06 15:04:05 MST",
  RFC1123 = "Mon, 02 Jan 2006 15:04:05 MST",
  RFC1123Z = "Mon, 02 Jan 2006 15:04:05 -0700",
  KITCHEN = "3:04PM",
  STAMP = "Jan _2 15:04:05",
  STAMP_MILLI = "Jan _2 15:04:05.000",
  STAMP_MICRO = "Jan _2 15:04:05.000000",
  STAMP_NANO = "Jan _2 15:04:05.000000000",
  DATE_TIME = "2006-01-02 15:04:05",
  DATE_ONLY = "2006-01-02",
  TIME_ONLY = "15:04:05",
}

--- What `tostring` of a Time shows.
M.FULL = "2006-01-02 15:04:05.999999999 -0700 MST"

local padded = digits.padded

local function spaced(number, width)
  local text = ("%d"):format(number)
  return (" "):rep(width - #text) .. text
end

local function hour12(date)
  local hour = date.hour % 12
  return hour == 0 and 12 or hour
end

local function fraction(date, chunk)
  local text = padded(date.nanosecond, 9) .. ("0"):rep(chunk.digits - 9)
  text = text:sub(1, chunk.digits)
  if chunk.trims then
    text = text:gsub("0+$", "")
    if text == "" then
      return ""
    end
  end
  return chunk.field:sub(1, 1) .. text
end

local WRITERS = {
  ["January"] = function(date) return chunks.MONTHS[date.month] end,
  ["Jan"] = function(date) return chunks.MONTHS[date.month]:sub(1, 3) end,
  ["1"] = function(date) return padded(date.month, 1) end,
  ["01"] = function(date) return padded(date.month, 2) end,
  ["Monday"] = function(date) return chunks.WEEKDAYS[date.weekday + 1] end,
  ["Mon"] = function(date) return chunks.WEEKDAYS[date.weekday + 1]:sub(1, 3) end,
  ["2"] = function(date) return padded(date.day, 1) end,
  ["_2"] = function(date) return spaced(date.day, 2) end,
  ["02"] = function(date) return padded(date.day, 2) end,
  ["__2"] = function(date) return spaced(date.year_day, 3) end,
  ["002"] = function(date) return padded(date.year_day, 3) end,
  ["15"] = function(date) return padded(date.hour, 2) end,
  ["3"] = function(date) return padded(hour12(date), 1) end,
  ["03"] = function(date) return padded(hour12(date), 2) end,
  ["4"] = function(date) return padded(date.minute, 1) end,
  ["04"] = function(date) return padded(date.minute, 2) end,
  ["5"] = function(date) return padded(date.second, 1) end,
  ["05"] = function(date) return padded(date.second, 2) end,
  ["2006"] = function(date) return padded(date.year, 4) end,
  ["06"] = function(date) return padded(math.max(date.year, 0) % 100, 2) end,
  ["PM"] = function(date) return date.hour >= 12 and "PM" or "AM" end,
  ["pm"] = function(date) return date.hour >= 12 and "pm" or "am" end,
  ["MST"] = function(date)
    return date.abbreviation ~= "" and date.abbreviation or zone_text.written(date.offset, "", 2)
  end,
}

for field, form in pairs(zone_text.OFFSETS) do
  WRITERS[field] = function(date)
    if form.zulu and date.offset == 0 then
      return "Z"
    end
    return zone_text.written(date.offset, form.colon, form.parts)
  end
end

--- The text of a date by a layout.
function M.format(layout, date)
  local texts = {}
  for _, chunk in ipairs(chunks.of(layout)) do
    texts[#texts + 1] = chunk.prefix
    if chunk.digits then
      texts[#texts + 1] = fraction(date, chunk)
    elseif chunk.field then
      texts[#texts + 1] = WRITERS[chunk.field](date)
    end
  end
  return table.concat(texts)
end

M.parse = reading.parse

return M
