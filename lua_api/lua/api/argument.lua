--- Checks of arguments. A wrong type raises, in the words of Lua's own library, at the caller's line.

local type, error, tostring = type, error, tostring
local getmetatable, rawget = debug.getmetatable, rawget

local M = {}

local function type_name(value)
  local metatable = type(value) == "table" and getmetatable(value)
  if metatable and rawget(metatable, "__metatable") == false and type(rawget(metatable, "__name")) == "string" then
    return rawget(metatable, "__name")
  end
  return type(value)
end
M.type_name = type_name

--- Raises for argument `n` of the function `name`, which was called `depth` levels up (default 1).
function M.bad(n, name, expected, value, depth)
  local got = value == nil and "nil" or type_name(value)
  error("bad argument #" .. n .. " to '" .. name .. "' (" .. expected .. " expected, got " .. got .. ")", 3 + (depth or 0))
end

local bad = M.bad

function M.text(n, name, value)
  if type(value) ~= "string" then
    bad(n, name, "string", value, 1)
  end
end

function M.optional_text(n, name, value)
  if value ~= nil and type(value) ~= "string" then
    bad(n, name, "string", value, 1)
  end
end

function M.callable(n, name, value)
  if type(value) ~= "function" then
    bad(n, name, "function", value, 1)
  end
end

--- What `pcall` of one of Lua's own functions gave; an error of it names the line of the caller.
-- Called as `return at_caller(pcall(call, ...))`.
function M.at_caller(ok, ...)
  if ok then
    return ...
  end
  error((...), 2)
end

--- What a request gave: a value, or one and what was wrong; the slots of an answer that it did not use are cut.
-- Called as `return results(yield(...))`.
function M.results(value, failure)
  if failure == nil then
    return value
  end
  return value, failure
end

--- A table that no process can change: reads go to `fields`, writes raise.
function M.read_only(name, fields)
  return setmetatable({}, {
    __index = fields,
    __newindex = function(_, key)
      error("cannot change '" .. name .. "." .. tostring(key) .. "': the library tables are read-only", 2)
    end,
    __pairs = function()
      return next, (function()
        local copy = {}
        for key, value in next, fields do
          copy[key] = value
        end
        return copy
      end)()
    end,
    __metatable = false,
    __name = name,
  })
end

return M
