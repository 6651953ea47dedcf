--- Reads MessagePack as Lua values. Trusts the bytes to come from `wire_writer` or `_terms.py`.

local classes = require("kernel.classes")
local numbers = require(string.pack and "kernel.numbers54" or "kernel.numbers_jit")

local M = {}

local by_tag = classes.by_tag
local byte, sub = string.byte, string.sub
local read_int32, read_integer, read_float = numbers.read_int32, numbers.read_integer, numbers.read_float

local function read_uint8(s, i)
  return byte(s, i), i + 1
end

local function read_uint16(s, i)
  local a, b = byte(s, i, i + 1)
  return a * 0x100 + b, i + 2
end

local function read_uint32(s, i)
  local a, b, c, d = byte(s, i, i + 3)
  return ((a * 0x100 + b) * 0x100 + c) * 0x100 + d, i + 4
end

local read

local function read_string(s, i, length)
  local after = i + length
  return sub(s, i, after - 1), after
end

local function read_list(s, i, length)
  local list = {}
  for k = 1, length do
    list[k], i = read(s, i)
  end
  return list, i
end

local function read_map(s, i, length)
  local map, key = {}, nil
  for _ = 1, length do
    key, i = read(s, i)
    map[key], i = read(s, i)
  end
  return map, i
end

local function read_object(s, i, length)
  local class = by_tag[byte(s, i)]
  if not class then
    error("no class has the extension tag " .. byte(s, i))
  end
  return class.unpack((read(s, i + 1))), i + 1 + length
end

-- What follows each lead byte that does not hold its value or length itself.
local readers = {}

local function add_constant(lead, value)
  readers[lead] = function(_, i)
    return value, i
  end
end

local function add_sized(lead, read_length, read_body)
  readers[lead] = function(s, i)
    local length, start = read_length(s, i)
    return read_body(s, start, length)
  end
end

local function add_fixed(lead, length, read_body)
  readers[lead] = function(s, i)
    return read_body(s, i, length)
  end
end

local function add_signed(lead, read_unsigned, modulus)
  readers[lead] = function(s, i)
    local n, after = read_unsigned(s, i)
    return n < modulus / 2 and n or n - modulus, after
  end
end

local function add_eight_bytes(lead, read_number)
  readers[lead] = function(s, i)
    return read_number(s, i), i + 8
  end
end

add_constant(0xc0, nil)
add_constant(0xc2, false)
add_constant(0xc3, true)
for step, read_length in ipairs({ read_uint8, read_uint16, read_uint32 }) do
  add_sized(0xc3 + step, read_length, read_string)
  add_sized(0xc6 + step, read_length, read_object)
  add_sized(0xd8 + step, read_length, read_string)
end
add_sized(0xdc, read_uint16, read_list)
add_sized(0xdd, read_uint32, read_list)
add_sized(0xde, read_uint16, read_map)
add_sized(0xdf, read_uint32, read_map)
for step, length in ipairs({ 1, 2, 4, 8, 16 }) do
  add_fixed(0xd3 + step, length, read_object)
end
readers[0xcc], readers[0xcd], readers[0xce] = read_uint8, read_uint16, read_uint32
add_signed(0xd0, read_uint8, 0x100)
add_signed(0xd1, read_uint16, 0x10000)
readers[0xd2] = function(s, i)
  return read_int32(s, i), i + 4
end
add_eight_bytes(0xcf, read_integer) -- unsigned, but never 2^63 or more: no integer of Lua is
add_eight_bytes(0xd3, read_integer)
add_eight_bytes(0xcb, read_float)

function read(s, i)
  local lead = byte(s, i)
  i = i + 1
  if lead < 0x80 then
    return lead, i
  elseif lead < 0x90 then
    return read_map(s, i, lead - 0x80)
  elseif lead < 0xa0 then
    return read_list(s, i, lead - 0x90)
  elseif lead < 0xc0 then
    return read_string(s, i, lead - 0xa0)
  elseif lead >= 0xe0 then
    return lead - 0x100, i
  end
  return readers[lead](s, i)
end

--- The value that the bytes hold.
function M.decode(bytes)
  return (read(bytes, 1))
end

--- One of several values that stand one after the other: that at `i`, and where the next one is.
M.read = read

--- The items of a list, in which items may be nil, and how many there are.
function M.decode_list(bytes)
  local lead = byte(bytes, 1)
  local length, start = lead - 0x90, 2
  if lead == 0xdc then
    length, start = read_uint16(bytes, 2)
  elseif lead == 0xdd then
    length, start = read_uint32(bytes, 2)
  end
  return (read_list(bytes, start, length)), length
end

return M
