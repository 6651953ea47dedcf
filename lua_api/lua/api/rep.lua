--- `string.rep` that comes to an end: Lua's own counts up to n even where there is nothing to repeat,
-- which may take centuries.

local argument = require("api.argument")
local at_caller, bad = argument.at_caller, argument.bad
local pcall, rep, tonumber = pcall, string.rep, tonumber

return function(s, n, separator)
  n = tonumber(n) or bad(2, "rep", "number", n)
  if s == "" and (separator == nil or separator == "") then
    return ""
  end
  return at_caller(pcall(rep, s, n, separator))
end
