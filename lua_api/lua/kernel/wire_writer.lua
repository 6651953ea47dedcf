--- Writes Lua values as MessagePack. Does not know who reads the bytes, only that Python may.

local classes = require("kernel.classes")
local work = require("kernel.work")
local int = require("kernel.int")
local numbers = require(string.pack and "kernel.numbers54" or "kernel.numbers_jit")
local refuse = require("kernel.refuse")

local M = {}

local by_metatable, max_depth, max_values = classes.by_metatable, refuse.MAX_DEPTH, refuse.MAX_VALUES
local type, next = type, next
local getmetatable = debug.getmetatable
local char, concat = string.char, table.concat
local div = int.div
local kind, is_utf8 = numbers.kind, numbers.is_utf8
local pack_integer, pack_float = numbers.integer, numbers.float

local NIL, FALSE, TRUE = "\192", "\194", "\195"

-- The one-byte forms of small integers and short lengths.
local SMALL, SHORT_MAP, SHORT_LIST, SHORT_TEXT = {}, {}, {}, {}
for n = -32, 127 do
  SMALL[n] = char(n % 256)
end
for n = 0, 15 do
  SHORT_MAP[n], SHORT_LIST[n] = char(0x80 + n), char(0x90 + n)
end
for n = 0, 31 do
  SHORT_TEXT[n] = char(0xa0 + n)
end

local function uint16(n)
  return char(div(n, 0x100), n % 0x100)
end

local function uint32(n)
  return uint16(div(n, 0x10000)) .. uint16(n % 0x10000)
end

local function list_head(n)
  return SHORT_LIST[n] or (n < 0x10000 and "\220" .. uint16(n) or "\221" .. uint32(n))
end

local function map_head(n)
  return SHORT_MAP[n] or (n < 0x10000 and "\222" .. uint16(n) or "\223" .. uint32(n))
end

-- Text, binary and extension data with 8, 16 and 32 bit lengths have consecutive lead bytes.
local function sized_head(lead, n)
  if n < 0x100 then
    return char(lead, n)
  elseif n < 0x10000 then
    return char(lead + 1) .. uint16(n)
  end
  return char(lead + 2) .. uint32(n)
end

-- Pieces of the message being made. Writers take the number of pieces so far and return the new
-- one, or nil to refuse. Kept between calls: growing a table is a good part of a small message.
local out = {}
local LARGEST_KEPT = 4096

-- How many more values the payload may hold.
local left = 0

local function string_head(s)
  local length = #s
  if not is_utf8(s) then
    return sized_head(0xc4, length)
  end
  return SHORT_TEXT[length] or sized_head(0xd9, length)
end

local function put_string(s, n)
  out[n + 1] = string_head(s)
  out[n + 2] = s
  return n + 2
end

local put_table

local function put(value, n, depth)
  local kind_of_value = type(value)
  if kind_of_value == "string" then
    return put_string(value, n)
  elseif kind_of_value == "number" then
    if kind(value) == "integer" then
      out[n + 1] = SMALL[value] or pack_integer(value)
    else
      out[n + 1] = pack_float(value)
    end
    return n + 1
  elseif kind_of_value == "table" then
    return put_table(value, n, depth)
  elseif value == nil then
    out[n + 1] = NIL
    return n + 1
  elseif kind_of_value == "boolean" then
    out[n + 1] = value and TRUE or FALSE
    return n + 1
  end
  return nil
end

