--- The deep copy that separates two processes of one Lua state. Knows no bytes: what leaves the
-- state goes through the wire, which refuses the same values.

local classes = require("kernel.classes")
local refuse = require("kernel.refuse")

local M = {}

local by_metatable, max_depth = classes.by_metatable, refuse.MAX_DEPTH
local type, next = type, next
local getmetatable = debug.getmetatable
local unpack = table.unpack or unpack

--- Types that are their own copy: a caller checks `is_scalar[type(v)]` before it calls `copy`.
local is_scalar = { ["nil"] = true, boolean = true, number = true, string = true }
M.is_scalar = is_scalar

-- Beyond this many items the stack space for `unpack` costs more than it saves.
local LONGEST_UNPACK = 200

-- A copy made in one go, of the right size. It is whole if it has every key of the original, which
-- holds for lists of scalars; anything else is left to the general way.
local function copy_list(t, length)
  local list = { unpack(t, 1, length) }
  for key, value in next, t do
    if list[key] == nil or not is_scalar[type(value)] then
      return nil
    end
  end
  return list
end

local copy_table

local function copy_object(object, class, depth)
  if not class.pack then
    return nil
  end
  local data = class.pack(object)
  if not is_scalar[type(data)] then
    data = copy_table(data, depth + 1)
    if data == nil then
      return nil
    end
  end
  return class.unpack(data)
end

-- nil means refused; why is found later.
function copy_table(t, depth)
  if depth > max_depth then
    return nil
  end
  local metatable = getmetatable(t)
  if metatable == nil then
    local length = #t
    if length > 0 and length <= LONGEST_UNPACK then
      local list = copy_list(t, length)
      if list then
        return list
      end
    end
  else
    local class = by_metatable[metatable]
    if class then
      return copy_object(t, class, depth)
    end
  end
  local copy = {}
  for key, value in next, t do
    if not is_scalar[type(key)] then
      return nil
    end
    local kind = type(value)
    if not is_scalar[kind] then
      value = kind == "table" and copy_table(value, depth + 1)
      if not value then
        return nil
      end
    end
    copy[key] = value
  end
  return copy
end

--- A copy that shares nothing that can change. Reads tables raw and drops their metatables.
-- @tparam[opt="payload"] string root what an error calls the value
-- @treturn[1] boolean true
-- @return[1] the copy
-- @treturn[2] boolean false
-- @treturn[2] string what cannot be sent, and where
function M.copy(value, root)
  if is_scalar[type(value)] then
    return true, value
  end
  local copy = type(value) == "table" and copy_table(value, 1)
  if not copy then
    return false, refuse.find(value, root)
  end
  return true, copy
end

return M
