--- Offsets and zone abbreviations as text, both ways. Knows no locations.

local digits = require("api.time.digits")
local int = require("kernel.int")

local M = {}

--- How each offset field is spelt: `colon` between `parts` numbers; `zulu` allows "Z".
M.OFFSETS = {}
for sign, zulu in pairs({ ["-"] = false, Z = true }) do
  M.OFFSETS[sign .. "07"] = { zulu = zulu, colon = "", parts = 1 }
  M.OFFSETS[sign .. "0700"] = { zulu = zulu, colon = "", parts = 2 }
  M.OFFSETS[sign .. "07:00"] = { zulu = zulu, colon = ":", parts = 2 }
  M.OFFSETS[sign .. "070000"] = { zulu = zulu, colon = "", parts = 3 }
  M.OFFSETS[sign .. "07:00:00"] = { zulu = zulu, colon = ":", parts = 3 }
end

--- An offset in seconds as "+01", "+0100", "+01:00", "+010000" or "+01:00:00".
function M.written(offset, colon, parts)
  local size = math.abs(offset)
  local minutes = int.div(size, 60)
  local numbers = { int.div(minutes, 60), minutes % 60, size % 60 }
  local texts = {}
  for index = 1, parts do
    texts[index] = digits.padded(numbers[index], 2)
  end
  return (offset < 0 and "-" or "+") .. table.concat(texts, colon)
end

--- The reader of an offset spelt in the given form: see `reading` for what readers take and give.
function M.offset_reader(form)
  local pattern = "^([+-])(%d%d)" .. (form.colon .. "(%d%d)"):rep(form.parts - 1)
  local length = 1 + form.parts * 2 + #form.colon * (form.parts - 1)
  return function(text, date)
    if form.zulu and text:sub(1, 1) == "Z" then
      date.utc = true
      return text:sub(2)
    end
    local sign, hours, minutes, seconds = text:match(pattern)
    if not sign then
      return nil
    end
    hours, minutes, seconds = tonumber(hours), tonumber(minutes or 0), tonumber(seconds or 0)
    local rest = text:sub(length + 1)
    local size = (hours * 60 + minutes) * 60 + seconds
    date.offset = sign == "-" and -size or size
    -- As Go does: some people write offsets of 24 hours, 60 minutes or 60 seconds.
    if hours > 24 or minutes > 60 or seconds > 60 then
      local part = hours > 24 and "hour" or minutes > 60 and "minute" or "second"
      return rest, "time zone offset " .. part
    end
    return rest
  end
end

--- How long a signed offset in hours is, such as "+3" after "GMT"; 0 if there is none.
local function signed_hours(text)
  local found = text:match("^[+-](%d+)")
  if found and tonumber(found) <= 23 then
    return #found + 1
  end
  return 0
end

--- How long the zone abbreviation at the start of the text is; 0 if there is none.
local function abbreviation_length(text)
  local start = text:sub(1, 4)
  if start == "ChST" or start == "MeST" then -- the only two with a small letter
    return 4
  elseif start:sub(1, 3) == "GMT" then
    return 3 + signed_hours(text:sub(4))
  elseif text:find("^[+-]") then
    return #text >= 3 and signed_hours(text) or 0
  end
  local letters = text:match("^%u*")
  local length = #letters
  if length == 3 or (length == 4 or length == 5) and letters:sub(-1) == "T" then
    return length
  end
  return letters == "WITA" and 4 or 0
end

--- Reads a zone abbreviation; "UTC" is known, others are noted.
function M.read_abbreviation(text, date)
  if text:sub(1, 3) == "UTC" then
    date.utc = true
    return text:sub(4)
  end
  local length = abbreviation_length(text)
  if length == 0 then
    return nil
  end
  date.abbreviation = text:sub(1, length)
  return text:sub(length + 1)
end

return M
