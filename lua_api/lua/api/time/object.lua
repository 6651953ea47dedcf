--- What the values of `time` have in common: protected classes and checked arguments.
-- Knows nothing of time. Errors blame the line that called the method or function.

local M = {}

local getmetatable = debug.getmetatable
local tointeger = math.tointeger or function(number)
  return number == math.floor(number) and math.abs(number) < math.huge and number or nil
end

--- `value` as an integer if it is one, otherwise nil.
function M.whole(value)
  return type(value) == "number" and tointeger(value) or nil
end

--- A metatable whose objects answer `methods` and refuse assignment.
function M.class(name, methods)
  return {
    __name = name,
    __index = methods,
    __metatable = false,
    __newindex = function(_, key)
      error(("cannot set '%s': a %s does not change"):format(tostring(key), name), 2)
    end,
  }
end

function M.is(value, class)
  return type(value) == "table" and getmetatable(value) == class
end

--- The name of a value's type as messages show it: `number`, `Time`.
function M.type_name(value)
  local metatable = type(value) == "table" and getmetatable(value)
  local name = metatable and metatable.__name
  return type(name) == "string" and name or type(value)
end

local function bad_argument(position, name, problem)
  error(("bad argument #%d to '%s' (%s)"):format(position, name, problem), 4)
end

--- "Time expected, got nil".
function M.mismatch(wanted, value)
  return ("%s expected, got %s"):format(wanted, M.type_name(value))
end

--- Checks the object a method was called on.
function M.self(value, class, name)
  if type(value) ~= "table" or getmetatable(value) ~= class then
    error(("calling '%s' on bad self (%s)"):format(name, M.mismatch(class.__name, value)), 3)
  end
end

--- Checks an argument that has to be an object of `class`.
function M.instance(value, class, position, name)
  if type(value) ~= "table" or getmetatable(value) ~= class then
    bad_argument(position, name, M.mismatch(class.__name, value))
  end
end

function M.text(value, position, name)
  if type(value) ~= "string" then
    bad_argument(position, name, M.mismatch("string", value))
  end
end

function M.number(value, position, name)
  if type(value) ~= "number" then
    bad_argument(position, name, M.mismatch("number", value))
  end
end

--- The argument as an integer; `default`, if given, stands for nil.
function M.integer(value, position, name, default)
  if value == nil and default then
    return default
  end
  if type(value) ~= "number" then
    bad_argument(position, name, M.mismatch("number", value))
  end
  local integer = tointeger(value)
  if not integer then
    bad_argument(position, name, "number has no integer representation")
  end
  return integer
end

return M
