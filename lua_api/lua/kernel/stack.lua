--- Stacks as text, in the form of `debug.traceback` and as far as they are code of users. Lua's own
-- searches all libraries for the name of each function, which would be most of the cost of a crash.

local find, format, pcall = string.find, string.format, pcall
local getinfo = debug.getinfo

local M = {}

-- Runaway recursion leaves hundreds of thousands of frames, and to find one Lua counts from the top.
local LONGEST = 24
local DEEPEST = 1000

local function described(info)
  local what = info.namewhat
  if info.what == "main" then
    return "main chunk"
  elseif what == "global" then
    return format("function '%s'", info.name)
  elseif what ~= "" then
    return format("%s '%s'", what, info.name)
  elseif info.what == "C" then
    return "?"
  end
  return format("function <%s:%d>", info.short_src, info.linedefined)
end

--- Whether it is code of this package, which all but the first state have without a name.
local function is_ours(source)
  return source == "=?" or find(source, "^@lua_api/lua/") ~= nil
end

--- One line for a frame; nothing for what no name is known for, and for how a process asks the kernel.
local function line_of(info)
  if info.what ~= "C" then
    return format("\t%s:%d: in %s", info.short_src, info.currentline, described(info))
  elseif info.namewhat ~= "" and info.name ~= "yield" then
    return "\t[C]: in function '" .. info.name .. "'"
  end
end

--- The stack below `level` of a coroutine (nil: the running one).
local function stack(co, level)
  local lines, n = { "stack traceback:" }, 1
  -- How many of the lines are certain: what C functions are called by is known one frame later.
  local of_users = n
  local deepest = level + DEEPEST
  while level < deepest do
    local readable, info = true, nil
    if co then
      -- Of a stack that is full to the last slot Lua shows nothing.
      readable, info = pcall(getinfo, co, level, "Sln")
    else
      info = getinfo(level, "Sln")
    end
    if not (readable and info) then
      break
    end
    if info.what ~= "C" and is_ours(info.source) then
      -- What the API calls is no more to be seen than the API.
      n = of_users
    else
      local line = line_of(info)
      if line then
        n = n + 1
        lines[n] = line
      end
      if n > LONGEST then
        lines[n] = "\t..."
        break
      end
      if info.what ~= "C" then
        of_users = n
      end
    end
    level = level + 1
  end
  return table.concat(lines, "\n", 1, n)
end

--- The stack of a suspended or failed coroutine.
function M.of(co)
  return stack(co, 0)
end

--- The stack of who calls the function that calls this, or of `level` above.
function M.here(level)
  return stack(nil, level + 2)
end

return M
