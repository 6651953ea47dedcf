--- New code for a process that lives on: same pid, names, links, monitors, supervisor and unread mailbox.
-- Nothing of the old code survives: its coroutines, timers, channels and globals are gone, and what it
-- hands over is a copy. The new `main` runs as a task of its own, so that whatever still comes for one
-- that waited before wakes nobody.

local fault = require("kernel.fault")
local channel = require("kernel.channel")
local mailbox = require("kernel.mailbox")
local outbox = require("kernel.outbox")
local post = require("kernel.post")
local queue = require("kernel.queue")
local registry = require("kernel.registry")
local signals = require("kernel.signals")
local sources = require("kernel.sources")
local spawn = require("kernel.spawn")
local timers = require("kernel.timers")

local kinds, new_fault = fault.kinds, fault.new

local M = {}

--- Whether newer versions are known of the code that a process runs.
local function is_outdated(proc)
  local program = proc.program
  if proc.port or proc.upgrading then
    return false
  elseif sources.get("entry", program.entry) ~= program.source then
    return true
  end
  local used = proc.sources or {}
  for i = 1, #used do
    if sources.get("module", used[i].name) ~= used[i] then
      return true
    end
  end
  return false
end

--- Ends all that the code of a process has under way.
local function stop(proc)
  signals.drop_coroutines(proc)
  timers.drop_all(proc)
  mailbox.take_back(proc)
  proc.tasks, proc.loaded, proc.sources, proc.hears = nil, nil, nil, nil
end

local function start(proc, entry, source)
  local env = setmetatable({}, spawn.Globals)
  local host = proc.program.host
  local co = host.create(spawn.boot)
  local task = { co = co, proc = proc, task = false, next = false, r1 = env, r2 = source, r3 = entry }
  task.task = task
  proc.env, proc.tasks = env, { [co] = task }
  proc.program = spawn.program_of(host, entry, source)
  if proc.afar then
    post.row(0, 3, post.UPGRADED, proc.pid, entry)
  end
  queue.push_front(task)
end

--- Starts the new code when its source is there; an upgrade that fails ends the process.
local function start_with(proc, entry)
  return function(_, failure)
    if registry.by_pid[proc.pid] ~= proc then
      return
    elseif failure then
      return signals.finish(proc, nil, failure)
    end
    start(proc, entry, sources.get("entry", entry))
  end
end

--- Lets a process go on with the code of `entry` (nil: its own), to whose `main` the list goes.
-- What the node has loaded already is taken; an entry that is the newest one known is looked for anew.
-- @treturn[1] nil it is under way
-- @treturn[2] table an error: nothing has happened
function M.begin(proc, entry, list)
  if proc.loading or proc.upgrading then
    return new_fault(kinds.INVALID, "process.upgrade: the file is still being loaded; call it from main")
  end
  local ok, refusal = spawn.own_arguments(list)
  if not ok then
    return refusal
  end
  entry = entry or proc.program.entry
  local is_newest = entry == proc.program.entry and not is_outdated(proc)
  stop(proc)
  proc.upgrading = list
  local resume = start_with(proc, entry)
  if is_newest then
    sources.need("upgrade", entry, resume)
  elseif sources.get("entry", entry) then
    resume()
  else
    sources.need("entry", entry, resume)
  end
end

--- The new chunk has run; returns what its `main` gets.
function M.loaded(proc)
  local list = proc.upgrading
  proc.upgrading = nil
  if outbox.watched then
    outbox.row(3, outbox.UPGRADED, proc.pid, proc.program.entry)
  end
  return list
end

--- Tells a process that there is newer code, unless it has been told and has not looked yet.
local function tell(proc)
  local ch = mailbox.upgrades(proc)
  if channel.length(ch) == 0 and not channel.hand_over(ch, proc.program.entry, true) then
    channel.put(ch, proc.program.entry)
  end
end

--- The channel on which a process hears of newer code: at once, if there is some already.
function M.channel(proc)
  if not mailbox.hears_of_upgrades(proc) and is_outdated(proc) then
    tell(proc)
  end
  return mailbox.upgrades(proc)
end

--- Tells the processes whose code is outdated, all or those of `entry`.
-- @treturn table for each: pid, entry, whether it takes part, and the ticket of its seat if it is supervised
function M.ask(entry)
  local list = registry.list(function(proc)
    return (not entry or proc.program.entry == entry) and is_outdated(proc)
  end)
  for i = 1, #list do
    local proc = list[i]
    local hears = mailbox.hears_of_upgrades(proc)
    if hears then
      tell(proc)
    end
    list[i] = { proc.pid, proc.program.entry, hears, proc.seat and proc.seat.ticket or false }
  end
  return list
end

return M
