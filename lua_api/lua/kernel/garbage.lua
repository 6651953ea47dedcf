--- When garbage is collected. By itself Lua looks through everything whenever the memory in use has
-- doubled, which is most of the cost of spawning many processes and frees nothing: what they add is in
-- use. So it is left to itself only as a net for single long turns, and after every step the kernel
-- starts a collection when what is not explained by new processes has doubled.

local cpu = require("kernel.cpu")
local registry = require("kernel.registry")

local collectgarbage, floor, max, min = collectgarbage, math.floor, math.max, math.min

local M = {}

-- In KB: what a process takes that waits for a message; and how much garbage a turn may leave where
-- little else is in use.
local PROCESS = 2.3
local NET = 256 * 1024

-- What was in use and how many processes there were when this was last known, and the use a step ago.
local base, processes, before

-- Lua 5.5 has another name for it.
local function set_pause(percent)
  if _VERSION == "Lua 5.5" then
    collectgarbage("param", "pause", percent)
  else
    collectgarbage("setpause", percent)
  end
end

local function known(used)
  base, processes = used, registry.count
  -- In percent of what is in use at the end of a collection; Lua knows no more than 1000. Under a cap
  -- nothing may pile up.
  set_pause(cpu.capped and 200 or floor(min(1000, max(200, 100 + 100 * NET / used))))
end

--- Looks at the memory in use; called between steps.
function M.check()
  local used = collectgarbage("count")
  if used < before then
    known(used)
  elseif used > 2 * (base + max(0, registry.count - processes) * PROCESS) then
    known(used)
    -- The first of many: Lua goes on by itself as memory is allocated, until it is through.
    collectgarbage("step")
  end
  before = used
end

before = collectgarbage("count")
known(before)

return M
