--- The `errors` module: error objects with a kind, and what can be asked of any error.

local argument = require("api.argument")
local fault = require("kernel.fault")
local stack = require("kernel.stack")

local M = {}

for name, kind in pairs(fault.kinds) do
  M[name] = kind
end

local field_types = { message = "string", kind = "string", retryable = "boolean" }

--- errors.new(message) or errors.new{message =, kind =, retryable =, details =}
function M.new(message)
  if type(message) == "string" then
    return fault.new("", message, { stack = stack.here(1) })
  elseif type(message) ~= "table" then
    argument.bad(1, "new", "string or table", message)
  end
  for key, value in next, message do
    local expected = field_types[key]
    if not expected and key ~= "details" then
      error("errors.new: unknown field '" .. tostring(key) .. "' (message, kind, retryable and details are known)", 2)
    elseif expected and type(value) ~= expected then
      error("errors.new: field '" .. key .. "' must be a " .. expected .. ", got " .. type(value), 2)
    end
  end
  return fault.new(message.kind or "", message.message or "", {
    retryable = message.retryable,
    details = message.details,
    stack = stack.here(1),
  })
end

--- The same error with `context` in front of its text; kind, message, retryable and details stay.
function M.wrap(err, context)
  argument.text(2, "wrap", context)
  if type(err) == "string" then
    err = fault.new("", err)
  elseif not fault.is(err) then
    argument.bad(1, "wrap", "error or string", err)
  end
  local contexts = {}
  for i, text in ipairs(err._context or {}) do
    contexts[i] = text
  end
  contexts[#contexts + 1] = context
  return fault.new(err._kind, err._message, {
    retryable = err._retryable,
    details = err._details,
    stack = err._stack,
    context = contexts,
  })
end

--- Whether `err` is an error object of that kind.
function M.is(err, kind)
  return fault.is(err) and err._kind == kind
end

local function frame(line)
  local source, number, name = line:match("^%s*(.-):(%d+): in (.*)$")
  if source then
    return { source = source, line = tonumber(number), name = name:match("['<](.-)['>]") or name }
  end
  source, name = line:match("^%s*(%[C%]): in (.*)$")
  return source and { source = source, line = 0, name = name:match("['<](.-)['>]") or name }
end

--- Where the error was made: {thread =, frames = {{source =, line =, name =}, ...}}; nil for no error object.
function M.call_stack(err)
  if not fault.is(err) then
    return nil
  end
  local frames = {}
  for line in (err._stack or ""):gmatch("[^\n]+") do
    frames[#frames + 1] = frame(line)
  end
  return { thread = "main", frames = frames }
end

return M
