--- Brings a kernel that has run back to what it was when it was made: every table of it, and every local
-- of its modules. What never changes is left alone, and a test says that it never does: a local that holds
-- a function or a module, and the tables that are the globals of processes, which nobody can write to.
-- This takes a fraction of what making another kernel does.

local next, type, rawequal, rawset = next, type, rawequal, rawset
local getmetatable, setmetatable = debug.getmetatable, debug.setmetatable
local getupvalue, setupvalue, upvalueid = debug.getupvalue, debug.setupvalue, debug.upvalueid

local M = {}

local walk

local function walk_table(t, seen, found)
  local metatable, held, size = getmetatable(t), {}, 0
  for key, value in next, t do
    held[key], size = value, size + 1
  end
  if found and not found.constant[t] then
    found.tables[#found.tables + 1] = { table = t, held = held, size = size, metatable = metatable or false }
  end
  walk(metatable, seen, found)
  -- What a weak table of others knows is not theirs.
  if found or not (metatable and metatable.__mode) then
    for key, value in next, held do
      walk(key, seen, found)
      walk(value, seen, found)
    end
  end
end

local function walk_locals(fn, seen, found)
  local index, name, value = 1, getupvalue(fn, 1)
  while name do
    local id = upvalueid(fn, index)
    if not seen[id] then
      seen[id] = true
      if found and type(value) ~= "function" and not found.modules[value] then
        local last = #found.owners + 1
        found.owners[last], found.indices[last], found.values[last] = fn, index, value
      end
      walk(value, seen, found)
    end
    index = index + 1
    name, value = getupvalue(fn, index)
  end
end

--- Walks over everything that `value` leads to and that is not in `seen`, and puts it there.
-- @tparam[opt] table found where to write it down
function walk(value, seen, found)
  local kind = type(value)
  if kind == "table" and not seen[value] then
    seen[value] = true
    walk_table(value, seen, found)
  elseif kind == "function" and not seen[value] then
    seen[value] = true
    walk_locals(value, seen, found)
  elseif found and (kind == "thread" or kind == "userdata") then
    error("a new kernel holds a " .. kind .. ", which nothing can bring back")
  end
end

-- Compared as they are: where a new kernel has a table, there never is one of a process, with an `__eq`.

local function restore_table(entry)
  local t, held, same = entry.table, entry.held, 0
  for key, value in next, t do
    local before = held[key]
    if before == value then
      same = same + 1
    else
      rawset(t, key, before)
    end
  end
  if same < entry.size then
    for key, value in next, held do
      rawset(t, key, value)
    end
  end
  if (getmetatable(t) or false) ~= entry.metatable then
    setmetatable(t, entry.metatable or nil)
  end
end

--- Marks a table, and those that it holds.
local function mark_tables(t, marked)
  if type(t) == "table" and not marked[t] then
    marked[t] = true
    mark_tables(getmetatable(t), marked)
    for _, value in next, t do
      mark_tables(value, marked)
    end
  end
end

--- Makes the function that brings a kernel back to what it is now.
-- @param kernel all of it can be reached from here
-- @param modules what `require` gave to it, by name
-- @param shared what this leads to stays as it is, as other kernels use it too
function M.to_this_moment(kernel, modules, shared)
  local seen = {}
  local found = { tables = {}, owners = {}, indices = {}, values = {}, modules = {}, constant = {} }
  for _, module in next, modules do
    found.modules[module] = true
  end
  mark_tables(modules["api.sandbox"], found.constant)
  walk(shared, seen)
  walk(kernel, seen, found)
  local tables, owners, indices, values = found.tables, found.owners, found.indices, found.values
  local last = #owners
  return function()
    for i = 1, #tables do
      restore_table(tables[i])
    end
    for i = 1, last do
      local owner, index, value = owners[i], indices[i], values[i]
      local _, now = getupvalue(owner, index)
      if now ~= value then
        setupvalue(owner, index, value)
      end
    end
  end
end

return M
