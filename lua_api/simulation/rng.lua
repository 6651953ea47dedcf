--- Numbers drawn from a seed: SplitMix64. The same seed gives the same numbers on every machine.

local M = {}

--- A generator: `draw(n)` is a whole number from 1 to n.
function M.new(seed)
  local state = seed
  return function(n)
    state = state + 0x9E3779B97F4A7C15
    local z = state
    z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ~ (z >> 27)) * 0x94D049BB133111EB
    z = z ~ (z >> 31)
    return (z >> 1) % n + 1
  end
end

return M
