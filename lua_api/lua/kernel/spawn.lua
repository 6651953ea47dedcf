--- Bringing a process to life: find its program, run its chunk, attach its watchers, start `main`.
-- The spawner waits until the chunk has run; the child runs before anybody else, so that for the
-- spawner this takes no time.

local clock = require("kernel.clock")
local copy_module = require("kernel.copy")
local fault = require("kernel.fault")
local op = require("kernel.op")
local outbox = require("kernel.outbox")
local queue = require("kernel.queue")
local registry = require("kernel.registry")
local signals = require("kernel.signals")
local sources = require("kernel.sources")

local copy, is_scalar = copy_module.copy, copy_module.is_scalar
local kinds, new_fault = fault.kinds, fault.new
local create, yield = coroutine.create, coroutine.yield
local unpack = table.unpack or unpack
local type, error, setmetatable = type, error, setmetatable

local M = {}

-- The metatable of the globals of every process; its __index is set by api/sandbox.lua.
M.Globals = { __metatable = false }
local Globals = M.Globals

local function main_of(module, source)
  local main = module
  if type(module) == "table" then
    main = module[source.method]
  end
  if type(main) ~= "function" then
    local file, method = string.gsub(source.chunk_name, "^[@=]", ""), source.method
    error(file .. ": " .. method .. " is missing: end the file with return { " .. method .. " = " .. method .. " }", 0)
  end
  return main
end

local function arguments(list)
  if list then
    return unpack(list, 1, list.n)
  end
end

--- What the main coroutine of every process runs. Nothing but the frame of `main` stays alive below it.
local function boot(env, source, entry)
  return op.FINISHED, main_of(source.body(env, entry), source)(arguments(yield(op.LOADED)))
end

--- Copies the arguments `list[1..n]`, or returns nil and an error that names the one at fault.
local function copied_arguments(list)
  if not list then
    return false
  end
  local copies = { n = list.n }
  for i = 1, list.n do
    local value = list[i]
    if is_scalar[type(value)] then
      copies[i] = value
    else
      local ok, copied = copy(value, "argument[" .. i .. "]")
      if not ok then
        return nil, new_fault(kinds.INVALID, copied)
      end
      copies[i] = copied
    end
  end
  return copies
end

local function program_of(host, entry, source)
  local program = host.programs[entry]
  if not program or program.source ~= source then
    program = { entry = entry, host = host, source = source }
    host.programs[entry] = program
  end
  return program
end

local function answer(spawner, value, failure)
  spawner.r1, spawner.r2 = value, failure
  queue.push_front(spawner)
end

--- Creates the process and lets it run its chunk next.
local function begin(spawner, host, entry, source, request)
  if request.abandoned then
    return
  end
  if host.count >= host.max_processes then
    local message = "host " .. host.name .. " is full: it runs its max_processes of " .. host.max_processes
    return answer(spawner, nil, new_fault(kinds.RATE_LIMITED, message))
  end
  local env = {}
  env._G = env
  setmetatable(env, Globals)
  local proc = {
    co = create(boot),
    pid = registry.new_pid(host),
    proc = false,
    task = false,
    next = false,
    r1 = env,
    r2 = source,
    r3 = entry,
    mailbox = false,
    program = program_of(host, entry, source),
    env = env,
    started = clock.now,
    mail = 0,
    links = false,
    monitors = false,
    loading = request,
  }
  proc.proc, proc.task = proc, proc
  request.spawner, request.child = spawner, proc
  function request.refuse(failure)
    answer(spawner, nil, failure)
  end
  registry.add(proc)
  queue.push_front(proc)
end

--- Spawns `entry` on `host_name` for `spawner`, a task, which is answered with the pid or nil and an error.
-- @param request how: `arguments` (a list with n, or false), `link`, `monitor`, `await` (answer with the end instead);
-- a spawner that gave up sets `abandoned`, and finds what was begun in `child`
function M.spawn(spawner, entry, host_name, request)
  local host = registry.host(host_name)
  if not host then
    return answer(spawner, nil, new_fault(kinds.NOT_FOUND, 'host not found: "' .. host_name .. '"'))
  end
  local copies, refusal = copied_arguments(request.arguments)
  if copies == nil then
    return answer(spawner, nil, refusal)
  end
  request.arguments = copies
  local source = sources.get("entry", entry)
  if source then
    return begin(spawner, host, entry, source, request)
  end
  sources.need("entry", entry, function(found, failure)
    if found then
      begin(spawner, host, entry, found, request)
    else
      answer(spawner, nil, failure)
    end
  end)
end

--- Attaches what the spawner asked for; a linked child follows a spawner that failed meanwhile.
local function attach(proc, request)
  local parent = request.spawner.proc
  local parent_lives = registry.by_pid[parent.pid] == parent
  if request.link and parent_lives then
    signals.link(parent, proc)
  elseif request.link then
    signals.finish(proc, nil, new_fault(kinds.CANCELED, "linked process failed", {
      details = { origin = parent.pid, error = "ended while it spawned this process" },
    }))
    return false
  end
  if request.monitor and parent_lives then
    signals.monitor(parent, proc)
  end
  return true
end

--- The chunk has run: the process is routable, its spawner goes on, and `main` takes its turn.
function M.loaded(proc)
  local request = proc.loading
  proc.loading = false
  if not attach(proc, request) then
    return
  end
  local spawner = request.spawner
  if outbox.watched then
    local program = proc.program
    outbox.row(5, outbox.SPAWNED, proc.pid, program.entry, program.host.name, spawner.proc.pid)
  end
  if request.await then
    signals.await(spawner, proc)
  else
    answer(spawner, proc.pid)
  end
  proc.r1, proc.r2, proc.r3 = request.arguments, nil, nil
  queue.push(proc)
end

return M
