--- Bringing a process to life: find its program, run its chunk, attach its watchers, start `main`.
-- The spawner waits until the chunk has run; the child runs before anybody else, so that for the
-- spawner this takes no time.

local afar = require("kernel.afar")
local clock = require("kernel.clock")
local copy_module = require("kernel.copy")
local fault = require("kernel.fault")
local op = require("kernel.op")
local outbox = require("kernel.outbox")
local peers = require("kernel.peers")
local queue = require("kernel.queue")
local refuse = require("kernel.refuse")
local relation = require("kernel.relation")
local registry = require("kernel.registry")
local signals = require("kernel.signals")
local sources = require("kernel.sources")
local state = require("kernel.state")

local copy, is_scalar = copy_module.copy, copy_module.is_scalar
local kinds, new_fault = fault.kinds, fault.new
local yield = coroutine.yield
local new_pid = registry.new_pid
local unpack = table.unpack or unpack
local type, error, setmetatable = type, error, setmetatable

local FINISHED, LOADED = op.FINISHED, op.LOADED

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
    local place = file .. ":" .. source.last_line .. ": "
    error(place .. method .. " is missing: end the file with return { " .. method .. " = " .. method .. " }", 0)
  end
  return main
end

local function arguments(list)
  if list then
    return unpack(list, 1, list.n)
  end
end

--- What the main coroutine of every process runs. Nothing but the frame of `main` stays alive below it.
function M.boot(env, source, entry)
  return FINISHED, main_of(source.body(env, entry), source)(arguments(yield(LOADED)))
end

--- Makes the arguments `list[1..n]` the child's own, in place: the list was made for this call alone.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] table an error that names the one at fault
function M.own_arguments(list)
  if list.n > refuse.MAX_VALUES then
    return nil, new_fault(kinds.INVALID, refuse.too_many("arguments"))
  end
  for i = 1, list.n do
    local value = list[i]
    if not is_scalar[type(value)] then
      local ok, copied = copy(value, "argument[" .. i .. "]")
      if not ok then
        return nil, new_fault(kinds.INVALID, copied)
      end
      list[i] = copied
    end
  end
  return true
end

--- What all processes of a host share that run the same version of an entry.
function M.program_of(host, entry, source)
  local program = host.programs[entry]
  if not program or program.source ~= source then
    program = { entry = entry, host = host, source = source }
    host.programs[entry] = program
  end
  return program
end

local boot, own_arguments, program_of = M.boot, M.own_arguments, M.program_of

-- How many chunks run in a row, each spawned by the one before, before the others get their turn.
local TURN = 64

local function answer(spawner, value, failure)
  spawner.r1, spawner.r2, spawner.r3 = value, failure, nil
  queue.push_ahead(spawner, "spawns")
end

--- Makes a supervised process known to its supervisor, and lets it run its chunk next.
local function sit_down(proc, place)
  proc.seat = place
  signals.own(place.proc, proc)
  queue.push_front(proc)
end

--- Gives a supervised process its name first: without it, it does not start.
local function take_seat(spawner, proc, place)
  local function named(ok, failure)
    if ok and registry.by_pid[proc.pid] == proc then
      return sit_down(proc, place)
    elseif not ok then
      registry.withdraw(proc)
      spawner.child = false
      answer(spawner, nil, failure)
    end
  end
  if not place.name then
    named(true)
  elseif state.is_hub then
    named(registry.register(place.name, proc.pid))
  else
    afar.register(named, place.name, proc.pid)
  end
end

--- Creates the process and lets it run its chunk next.
local function begin(spawner, host, entry, source, mode, list)
  if spawner.abandoned then
    return
  end
  if host.count >= host.max_processes then
    local message = "host " .. host.name .. " is full: it runs its max_processes of " .. host.max_processes
    return answer(spawner, nil, new_fault(kinds.RATE_LIMITED, message))
  end
  local env = setmetatable({}, Globals)
  local proc = {
    co = host.create(boot),
    pid = new_pid(host),
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
    loading = spawner,
  }
  proc.proc, proc.task = proc, proc
  spawner.mode, spawner.arguments = mode, list
  if spawner.ticket then
    spawner.child = proc
  end
  registry.add(proc, spawner.asker, spawner.asker and spawner.number or mode.seat and spawner.ticket)
  if mode.seat then
    return take_seat(spawner, proc, mode)
  end
  -- One whose chunk spawns another, whose chunk spawns another, would keep all others from their turns.
  local depth = spawner.proc.loading and (spawner.proc.depth or 0) + 1 or 0
  if depth < TURN then
    proc.depth = depth > 0 and depth or nil
    queue.push_front(proc)
  else
    queue.push(proc)
  end
end

--- Spawns `entry` on `host_name` for `spawner`, a task, which is answered with the pid or nil and an error.
-- @param mode what to attach: `link`, `monitor`; with `await` the answer is the end instead; or the seat
--   of a supervised process (see children.lua)
-- @param list the arguments, with their number in n; or false
-- A spawner from outside that gave up sets `abandoned`, and finds what was begun in `child`.
function M.spawn(spawner, entry, host_name, mode, list)
  local host = registry.host(host_name)
  if not host and state.is_hub then
    return answer(spawner, nil, new_fault(kinds.NOT_FOUND, 'host not found: "' .. host_name .. '"'))
  end
  if list then
    local ok, refusal = own_arguments(list)
    if not ok then
      return answer(spawner, nil, refusal)
    end
  end
  if not host then
    return afar.spawn(spawner, entry, { name = host_name }, mode, list)
  elseif host.states or (host.shared and not mode.here) then
    return afar.spawn(spawner, entry, host, mode, list)
  end
  local source = sources.get("entry", entry)
  if source then
    return begin(spawner, host, entry, source, mode, list)
  end
  sources.need("entry", entry, function(found, failure)
    if found then
      begin(spawner, host, entry, found, mode, list)
    else
      answer(spawner, nil, failure)
    end
  end)
end

--- Attaches what the spawner asked for; a linked child follows a spawner that failed meanwhile.
local function attach(proc, parent, mode)
  local parent_lives = registry.by_pid[parent.pid] == parent or peers.may_live(parent)
  if mode.link and parent_lives then
    signals.link(parent, proc)
  elseif mode.link then
    signals.finish(proc, nil, new_fault(kinds.CANCELED, "linked process failed", {
      details = { origin = parent.pid, error = "ended while it spawned this process" },
    }))
    return false
  end
  if mode.monitor and parent_lives then
    signals.monitor(parent, proc)
  end
  return true
end

--- The chunk has run: the process is routable, its spawner goes on, and `main` takes its turn.
function M.loaded(proc)
  local spawner = proc.loading
  local mode, list = spawner.mode, spawner.arguments
  proc.loading, spawner.mode, spawner.arguments = false, nil, nil
  if (mode.link or mode.monitor) and not attach(proc, spawner.proc, mode) then
    return
  end
  if outbox.watched then
    local program = proc.program
    outbox.row(5, outbox.SPAWNED, proc.pid, program.entry, program.host.name, spawner.proc.pid)
  end
  if mode.watch then
    relation.add(proc, "afar", mode.watch)
  end
  if mode.await then
    signals.await(spawner, proc)
  elseif not mode.ready then
    answer(spawner, proc.pid)
  end
  proc.r1, proc.r2, proc.r3 = list, nil, nil
  queue.push(proc)
end

return M
