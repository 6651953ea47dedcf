--- Time zones: asked for by name, kept for all processes of the kernel.

local fault = require("kernel.fault")
local location = require("api.time.location")
local outbox = require("kernel.outbox")

local M = {}

local known, waiting = {}, {}

function M.get(name)
  return known[name]
end

--- Asks for a zone; `resume(location or nil, fault)` is called when the answer is there.
function M.need(name, resume)
  local list = waiting[name]
  if list then
    list[#list + 1] = resume
    return
  end
  waiting[name] = { resume }
  outbox.row(3, outbox.NEED, "zone", name)
end

--- Brings the transitions of a zone, or nil when there is no such zone.
function M.provide(name, transitions)
  local list = waiting[name] or {}
  waiting[name] = nil
  if transitions then
    known[name] = location.from_transitions(name, transitions)
  end
  for i = 1, #list do
    if transitions then
      list[i](known[name])
    else
      list[i](nil, fault.new(fault.kinds.NOT_FOUND, 'unknown time zone "' .. name .. '"'))
    end
  end
end

return M
