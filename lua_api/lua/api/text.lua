--- The `string` module of a process: Lua's own, which also takes error objects where it takes text.
-- Methods of strings (`("x"):upper()`) go straight to Lua's own functions.

local argument = require("api.argument")
local fault = require("kernel.fault")

local at_caller = argument.at_caller
local pcall, type, tostring = pcall, type, tostring
local is_fault, fault_text = fault.is, fault.text
local native = string

local M = {}

--- `value` as text for argument `n` of `name`; raises at the line that called the function.
local function as_text(n, name, value)
  if is_fault(value) then
    return fault_text(value)
  elseif type(value) == "number" then
    return tostring(value)
  end
  argument.bad(n, name, "string", value, 1)
end

-- What can fail for other reasons than its text is called by pcall, so that its errors name the line of
-- the caller too.

local function of_one(name)
  local call = native[name]
  M[name] = function(s)
    if type(s) ~= "string" then
      s = as_text(1, name, s)
    end
    return call(s)
  end
end

local function of_one_and_more(name)
  local call = native[name]
  M[name] = function(s, ...)
    if type(s) ~= "string" then
      s = as_text(1, name, s)
    end
    return at_caller(pcall(call, s, ...))
  end
end

local function of_two(name)
  local call = native[name]
  M[name] = function(s, pattern, ...)
    if type(s) ~= "string" then
      s = as_text(1, name, s)
    end
    if type(pattern) ~= "string" then
      pattern = as_text(2, name, pattern)
    end
    return at_caller(pcall(call, s, pattern, ...))
  end
end

for _, name in ipairs({ "len", "lower", "reverse", "upper" }) do
  of_one(name)
end
for _, name in ipairs({ "byte", "format", "rep", "sub" }) do
  of_one_and_more(name)
end
for _, name in ipairs({ "find", "gmatch", "match" }) do
  of_two(name)
end

local gsub = native.gsub
of_two("gsub")
local gsub_of_text = M.gsub

--- Errors that a function of the process raises within stay as they are.
function M.gsub(s, pattern, replacement, ...)
  if is_fault(replacement) then
    replacement = fault_text(replacement)
  end
  if type(replacement) ~= "function" and type(replacement) ~= "table" then
    return gsub_of_text(s, pattern, replacement, ...)
  elseif type(s) ~= "string" then
    s = as_text(1, "gsub", s)
  end
  if type(pattern) ~= "string" then
    pattern = as_text(2, "gsub", pattern)
  end
  return gsub(s, pattern, replacement, ...)
end

M.char = native.char
-- Packing is there from Lua 5.3 on.
M.pack, M.unpack, M.packsize = native.pack, native.unpack, native.packsize

return M
