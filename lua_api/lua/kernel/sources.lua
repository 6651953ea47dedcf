--- Lua sources: compiled once per kernel, run once per process with the globals of that process.
-- The kernel reads no files: what it does not have it asks for (a NEED row), and whoever asked for it waits.

local fault = require("kernel.fault")
local outbox = require("kernel.outbox")

local kinds, new_fault = fault.kinds, fault.new
local gsub, sub = string.gsub, string.sub
local load, setfenv = load, setfenv

local M = {}

-- "entry" and "module" are separate worlds: `app:x` is an entry, `app.x` a module.
local compiled = { entry = {}, module = {} }
local waiting = { entry = {}, module = {}, upgrade = {} }

--- Compiles text into `body(env, ...)`, which runs the chunk with `env` as its globals.
local function compile(text, chunk_name)
  -- On its own first: text that is a whole chunk cannot close the function it is put into below.
  local whole, message = load(text, chunk_name, "t")
  if not whole then
    return nil, message
  end
  if setfenv then
    local factory = load("return function(...) " .. text .. "\nend", chunk_name, "t")
    return function(env, ...)
      return setfenv(factory(), env)(...)
    end
  end
  local factory
  factory, message = load("return function(_ENV, ...) " .. text .. "\nend", chunk_name, "t", {})
  return factory and factory(), message
end

--- What is known of a source: `{ name =, body =, method =, chunk_name =, last_line =, used = }`, or nil.
-- Of an entry, `used` has the names of the modules that processes of this version have loaded.
function M.get(kind, name)
  return compiled[kind][name]
end

--- Asks for a source; `resume(source or nil, fault)` is called when it is there.
-- The kind "upgrade" asks for newer versions of an entry and its modules, where there are any.
function M.need(kind, name, resume)
  local list = waiting[kind][name]
  if list then
    list[#list + 1] = resume
    return
  end
  waiting[kind][name] = { resume }
  outbox.row(3, outbox.NEED, kind, name)
end

local function answer(kind, name, source, failure)
  local list = waiting[kind][name] or {}
  waiting[kind][name] = nil
  for i = 1, #list do
    -- Each process gets an error object of its own.
    list[i](source, failure and fault.sanitized(failure))
  end
end

--- Brings the text of a source. A faulty text is not kept: the next spawn asks again.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string the syntax error, with file and line
function M.provide(kind, name, chunk_name, text, method)
  local body, message = compile(text, chunk_name)
  if not body then
    answer(kind, name, nil, new_fault(kinds.INVALID, message))
    return nil, message
  end
  local _, breaks = gsub(text, "\n", "")
  local last_line = breaks + (sub(text, -1) == "\n" and 0 or 1)
  local source = { name = name, body = body, method = method, chunk_name = chunk_name, last_line = last_line, used = {} }
  compiled[kind][name] = source
  answer(kind, name, source)
  return true
end

--- Brings a newer text of a source, if an older one is known here.
-- @treturn as `provide`; nil if there is none
function M.renew(kind, name, ...)
  if compiled[kind][name] then
    return M.provide(kind, name, ...)
  end
end

--- Says that what is known of `entry` is the newest there is.
function M.confirm(entry)
  answer("upgrade", entry, true)
end

--- Says that a source cannot be had, or no newer version of it.
function M.refuse(kind, name, fault_kind, message)
  answer(kind, name, nil, new_fault(fault_kind, message))
end

return M
