--- `math.random` with a generator for each process: L'Ecuyer's MRG32k3a, in doubles so that it is the
-- same on every Lua. The seed comes from the pid, so a run with the same pids draws the same numbers.

local cpu = require("kernel.cpu")

local error, floor, type = error, math.floor, type

local M = {
  -- What the seeds of all processes are mixed with.
  salt = 0,
}

local M1, M2 = 4294967087, 4294944443

local function seeded(number)
  local state = {}
  local value = number % M2
  for i = 1, 6 do
    value = (value * 69069 + 1) % M2
    state[i] = value
  end
  -- Neither half may be all zero.
  state[1], state[4] = state[1] + 1, state[4] + 1
  for _ = 1, 8 do
    M.draw(state)
  end
  return state
end

--- The next number in [0, 1).
function M.draw(state)
  local p1 = (1403580 * state[2] - 810728 * state[1]) % M1
  state[1], state[2], state[3] = state[2], state[3], p1
  local p2 = (527612 * state[6] - 1370589 * state[4]) % M2
  state[4], state[5], state[6] = state[5], state[6], p2
  return ((p1 - p2) % M1) / M1
end

local function number_of(pid)
  local number = (7 + M.salt) % M2
  for i = 1, #pid do
    number = (number * 31 + pid:byte(i)) % M2
  end
  return number
end

local function generator(proc)
  local state = proc.random
  if not state then
    state = seeded(number_of(proc.pid))
    proc.random = state
  end
  return state
end

local function whole(n, value)
  if type(value) ~= "number" then
    error("bad argument #" .. n .. " to 'random' (number expected, got " .. type(value) .. ")", 3)
  elseif value ~= floor(value) or value - value ~= 0 then
    error("bad argument #" .. n .. " to 'random' (number has no integer representation)", 3)
  end
  return value
end

--- math.random(), math.random(m), math.random(m, n)
function M.random(m, n)
  local state = generator(cpu.task.proc)
  local unit = M.draw(state) + M.draw(state) / M1
  unit = unit < 1 and unit or 0
  if m == nil then
    return unit
  end
  whole(1, m)
  if n == nil then
    m, n = 1, m
  else
    whole(2, n)
  end
  if m > n then
    error("bad argument #" .. (m == 1 and 1 or 2) .. " to 'random' (interval is empty)", 2)
  end
  -- As a float: a difference of integers could wrap around.
  local size = n + 0.0 - m + 1
  if size > 2 ^ 53 then
    error("bad argument #2 to 'random' (interval too large)", 2)
  end
  return m + floor(unit * size)
end

--- math.randomseed(number): of this process alone.
function M.randomseed(number)
  cpu.task.proc.random = seeded(type(number) == "number" and floor(number % M2) or number_of(cpu.task.proc.pid))
end

return M
