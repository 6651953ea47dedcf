--- The time, as the last step was told it. The kernel never looks at a clock of its own.

local int = require("kernel.int")

local M = {
  now = 0, -- nanoseconds on the node's clock; timers are measured on it
  epoch = 0, -- the unix time, in nanoseconds, at which the node's clock showed 0
}

--- Unix time in nanoseconds.
function M.wall()
  return M.epoch + M.now
end

--- Unix time in seconds, with a fraction.
function M.unix()
  local wall = M.epoch + M.now
  local seconds = int.div(wall, 1000000000)
  return seconds + (wall - seconds * 1000000000) / 1e9
end

return M
