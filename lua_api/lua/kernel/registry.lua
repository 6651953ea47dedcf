--- Who is alive: the process table, the hosts with their limits, and the names.

local fault = require("kernel.fault")
local outbox = require("kernel.outbox")
local peers = require("kernel.peers")
local post = require("kernel.post")
local relation = require("kernel.relation")
local state = require("kernel.state")

local kinds, new_fault = fault.kinds, fault.new
local byte, find, format, gsub = string.byte, string.find, string.format, string.gsub
local OPEN, CLOSE = byte("{}", 1, 2)

local M = {}

local by_pid, by_name, hosts = {}, {}, {}
local recent = peers.recent
M.by_pid = by_pid
M.count = 0

local serial = 0

--- A host that nobody can find by its name. The pids of states other than the hub name their state.
-- `limits` has max_processes and max_mailbox, and for hosts that run Lua max_timers,
-- max_instructions, max_run_instructions, and `create`, which makes the coroutines (see threads.lua).
function M.new_host(name, limits)
  local number = state.is_hub and "0x%04x" or state.number .. ":0x%04x"
  return {
    name = name,
    count = 0,
    programs = {},
    -- For BLOCK serials in a row pids begin alike: with `pid_block`, made by `pid_form`.
    block = -1,
    pid_block = false,
    pid_form = "{" .. gsub(name, "%%", "%%%%") .. "|" .. number,
    max_processes = limits.max_processes,
    max_mailbox = limits.max_mailbox,
    max_timers = limits.max_timers,
    max_instructions = limits.max_instructions,
    max_run_instructions = limits.max_run_instructions,
    create = limits.create,
  }
end

--- Declares a host (see `new_host`) on which processes can be spawned.
function M.add_host(name, limits)
  hosts[name] = M.new_host(name, limits)
end

function M.host(name)
  return hosts[name]
end

local BLOCK = 16
local ends = {}
for last = 0, BLOCK - 1 do
  ends[last] = format("%x}", last)
end

--- A pid that no process had before.
function M.new_pid(host)
  serial = serial + 1
  local last = serial % BLOCK
  local block = serial - last
  if block ~= host.block then
    host.block, host.pid_block = block, format(host.pid_form, block / BLOCK)
  end
  return host.pid_block .. ends[last]
end

--- Adds a new process to the table.
-- @param asker,ticket the request that the hub waits to see answered by it, if there is one (see post.BORN)
function M.add(proc, asker, ticket)
  by_pid[proc.pid] = proc
  M.count = M.count + 1
  local host = proc.program.host
  host.count = host.count + 1
  if not state.is_hub then
    proc.afar = 0
    post.row(0, 5, post.BORN, proc.pid, proc.program.entry, asker, ticket)
  end
end

--- Takes a process out of the table: from now on it cannot be found.
function M.remove(proc)
  by_pid[proc.pid] = nil
  M.count = M.count - 1
  local host = proc.program.host
  host.count = host.count - 1
end

--- Takes a process back that has not run.
function M.withdraw(proc)
  M.remove(proc)
  if proc.afar then
    post.row(0, 6, post.ENDED, proc.pid, nil, nil, false, true)
  end
end

--- All live processes, oldest first, or those of which `fits` is true.
function M.list(fits)
  local list, n = {}, 0
  for _, proc in next, by_pid do
    if not fits or fits(proc) then
      n = n + 1
      list[n] = proc
    end
  end
  local age = {}
  for i = 1, n do
    age[list[i]] = tonumber(string.match(list[i].pid, "(0x%x+)}$"))
  end
  table.sort(list, function(a, b)
    return age[a] < age[b]
  end)
  return list
end

-- No pattern: the text may be of any length, and "^{.*|.*}$" takes the square of it.
local function is_pid(text)
  return byte(text, 1) == OPEN and byte(text, -1) == CLOSE and find(text, "|", 2, true) ~= nil
end

function M.not_found(pid)
  return new_fault(kinds.NOT_FOUND, "process not found: " .. pid)
end

--- The process behind a pid or a name, or what stands for it here if it is elsewhere (see peers.lua);
-- otherwise nil and an error that names what was not found.
-- What is no text is nil without an error: the API raises for it.
function M.find(dest)
  local proc = by_pid[dest] or by_name[dest] or recent[dest]
  if proc then
    return proc
  end
  if type(dest) ~= "string" then
    return nil
  end
  local pid = is_pid(dest)
  local peer = peers.find(dest, pid)
  if peer then
    return peer
  elseif pid then
    return nil, M.not_found(dest)
  end
  return nil, new_fault(kinds.NOT_FOUND, 'name not found: "' .. dest .. '"')
end

function M.not_registered(dest)
  return new_fault(kinds.NOT_FOUND, "pid not registered: " .. dest)
end

--- As `find`, in the words of monitor, link and register.
function M.find_registered(dest)
  local proc = by_pid[dest] or by_name[dest] or peers.find(dest, is_pid(dest))
  if proc then
    return proc
  end
  return nil, M.not_registered(dest)
end

--- Gives `name` to a process.
function M.register(name, pid)
  if name == "" or is_pid(name) or string.sub(name, 1, 1) == "@" then
    return nil, new_fault(kinds.INVALID, 'invalid name "' .. name .. '": a name is not empty, not a pid, and does not start with "@"')
  end
  if not is_pid(pid) then
    return nil, new_fault(kinds.INVALID, 'malformed pid "' .. pid .. '"')
  end
  local proc = by_pid[pid] or peers.by_pid[pid]
  if not proc then
    return nil, M.not_registered(pid)
  end
  local holder = by_name[name]
  if holder == proc then
    return true
  elseif holder then
    return nil, new_fault(kinds.ALREADY_EXISTS, 'name "' .. name .. '" is already registered by ' .. holder.pid)
  end
  by_name[name] = proc
  relation.add(proc, "names", name)
  if outbox.watched then
    outbox.row(3, outbox.REGISTERED, name, pid)
  end
  return true
end

local function release(name, proc)
  by_name[name] = nil
  if outbox.watched then
    outbox.row(3, outbox.UNREGISTERED, name, proc.pid)
  end
end

--- Frees `name`; returns false if nobody held it.
function M.unregister(name)
  local proc = by_name[name]
  if not proc then
    return false
  end
  relation.remove(proc, "names", name)
  release(name, proc)
  return true
end

function M.release_names(proc)
  if proc.names then
    local names = relation.take_all(proc, "names")
    for i = 1, #names do
      release(names[i], proc)
    end
  end
end

function M.lookup(name)
  local proc = by_name[name]
  if proc then
    return proc.pid
  end
  return nil, new_fault(kinds.NOT_FOUND, 'name not found: "' .. name .. '"')
end

--- How many names are held.
function M.name_count()
  local n = 0
  for _ in next, by_name do
    n = n + 1
  end
  return n
end

return M
