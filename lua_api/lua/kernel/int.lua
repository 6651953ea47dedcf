--- Integer division that is exact on every Lua: Lua 5.4 has 64-bit integers, LuaJIT only doubles.

local M = {}

local native = (load or loadstring)("return function(a, b) return a // b end")

--- The floor of a / b; on Lua 5.4 an integer when both are.
M.div = native and native() or function(a, b)
  return math.floor(a / b)
end

return M
