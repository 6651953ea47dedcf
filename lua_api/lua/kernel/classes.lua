--- Kinds of value that keep their identity when they are copied or cross a boundary.
-- A class is known by its metatable. `pack(object)` gives plain sendable data, `unpack(data)`
-- makes an equal object; `tag` (1 to 127) is the MessagePack extension type. A process can overwrite
-- what its objects hold: where that makes no sense any more, `pack` gives nil and the object is refused.

local M = {}

local by_metatable, by_tag = {}, {}

--- Makes the values with this metatable sendable.
function M.register(metatable, tag, pack, unpack)
  assert(by_tag[tag] == nil, "class tag taken")
  local class = { tag = tag, pack = pack, unpack = unpack, noun = "broken " .. (metatable.__name or "object") }
  by_metatable[metatable], by_tag[tag] = class, class
end

--- Makes the values with this metatable be sent as the plain value that `as_value(object)` gives.
function M.transparent(metatable, as_value)
  by_metatable[metatable] = {
    pack = as_value,
    unpack = function(value)
      return value
    end,
  }
end

--- Makes the values with this metatable refused, as `noun`, where plain tables are copied.
function M.refuse(metatable, noun)
  by_metatable[metatable] = { noun = noun }
end

M.by_metatable, M.by_tag = by_metatable, by_tag

return M
