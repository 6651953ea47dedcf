--- Numbers and text as MessagePack on LuaJIT, where every number is a double: whole numbers up to
-- 2^53 either way cross as integers and are exact, larger ones cross as floats, and a larger
-- integer from outside arrives as the nearest double. Twin of `numbers54`.

local ffi = require("ffi")

local M = {}

local type, floor = type, math.floor
local byte, char, find, reverse = string.byte, string.char, string.find, string.reverse
local EXACT = 2 ^ 53
local TWO_32 = 2 ^ 32

local double = ffi.new("union { double number; uint8_t bytes[8]; }")
local is_little_endian = ffi.abi("le")

--- "integer", "float", or nil for what is no number. Minus zero is a float.
function M.kind(v)
  if type(v) ~= "number" then
    return nil
  elseif v >= -EXACT and v <= EXACT and floor(v) == v and (v ~= 0 or 1 / v > 0) then
    return "integer"
  end
  return "float"
end

local function uint32(n)
  local low = n % 0x1000000
  return char((n - low) / 0x1000000, floor(low / 0x10000), floor(low / 0x100) % 0x100, low % 0x100)
end

function M.integer(n)
  local low = n % TWO_32
  if n >= -0x80000000 and n < 0x80000000 then
    return "\210" .. uint32(low)
  end
  return "\211" .. uint32((n - low) / TWO_32 % TWO_32) .. uint32(low)
end

function M.float(x)
  double.number = x
  local bytes = ffi.string(double.bytes, 8)
  return "\203" .. (is_little_endian and reverse(bytes) or bytes)
end

--- The 4 bytes at i as a signed integer.
function M.read_int32(s, i)
  local a, b, c, d = byte(s, i, i + 3)
  local n = ((a * 0x100 + b) * 0x100 + c) * 0x100 + d
  return n < 0x80000000 and n or n - TWO_32
end

--- The 8 bytes at i as a signed integer.
function M.read_integer(s, i)
  local a, b, c, d, e, f, g, h = byte(s, i, i + 7)
  local high = ((a * 0x100 + b) * 0x100 + c) * 0x100 + d
  if high >= 0x80000000 then
    high = high - TWO_32
  end
  return high * TWO_32 + (((e * 0x100 + f) * 0x100 + g) * 0x100 + h)
end

--- The 8 bytes at i as a float.
function M.read_float(s, i)
  for k = 0, 7 do
    double.bytes[is_little_endian and 7 - k or k] = byte(s, i + k)
  end
  return tonumber(double.number)
end

-- How many bytes follow a lead byte, and the range of the first of them (RFC 3629): no surrogates,
-- nothing above U+10FFFF, nothing longer than needed.
local function sequence(lead)
  if lead < 0xc2 or lead > 0xf4 then
    return nil
  elseif lead < 0xe0 then
    return 1, 0x80, 0xbf
  elseif lead < 0xf0 then
    return 2, lead == 0xe0 and 0xa0 or 0x80, lead == 0xed and 0x9f or 0xbf
  end
  return 3, lead == 0xf0 and 0x90 or 0x80, lead == 0xf4 and 0x8f or 0xbf
end

local function is_continuation(s, i, low, high)
  local b = byte(s, i)
  return b ~= nil and b >= low and b <= high
end

function M.is_utf8(s)
  local i = find(s, "[\128-\255]")
  while i do
    local more, low, high = sequence(byte(s, i))
    if not more or not is_continuation(s, i + 1, low, high) then
      return false
    end
    for k = 2, more do
      if not is_continuation(s, i + k, 0x80, 0xbf) then
        return false
      end
    end
    i = find(s, "[\128-\255]", i + more + 1)
  end
  return true
end

return M
