--- Cuts a Go reference layout into chunks: what stands for a field, and the text between.
-- Knows neither how a field is written nor how it is read.

local memo = require("kernel.memo")

local M = {}

-- By first character, the longer before the shorter.
local FIELDS = {
  J = { "January", "Jan" },
  M = { "Monday", "Mon", "MST" },
  ["0"] = { "002", "01", "02", "03", "04", "05", "06" },
  ["1"] = { "15", "1" },
  ["2"] = { "2006", "2" },
  ["_"] = { "__2", "_2" },
  ["3"] = { "3" },
  ["4"] = { "4" },
  ["5"] = { "5" },
  P = { "PM" },
  p = { "pm" },
  ["-"] = { "-070000", "-07:00:00", "-0700", "-07:00", "-07" },
  Z = { "Z070000", "Z07:00:00", "Z0700", "Z07:00", "Z07" },
}

-- "Jan" in "January" is a month, in "Janet" it is not.
local NO_LOWER_CASE_AFTER = { Jan = true, Mon = true }

local function fraction_at(layout, start)
  local run = layout:match("^[.,]0+", start) or layout:match("^[.,]9+", start)
  if run and not layout:find("^%d", start + #run) then
    return run
  end
  return nil
end

--- The field that starts exactly here, or nil.
local function field_at(layout, start)
  local first = layout:sub(start, start)
  if first == "." or first == "," then
    return fraction_at(layout, start)
  end
  for _, field in ipairs(FIELDS[first] or {}) do
    local after = start + #field
    if
      layout:sub(start, after - 1) == field
      and not (NO_LOWER_CASE_AFTER[field] and layout:find("^%l", after))
      and not (field == "_2" and layout:sub(start, start + 4) == "_2006")
    then
      return field
    end
  end
  return nil
end

--- A list of {prefix =, field =}: literal text, then a field; the last one has no field.
-- A fraction's field also has `digits`, and `trims` when it is written with nines.
M.of = memo.of(function(layout)
  local chunks, start, position = {}, 1, 1
  while position <= #layout do
    local field = field_at(layout, position)
    if field then
      local chunk = { prefix = layout:sub(start, position - 1), field = field }
      if field:find("^[.,]") then
        chunk.digits, chunk.trims = #field - 1, field:sub(2, 2) == "9"
      end
      chunks[#chunks + 1] = chunk
      position = position + #field
      start = position
    else
      position = position + 1
    end
  end
  chunks[#chunks + 1] = { prefix = layout:sub(start) }
  return chunks
end)

M.MONTHS = {
  "January", "February", "March", "April", "May", "June",
  "July", "August", "September", "October", "November", "December",
}
M.WEEKDAYS = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }

return M
