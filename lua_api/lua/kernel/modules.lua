--- The modules of a process: each is loaded once, by the first task that requires it.
-- Whoever has to wait, for the source or for another task of the process, asks again afterwards.

local fault = require("kernel.fault")
local outbox = require("kernel.outbox")
local queue = require("kernel.queue")
local sources = require("kernel.sources")

local kinds = fault.kinds
local push = queue.push

local M = {}

-- What the name of a module stands for while a task loads it: { task =, waiting = list of tasks }.
local Loading = {}

local function held_by(proc, name)
  local held = proc.loaded and proc.loaded[name]
  return held, type(held) == "table" and getmetatable(held) == Loading
end

--- Whether `task` would wait for itself, perhaps over modules that other tasks load.
local function is_loop(task, loading)
  while loading do
    if loading.task == task then
      return true
    end
    loading = loading.task.requires
  end
  return false
end

local function again(task)
  task.requires = nil
  task.r1, task.r2 = "again", nil
  push(task)
end

--- Lets the outside know which modules an entry needs, once for each.
local function report(program, name)
  local used = program.source.used
  if not used[name] then
    used[name] = true
    outbox.row(3, outbox.REQUIRED, program.entry, name)
  end
end

local function await_source(task, name)
  sources.need("module", name, function(found, failure)
    if found then
      return again(task)
    end
    local why = tostring(failure)
    if failure._kind ~= kinds.NOT_FOUND then
      why = "error loading module '" .. name .. "': " .. why
    end
    task.r1, task.r2 = "failed", why
    push(task)
  end)
end

--- Answers "loaded" and the module, "load" and the body to run, "again", or "failed" and an error text.
function M.require(task, name)
  local proc = task.proc
  local held, is_loading = held_by(proc, name)
  if is_loading then
    if is_loop(task, held) then
      return true, "failed", "module '" .. name .. "' is required while it is being loaded (a loop of requires)"
    end
    held.waiting[#held.waiting + 1] = task
    task.requires = held
    return
  elseif held ~= nil then
    return true, "loaded", held
  end
  local source = sources.get("module", name)
  if not source then
    return await_source(task, name)
  end
  proc.loaded = proc.loaded or {}
  proc.loaded[name] = setmetatable({ task = task, waiting = {} }, Loading)
  proc.sources = proc.sources or {}
  proc.sources[#proc.sources + 1] = source
  report(proc.program, name)
  return true, "load", source.body
end

--- The module has run; without a value it failed, and the next one who requires it tries anew.
function M.required(task, name, module)
  local loading = held_by(task.proc, name)
  task.proc.loaded[name] = module
  for i = 1, #loading.waiting do
    again(loading.waiting[i])
  end
  return true
end

return M
