--- The form in which anything enters or leaves a Lua state: MessagePack bytes, and which Lua values
-- they stand for. `lua_api/_terms.py` is the other end; `copy` does the same within a state.
--
--   nil, boolean, number    as they are
--   string                  text if valid UTF-8, otherwise binary
--   table                   a list if its keys are exactly 1 to n, n > 0; otherwise a map
--   object of a class       an extension that holds what its class packs

local reader = require("kernel.wire_reader")
local writer = require("kernel.wire_writer")

local type = type
local decode, encode, quoted = reader.decode, writer.encode, writer.quoted

--- A value in the form in which it waits among others, who do not know what it is: what is quick to read
-- as it is, the rest as its bytes.
-- @treturn[2] nil
-- @treturn[2] string what cannot be sent, and where
local function packed(value)
  local bytes, refusal = encode(value)
  local kind = type(value)
  if not bytes or kind == "number" or kind == "boolean" or kind == "nil" then
    return bytes, refusal
  end
  return quoted(bytes)
end

--- What was read of a packed value, as the value itself or as bytes.
local function unpacked(read, as_bytes)
  if type(read) ~= "string" then
    if as_bytes then
      return encode(read)
    end
    return read
  elseif as_bytes then
    return read
  end
  return decode(read)
end

return {
  encode = encode,
  encode_list = writer.encode_list,
  encode_record = writer.encode_record,
  decode = decode,
  decode_list = reader.decode_list,
  read = reader.read,
  quoted = quoted,
  packed = packed,
  unpacked = unpacked,
}
