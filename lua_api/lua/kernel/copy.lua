--- The deep copy that separates two processes of one Lua state. Knows no bytes: what leaves the
-- state goes through the wire, which refuses the same values.

local classes = require("kernel.classes")
local work = require("kernel.work")
local refuse = require("kernel.refuse")

local M = {}

local by_metatable, max_depth, max_values = classes.by_metatable, refuse.MAX_DEPTH, refuse.MAX_VALUES
local type, next, rawget, pcall, max = type, next, rawget, pcall, math.max
local getmetatable = debug.getmetatable
local unpack = table.unpack or unpack

--- Types that are their own copy: a caller checks `is_scalar[type(v)]` before it calls `copy`.
local is_scalar = { ["nil"] = true, boolean = true, number = true, string = true }
M.is_scalar = is_scalar

-- Beyond this many items the stack space for `unpack` costs more than it saves.
local LONGEST_UNPACK = 200

-- A list of `...`, the first `length` items of `t`, most often data in bulk; nothing if they are not
-- numbers all, or not all that `t` holds: a key may sit behind one that was removed from the list.
-- `math.max` takes numbers alone and looks at them faster than a loop in Lua.
local function copy_numbers(t, length, ...)
  if pcall(max, ...) then
    local others = -length
    for _ in next, t do
      others = others + 1
    end
    if others == 0 then
      return { ... }
    end
  end
end

-- Stands for a copy that was refused, as nil and false may be values; why is found later.
local function REFUSED() end

-- How many more values the payload may hold.
local left = 0

local copy_table

local function copy_object(object, class, depth)
  if not class.pack then
    return REFUSED
  end
  local data = class.pack(object)
  if data == nil and class.tag then
    return REFUSED
  end
  local kind = type(data)
  if not is_scalar[kind] then
    if kind == "table" then
      data = copy_table(data, depth + 1)
    end
    if kind ~= "table" or data == REFUSED then
      return REFUSED
    end
  end
  return class.unpack(data)
end

function copy_table(t, depth)
  if depth > max_depth or left < 0 then
    return REFUSED
  end
  local metatable, length = getmetatable(t), 0
  if metatable == nil then
    length = #t
  elseif by_metatable[metatable] then
    return copy_object(t, by_metatable[metatable], depth)
  end
  local copy
  if length == 0 or length > LONGEST_UNPACK then
    -- Room for four keys, as growing step by step costs more than the keys.
    copy = { a = nil, b = nil, c = nil, d = nil }
  else
    copy = type(t[1]) == "number" and copy_numbers(t, length, unpack(t, 1, length))
    if copy then
      left = left - length
      return copy
    end
    copy = { unpack(t, 1, length) }
  end
  local count, most = 0, left
  for key, value in next, t do
    count = count + 1
    if count > most then
      left = -1
      return REFUSED
    end
    -- What `unpack` found in the list is a number.
    if length == 0 or copy[key] == nil then
      local kind = type(key)
      if not is_scalar[kind] or (kind == "boolean" and rawget(t, key and 1 or 0) ~= nil) then
        return REFUSED
      end
    end
    local kind = type(value)
    if not is_scalar[kind] then
      if kind ~= "table" then
        return REFUSED
      end
      value = copy_table(value, depth + 1)
      if value == REFUSED then
        return REFUSED
      end
    end
    copy[key] = value
  end
  left = left - count
  return copy
end

-- Copying this many values takes about as long as a request; fewer are not worth to be counted.
local A_REQUEST = 16
local FEW = 64

--- A copy that shares nothing that can change. Reads tables raw and drops their metatables.
-- @tparam[opt="payload"] string root what an error calls the value
-- @treturn[1] boolean true
-- @return[1] the copy
-- @treturn[2] boolean false
-- @treturn[2] string what cannot be sent, and where
function M.copy(value, root)
  local kind = type(value)
  if is_scalar[kind] then
    return true, value
  elseif kind == "table" then
    left = max_values
    local copied = copy_table(value, 1)
    local count = max_values - left
    if count > FEW then
      work.extra = work.extra + count / A_REQUEST
    end
    if left < 0 then
      return false, refuse.too_many(root)
    elseif copied ~= REFUSED then
      return true, copied
    end
  end
  return false, refuse.find(value, root)
end

return M
