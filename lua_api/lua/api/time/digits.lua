--- Numbers and quoted text as Go's time package writes them. Knows nothing of time.

local M = {}

--- `number` in decimal with at least `width` digits; the sign is not counted.
function M.padded(number, width)
  local sign = ""
  if number < 0 then
    sign, number = "-", -number
  end
  local text = ("%d"):format(number)
  return sign .. ("0"):rep(width - #text) .. text
end

--- Text between double quotes, bytes that do not print as `\xNN`.
function M.quoted(text)
  local escaped = text:gsub('["\\]', "\\%0"):gsub("[^ -~]", function(byte)
    return ("\\x%02x"):format(byte:byte())
  end)
  return '"' .. escaped .. '"'
end

return M