local function put_object(object, class, n, depth)
  if not class.pack then
    return nil
  end
  local value = class.pack(object)
  if not class.tag then
    return put(value, n, depth + 1)
  end
  local stop = value ~= nil and put(value, n, depth + 1)
  if not stop then
    return nil
  end
  local data = concat(out, "", n + 1, stop)
  out[n + 1] = sized_head(0xc7, #data) .. char(class.tag) .. data
  return n + 1
end

local function without_metatable(t)
  local plain = {}
  for key, value in next, t do
    plain[key] = value
  end
  return plain
end

-- The length of a list whose keys do not come in order, or nil if t is no list.
local function list_length(t)
  local length = 0
  for _ in next, t do
    length = length + 1
  end
  for i = 1, length do
    if t[i] == nil then
      return nil
    end
  end
  return length
end

local function put_key(key, t, n)
  local kind_of_key = type(key)
  if kind_of_key == "string" then
    return put_string(key, n)
  elseif kind_of_key == "boolean" and t[key and 1 or 0] ~= nil then
    return nil -- True == 1 and False == 0 in Python: one of the two entries would vanish
  elseif kind_of_key == "boolean" or kind_of_key == "number" then
    return put(key, n)
  end
  return nil
end

local function put_map(t, n, depth)
  local head, length = n + 1, 0
  n = head
  for key, value in next, t do
    n = put_key(key, t, n)
    n = n and put(value, n, depth + 1)
    if not n then
      return nil
    end
    length = length + 1
    if length > left then
      left = -1
      return nil
    end
  end
  left = left - length
  out[head] = map_head(length)
  return n
end

local function put_items(t, length, n, depth)
  left = left - length
  out[n + 1] = list_head(length)
  n = n + 1
  for i = 1, length do
    n = put(t[i], n, depth + 1)
    if not n then
      return nil
    end
  end
  return n
end

--- A table whose keys do not come as 1, 2, 3... to the end.
local function put_unordered(t, n, depth)
  local length = t[1] ~= nil and list_length(t)
  if length then
    return put_items(t, length, n, depth)
  end
  return put_map(t, n, depth)
end

local function is_in_order(t)
  local length = 0
  for key in next, t do
    length = length + 1
    if key ~= length then
      return false
    end
  end
  return true
end

function put_table(t, n, depth)
  if depth > max_depth or left < 0 then
    return nil
  end
  local metatable = getmetatable(t)
  if metatable ~= nil then
    local class = by_metatable[metatable]
    if class then
      return put_object(t, class, n, depth)
    end
    t = without_metatable(t)
  end
  -- Keys that come as 1, 2, 3... to the end are a list, and this is the cheapest proof of it, if what
  -- was written meanwhile need not be written again.
  local head, length, in_order = n + 1, 0, false
  n = head
  for key, value in next, t do
    length = length + 1
    if length > left then
      left = -1
      return nil
    elseif key ~= length then
      return put_unordered(t, head - 1, depth)
    end
    local number = kind(value)
    if number == "integer" then
      n = n + 1
      out[n] = SMALL[value] or pack_integer(value)
    else
      if not in_order and type(value) == "table" then
        in_order = is_in_order(t)
        if not in_order then
          return put_unordered(t, head - 1, depth)
        end
      end
      n = put(value, n, depth + 1)
      if not n then
        return nil
      end
    end
  end
  left = left - length
  out[head] = length > 0 and list_head(length) or SHORT_MAP[0]
  return n
end

-- Writing this many bytes, as small values or as one long text, takes at least as long as a request;
-- fewer are not worth to be counted.
local A_REQUEST = 100
local FEW = 1000

-- The message made of n pieces, or why there is none.
local function finish(n, value, root)
  if left < 0 then
    out = {}
    return nil, refuse.too_many(root)
  end
  local bytes = n and concat(out, "", 1, n)
  if not n or n > LARGEST_KEPT then
    out = {}
  end
  if not n then
    return nil, refuse.find(value, root)
  end
  local length = #bytes
  if length > FEW then
    work.extra = work.extra + length / A_REQUEST
  end
  return bytes
end

--- A value as bytes. Reads tables raw and drops metatables other than those of classes.
-- @tparam[opt="payload"] string root what an error calls the value
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] string what cannot be sent, and where
function M.encode(value, root)
  -- Most are numbers and short texts, which need no pieces.
  if kind(value) == "integer" then
    return SMALL[value] or pack_integer(value)
  elseif type(value) == "string" and #value < FEW then
    return string_head(value) .. value
  end
  left = max_values
  return finish(put(value, 0, 1), value, root)
end

--- The kernel's own table, of any size, around values of users, each of which may nest as deep as one alone.
-- @treturn string
function M.encode_record(record)
  left = math.huge
  return assert(finish(put(record, 0, 0), record))
end

--- Items 1 to `length` as the bytes of a list, in which items may be nil. Each may nest as deep as one alone,
-- and there may be any number of values in it.
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] string what cannot be sent, and where
function M.encode_list(length, items, root)
  left = math.huge
  return finish(put_items(items, length, 0, 0), items, root)
end

--- The bytes of a value as one value, of which a reader need not know more.
function M.quoted(bytes)
  return sized_head(0xc4, #bytes) .. bytes
end

return M
