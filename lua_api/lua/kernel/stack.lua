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

--- One line for a frame; nothing for what is not to be seen.
local function line_of(info)
  if info.what == "C" then
    -- What no name is known for, and how a process asks the kernel.
    if info.namewhat ~= "" and info.name ~= "yield" then
      return "[C]: in function '" .. info.name .. "'"
    end
  elseif not is_ours(info.source) then
    return format("%s:%d: in %s", info.short_src, info.currentline, described(info))
  end
end

--- The stack below `level` of a coroutine (nil: the running one).
local function stack(co, level)
  local lines, n = { "stack traceback:" }, 1
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
    local line = line_of(info)
    if line then
      n = n + 1
      if n > LONGEST then
        lines[n] = "\t..."
        break
      end
      lines[n] = "\t" .. line
    end
    level = level + 1
  end
  return table.concat(lines, "\n")
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
