--- What is left of a long time, counted in nanoseconds, when it is cut into equal pieces.
-- The count itself does not fit into a number; the piece and the rest do.

local M = {}

local SECOND = 1000000000

--- (a + b) mod piece, for a and b in [0, piece): their sum may not fit.
local function sum(a, b, piece)
  if a >= piece - b then
    return a - (piece - b)
  end
  return a + b
end

--- (seconds * 1e9 + nanoseconds) mod piece, in [0, piece).
function M.rest(seconds, nanoseconds, piece)
  local whole_seconds = piece % SECOND == 0 and piece / SECOND
  if whole_seconds then
    return seconds % math.floor(whole_seconds) * SECOND + nanoseconds
  end
  local rest, doubled, factor = 0, seconds % piece, SECOND
  while factor > 0 do -- schoolbook multiplication in base two, each sum kept below the piece
    if factor % 2 == 1 then
      rest = sum(rest, doubled, piece)
    end
    doubled, factor = sum(doubled, doubled, piece), math.floor(factor / 2)
  end
  return sum(rest, nanoseconds % piece, piece)
end

return M
