--- Error objects: a message with a kind, whether trying again may help, details and a stack.
-- They behave as text where Lua code expects text: `tostring`, `..` and the string methods.

local classes = require("kernel.classes")
local copy = require("kernel.copy").copy
local stack = require("kernel.stack")
local getmetatable = debug.getmetatable

local M = {}

M.kinds = {
  NOT_FOUND = "NotFound",
  ALREADY_EXISTS = "AlreadyExists",
  INVALID = "Invalid",
  PERMISSION_DENIED = "PermissionDenied",
  UNAVAILABLE = "Unavailable",
  INTERNAL = "Internal",
  CANCELED = "Canceled",
  CONFLICT = "Conflict",
  TIMEOUT = "Timeout",
  RATE_LIMITED = "RateLimited",
  UNKNOWN = "",
}

local methods = {}
local Fault = { __name = "error", __metatable = false }

--- An error object. `fields` may hold retryable, details, stack and context (a list of texts).
function M.new(kind, message, fields)
  local fault = { _kind = kind, _message = message }
  if fields then
    fault._retryable = fields.retryable
    fault._details = fields.details
    fault._stack = fields.stack
    fault._context = fields.context
  end
  return setmetatable(fault, Fault)
end

function M.is(value)
  return type(value) == "table" and getmetatable(value) == Fault
end

local function checked(value, wanted)
  if type(value) == wanted then
    return value
  end
  return nil
end

-- A process can overwrite what an error object holds. So every field is read raw, its type is checked,
-- and no code of the process runs while the kernel reads it.

local function message_of(fault)
  return checked(rawget(fault, "_message"), "string") or "invalid error object"
end

-- How many contexts are read: no path that an error takes is longer.
local MOST_CONTEXTS = 1000

--- The texts of the context, as a new list, or nil.
local function contexts_of(fault)
  local context = checked(rawget(fault, "_context"), "table")
  local contexts, i = nil, 1
  while context and i <= MOST_CONTEXTS and type(rawget(context, i)) == "string" do
    contexts = contexts or {}
    contexts[i] = rawget(context, i)
    i = i + 1
  end
  return contexts
end

--- The full text: the contexts added by `errors.wrap`, outermost first, then the message.
local function text(fault)
  local contexts = rawget(fault, "_context") and contexts_of(fault)
  if not contexts then
    return message_of(fault)
  end
  local parts, n = {}, #contexts
  for i = 1, n do
    parts[i] = contexts[n + 1 - i]
  end
  parts[n + 1] = message_of(fault)
  return table.concat(parts, ": ")
end
M.text = text

local function as_text(value)
  return M.is(value) and text(value) or value
end

function methods.kind(fault)
  return fault._kind
end

function methods.message(fault)
  return fault._message
end

function methods.retryable(fault)
  return fault._retryable
end

function methods.details(fault)
  return fault._details
end

--- The text, with the stack below it where there is one.
function methods.stack(fault)
  local trace = fault._stack
  return trace and text(fault) .. "\n" .. trace or text(fault)
end

-- Any other method is the string method of that name, on the text.
for name, method in pairs(string) do
  if name ~= "dump" then
    methods[name] = function(fault, ...)
      return method(text(fault), ...)
    end
  end
end

Fault.__index = methods
Fault.__tostring = text

function Fault.__newindex(_, key)
  error("error objects cannot be changed (field '" .. tostring(key) .. "')", 2)
end

function Fault.__concat(left, right)
  return as_text(left) .. as_text(right)
end

function Fault.__len(fault)
  return #text(fault)
end

function Fault.__eq(left, right)
  return text(left) == text(right) and left._kind == right._kind
end

--- What there is to say of a fault; the details are as the process has them.
local function data_of(fault)
  return {
    message = message_of(fault),
    kind = checked(rawget(fault, "_kind"), "string") or "",
    retryable = checked(rawget(fault, "_retryable"), "boolean"),
    details = rawget(fault, "_details"),
    stack = checked(rawget(fault, "_stack"), "string"),
    context = contexts_of(fault),
  }
end

--- Message, kind and stack (or nil) of a fault that has nothing else; nothing if it has.
function M.texts_alone(fault)
  if rawget(fault, "_retryable") == nil and rawget(fault, "_details") == nil and rawget(fault, "_context") == nil then
    return message_of(fault), checked(rawget(fault, "_kind"), "string") or "", checked(rawget(fault, "_stack"), "string")
  end
end

--- A copy of `fault`; details that cannot be copied are left out.
function M.sanitized(fault)
  local data = data_of(fault)
  -- In what is sent the details stand two levels deep, and beside the rest: there they must have room.
  local ok, wrapped = copy({ data })
  data.details = nil
  if ok then
    data.details = wrapped[1].details
  end
  return M.new(data.kind, data.message, data)
end

--- How an arbitrary value reads in a message: raw, so that no code of its owner runs, and of bounded length.
local function readable(value, depth)
  if type(value) ~= "table" then
    return type(value) == "string" and string.format("%q", value) or tostring(value)
  elseif depth == 0 then
    return "{...}"
  end
  local parts, n = {}, 0
  for key, item in next, value do
    n = n + 1
    if n > 8 then
      parts[n] = "..."
      break
    end
    parts[n] = (type(key) == "string" and key or "[" .. readable(key, 0) .. "]") .. " = " .. readable(item, depth - 1)
  end
  table.sort(parts)
  return "{" .. table.concat(parts, ", ") .. "}"
end

--- The error object for a value that was raised in coroutine `co`, with the stack of `co`.
function M.of_error(raised, co)
  local trace = stack.of(co)
  if M.is(raised) then
    local failure = M.sanitized(raised)
    rawset(failure, "_stack", failure._stack or trace)
    return failure
  end
  local text_type = type(raised)
  local message = (text_type == "string" or text_type == "number") and tostring(raised) or readable(raised, 2)
  return M.new("", message, { stack = trace })
end

classes.register(Fault, 1, data_of, function(data)
  return M.new(data.kind or "", data.message, data)
end)

return M
