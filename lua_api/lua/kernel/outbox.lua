--- What the outside must do or may want to know: rows that wait for the end of the step.
-- A row is one MessagePack array: its kind, then its fields. `step` hands out all rows at once.

local fault = require("kernel.fault")
local wire = require("kernel.wire")
local texts_alone = fault.texts_alone
local encode_list = wire.encode_list

local M = {
  -- kinds of rows
  REPLY = 0, -- ticket, value, marker, sender: the answer to a request of a Python process
  NEED = 1, -- kind, name: source text or data that the kernel does not have, or has perhaps in an old version
  ENDED = 2, -- pid, fault, `ending` of signals.lua: a Python process was ended by a link or by terminate
  PRINT = 3, -- pid, text
  SPAWNED = 4, -- pid, entry, host, parent
  EXITED = 5, -- pid, entry, result, fault, unix time, uptime
  REGISTERED = 6, -- name, pid
  UNREGISTERED = 7, -- name, pid
  STARTED = 8, -- pid, value
  CHILD_UP = 9, -- ticket, pid, value: a supervised process has started
  CHILD_DOWN = 10, -- see `child_down`
  CALL = 11, -- ticket, supervisor, verb, arguments: a process calls a supervisor
  UPGRADED = 12, -- pid, entry: a process runs new code
  NEED_STATE = 13, -- host: a private host needs a new Lua state
  STATE_DONE = 14, -- number: the process of a private state has ended
  REQUIRED = 15, -- entry, module: a process of the entry loads the module, the first one of this version
  -- whether somebody subscribes to SPAWNED, EXITED, REGISTERED, UNREGISTERED, STARTED and UPGRADED
  watched = false,
}

local rows, count = {}, 0

-- The count comes last: where a process prints without a wait it may be stopped, or find no stack, in here.
function M.row(n, ...)
  rows[count + 1] = assert(encode_list(n, { ... }))
  count = count + 1
end

--- The row of a supervised process that ended or did not start: ticket, `ending` of signals.lua, and the fault,
-- if there is one: most often its three texts are all there is to it.
function M.child_down(ticket, failure, ending)
  if not failure then
    return M.row(3, M.CHILD_DOWN, ticket, ending)
  end
  local message, kind, stack = texts_alone(failure)
  if message then
    return M.row(6, M.CHILD_DOWN, ticket, ending, message, kind, stack)
  end
  return M.row(4, M.CHILD_DOWN, ticket, ending, failure)
end

--- A row that is encoded already.
function M.raw(row)
  rows[count + 1] = row
  count = count + 1
end

local function array_header(n)
  if n < 65536 then
    return string.char(0xdc, (n - n % 256) / 256, n % 256)
  end
  local high, low = (n - n % 65536) / 65536, n % 65536
  return string.char(0xdd, (high - high % 256) / 256, high % 256, (low - low % 256) / 256, low % 256)
end

--- All rows as one MessagePack array, or nil; they are gone from the box.
function M.take()
  if count == 0 then
    return nil
  end
  local body = array_header(count) .. table.concat(rows, "", 1, count)
  rows, count = {}, 0
  return body
end

return M
