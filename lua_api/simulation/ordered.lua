--- Makes visible order the same in every Lua state: `next` and `pairs` walk tables by sorted keys, and
-- `tostring` numbers what has only an address.

local raw_next, raw_tostring, type, sort = next, tostring, type, table.sort
local getmetatable, match = debug.getmetatable, string.match

local M = {}

local RANK = { number = 1, string = 2, boolean = 3 }

local numbers, last, walks

--- Forgets every object: numbers begin with 1 again.
function M.reset()
  numbers, walks = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })
  last = 0
end

M.reset()

local function number_of(object)
  local number = numbers[object]
  if not number then
    last = last + 1
    number = last
    numbers[object] = number
  end
  return number
end

local function before(a, b)
  local kind, other = type(a), type(b)
  if kind ~= other then
    return (RANK[kind] or 4) < (RANK[other] or 4)
  elseif kind == "boolean" then
    return b and not a
  elseif RANK[kind] then
    return a < b
  end
  return number_of(a) < number_of(b)
end

-- Objects as keys are numbered in the order in which they are first met: that of their making is not
-- known. Several of them in one table keep the order in which Lua has them.
local function sorted_keys(t)
  local keys, n, sortable = {}, 0, true
  for key in raw_next, t do
    n = n + 1
    keys[n] = key
    sortable = sortable and key == n
  end
  if not sortable then
    sort(keys, before)
  end
  local place = {}
  for i = 1, n do
    place[keys[i]] = i
  end
  return { keys = keys, place = place }
end

function M.next(t, key)
  if type(t) ~= "table" then
    return raw_next(t, key)
  end
  local walk
  if key == nil then
    if raw_next(t) == nil then
      return nil
    end
    walk = sorted_keys(t)
    walks[t] = walk
  else
    walk = walks[t]
    if not walk or not walk.place[key] then
      walk = sorted_keys(t)
      if not walk.place[key] then
        return raw_next(t, key)
      end
      walks[t] = walk
    end
  end
  local keys = walk.keys
  for i = (key == nil and 0 or walk.place[key]) + 1, #keys do
    local value = rawget(t, keys[i])
    if value ~= nil then
      return keys[i], value
    end
  end
  walks[t] = nil
  return nil
end

local raw_pairs = pairs

function M.pairs(t)
  local metatable = getmetatable(t)
  if type(t) == "table" and not (metatable and metatable.__pairs) then
    return M.next, t, nil
  end
  local step, state, first = raw_pairs(t)
  return step == raw_next and M.next or step, state, first
end

function M.tostring(...)
  local text = raw_tostring(...)
  local kind = match(text, "^(%a+): 0x%x+$")
  if kind then
    local value = ...
    return type(value) == "string" and text or kind .. ": " .. string.format("0x%08x", number_of(value))
  end
  return text
end

return M
