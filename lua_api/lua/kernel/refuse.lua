--- Says why a value cannot be sent. Knows neither the copy nor the wire: both call it only after
-- they have met something they refuse, so it may be slow, track paths and sort keys.

local classes = require("kernel.classes")
local work = require("kernel.work")

local M = {}

--- How deep tables may nest. Python's recursion limit (1,000) bounds msgspec and is shared with
-- the frames of whoever calls it; half of it leaves both sides room.
M.MAX_DEPTH = 500

--- How many values a payload may hold, those in tables within tables included. Copying takes its time
-- from everybody; and a few tables that hold each other twice stand for billions of values.
M.MAX_VALUES = 100000

local by_metatable, max_depth, max_values = classes.by_metatable, M.MAX_DEPTH, M.MAX_VALUES
local type, next, rawget, tostring = type, next, rawget, tostring
local getmetatable = debug.getmetatable
local byte, find, format, gsub, sub = string.byte, string.find, string.format, string.gsub, string.sub
local sort = table.sort

local SCALAR = { ["nil"] = true, boolean = true, number = true, string = true }
local NOUN = { thread = "coroutine" }
local LONGEST_KEY = 40

-- Looking at this many values takes about as long as a request.
local A_REQUEST = 4

local function quote(key)
  local short = sub(key, 1, LONGEST_KEY)
  local text = gsub(short, '[%c"\\\128-\255]', function(char)
    return format("\\%03d", byte(char))
  end)
  return '"' .. text .. (short == key and '"' or '..."')
end

local function step(key)
  if type(key) == "string" then
    if #key <= LONGEST_KEY and find(key, "^[%a_][%w_]*$") then
      return "." .. key
    end
    return "[" .. quote(key) .. "]"
  end
  return "[" .. tostring(key) .. "]"
end

local function noun(value)
  return NOUN[type(value)] or type(value)
end

--- The keys in one order on every run; or nil and the noun of one that cannot be a key, or nothing if
-- they are more than `most`.
local function sorted_keys(t, most)
  -- Numbers and texts apart: without a function of Lua to compare them sorting is many times faster.
  local keys, texts, bad = {}, {}, nil
  for key in next, t do
    most = most - 1
    if most < 0 then
      return nil
    end
    local kind = type(key)
    if kind == "number" then
      keys[#keys + 1] = key
    elseif kind == "string" then
      texts[#texts + 1] = key
    elseif kind ~= "boolean" and (bad == nil or noun(key) < bad) then
      bad = noun(key)
    end
  end
  if bad then
    return nil, bad
  end
  sort(keys)
  sort(texts)
  local n = #keys
  for i = 1, #texts do
    keys[n + i] = texts[i]
  end
  for _, key in ipairs({ false, true }) do
    if rawget(t, key) ~= nil then
      keys[#keys + 1] = key
    end
  end
  return keys
end

--- What is wrong with a value that holds too many others.
function M.too_many(root)
  return format("%s: more than %d values; send it in parts, or as one string", root or "payload", max_values)
end

local visit

local function visit_items(t, path, depth, search)
  local keys, bad = sorted_keys(t, search.left)
  if bad then
    return path .. ": " .. bad .. " cannot be a key"
  elseif not keys then
    search.left = 0
    return M.too_many(search.root)
  end
  search.left = search.left - #keys
  for i = 1, #keys do
    local key = keys[i]
    if type(key) == "boolean" then
      local twin = key and 1 or 0
      if rawget(t, twin) ~= nil then
        return format("%s: the keys %s and %d are the same key in Python", path, tostring(key), twin)
      end
    end
    local value = rawget(t, key)
    if not SCALAR[type(value)] then
      local message = visit(value, path .. step(key), depth + 1, search)
      if message then
        return message
      end
    end
  end
  return nil
end

function visit(value, path, depth, search)
  if SCALAR[type(value)] then
    return nil
  elseif type(value) ~= "table" then
    return path .. ": " .. noun(value) .. " cannot be sent"
  elseif search.ancestors[value] then
    return path .. ": table that contains itself cannot be sent"
  elseif depth > max_depth then
    return format("%s: nested more than %d levels deep", search.root, max_depth)
  end
  search.ancestors[value] = true
  local class, message = by_metatable[getmetatable(value)], nil
  local data = class and class.pack and class.pack(value)
  if not class then
    message = visit_items(value, path, depth, search)
  elseif not class.pack or (data == nil and class.tag) then
    message = path .. ": " .. class.noun .. " cannot be sent"
  else
    message = visit(data, path, depth + 1, search)
  end
  search.ancestors[value] = nil
  return message
end

--- The first fault of a value, looking at numbered items first, then names in byte order.
-- @param value a value that was refused
-- @tparam[opt="payload"] string root what the sender calls the value
-- @treturn string such as `payload.items[3].cb: function cannot be sent`
function M.find(value, root)
  root = root or "payload"
  local search = { root = root, ancestors = {}, left = max_values }
  local message = visit(value, root, 1, search)
  work.extra = work.extra + (max_values - search.left) / A_REQUEST
  return (assert(message, "a value was refused that has no fault"))
end

return M
