--- Numbers and text as MessagePack on Lua 5.4 and later, where integers have 64 bits.
-- `numbers_jit` is its twin for LuaJIT; `wire` picks one. Knows nothing of tables.

local M = {}

local pack, unpack, len = string.pack, string.unpack, utf8.len

--- "integer", "float", or nil for what is no number.
M.kind = math.type

function M.integer(n)
  if n >= -0x80000000 and n < 0x80000000 then
    return pack(">Bi4", 0xd2, n)
  end
  return pack(">Bi8", 0xd3, n)
end

function M.float(x)
  return pack(">Bd", 0xcb, x)
end

--- The 4 bytes at i as a signed integer.
function M.read_int32(s, i)
  return (unpack(">i4", s, i))
end

--- The 8 bytes at i as a signed integer.
function M.read_integer(s, i)
  return (unpack(">i8", s, i))
end

--- The 8 bytes at i as a float.
function M.read_float(s, i)
  return (unpack(">d", s, i))
end

function M.is_utf8(s)
  return len(s) ~= nil
end

return M
