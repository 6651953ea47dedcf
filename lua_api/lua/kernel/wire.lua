--- The form in which anything enters or leaves a Lua state: MessagePack bytes, and which Lua values
-- they stand for. `lua_api/_terms.py` is the other end; `copy` does the same within a state.
--
--   nil, boolean, number    as they are
--   string                  text if valid UTF-8, otherwise binary
--   table                   a list if its keys are exactly 1 to n, n > 0; otherwise a map
--   object of a class       an extension that holds what its class packs

local reader = require("kernel.wire_reader")
local writer = require("kernel.wire_writer")

return {
  encode = writer.encode,
  encode_list = writer.encode_list,
  encode_record = writer.encode_record,
  join = writer.join,
  decode = reader.decode,
  decode_list = reader.decode_list,
}
