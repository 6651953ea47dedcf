--- Processes of other Lua states. A peer has the pid of one and the number of its state, and takes its
-- place in the relations of the processes here. The hub keeps a peer for every process elsewhere, from
-- its birth to its end; other states keep one while a process of theirs is related to it.

local state = require("kernel.state")

local match = string.match

local M = {}

local by_pid = {}
M.by_pid = by_pid

local function state_of(pid)
  return tonumber(match(pid, "|(%d+):0x%x+}$")) or 0
end

-- Outside the hub: peers that `find` found. A few only, but who is sent something is sent more.
local recent, recent_count = {}, 0
M.recent = recent

local MOST_RECENT = 256

--- Forgets them: they can be found again.
function M.forget_recent()
  for pid in next, recent do
    recent[pid] = nil
  end
  recent_count = 0
end

local function remember(peer)
  if recent_count == MOST_RECENT then
    M.forget_recent()
  end
  recent[peer.pid], recent_count = peer, recent_count + 1
end

--- The peer with this pid, which may be dead.
function M.of(pid)
  return by_pid[pid] or recent[pid] or { pid = pid, state = state_of(pid), links = false, monitors = false }
end

--- The process behind what is no process here: a peer; or, outside the hub, `{ name = }` of one whom
-- the hub must look up; or nil if there is none.
function M.find(dest, is_pid)
  if state.is_hub then
    return by_pid[dest]
  elseif not is_pid then
    return { name = dest, state = 0 }
  elseif state_of(dest) ~= state.number then
    local peer = M.of(dest)
    if recent[dest] ~= peer then
      remember(peer)
    end
    return peer
  end
  return nil
end

--- Whether a process may live, as far as this state knows: the hub knows all.
function M.may_live(proc)
  return proc.state ~= nil and (not state.is_hub or by_pid[proc.pid] == proc)
end

function M.keep(peer)
  by_pid[peer.pid] = peer
  if recent[peer.pid] then
    recent[peer.pid] = peer
  end
end

function M.drop(peer)
  by_pid[peer.pid] = nil
end

--- Forgets a peer that no process here is related to any more.
function M.release(peer)
  if not state.is_hub and not (peer.links or peer.monitors or peer.awaited_by or peer.owned) then
    by_pid[peer.pid] = nil
  end
end

--- Every peer of a state, in the order of their pids.
function M.of_state(number)
  local list = {}
  for _, peer in next, by_pid do
    if peer.state == number then
      list[#list + 1] = peer
    end
  end
  table.sort(list, function(a, b)
    return #a.pid < #b.pid or (#a.pid == #b.pid and a.pid < b.pid)
  end)
  return list
end

return M
