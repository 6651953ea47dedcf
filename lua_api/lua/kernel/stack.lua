--- Stacks as text, in the form of `debug.traceback` and as far as they are code of users. Lua's own
-- searches what it has loaded for the name of each function: where the state is made, that is emptied.

local byte, find, format, match, sub = string.byte, string.find, string.format, string.match, string.sub
local concat = table.concat
local getinfo = debug.getinfo

-- That of LuaJIT has another form.
local traceback = string.pack and debug.traceback

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

--- One line for a frame; nothing for what is not to be seen.
local function line_of(info)
  if info.what == "C" then
    -- What no name is known for, and how a process asks the kernel.
    if info.namewhat ~= "" and info.name ~= "yield" then
      return "[C]: in function '" .. info.name .. "'"
    end
  elseif not find(info.source, "^@lua_api/lua/") then
    return format("%s:%d: in %s", info.short_src, info.currentline, described(info))
  end
end

local BRACKET, PAREN = byte("[(", 1, 2)

--- A line of Lua's own traceback as it is to be seen; nothing if it is not.
local function seen(line)
  local first = byte(line)
  if first == BRACKET and sub(line, 1, 8) == "[C]: in " then
    local name = match(line, "'(.*)'$", 9)
    return name and name ~= "yield" and "[C]: in function '" .. name .. "'"
  elseif first == PAREN or sub(line, 1, 12) == "lua_api/lua/" then
    return nil
  end
  local at, last = find(line, ": in global '", 1, true)
  return at and sub(line, 1, at) .. " in function '" .. sub(line, last + 1) or line
end

--- The stack of a coroutine from Lua's own traceback, which is made much faster; nothing where that leaves
-- out frames in the middle.
local function quick(co)
  local told = traceback and traceback(co)
  if not told or find(told, "\n\t...\t(skipping", 1, true) then
    return nil
  end
  local lines, n = { "stack traceback:" }, 1
  local at = find(told, "\n", 1, true)
  while at do
    local following = find(told, "\n", at + 1, true)
    local line = seen(sub(told, at + 2, (following or 0) - 1))
    if line then
      n = n + 1
      lines[n] = line
    end
    at = following
  end
  return concat(lines, "\n\t", 1, n)
end

--- The stack below `level` of a coroutine (nil: the running one).
local function stack(co, level)
  local lines, n = { "stack traceback:" }, 1
  local deepest = level + DEEPEST
  while level < deepest do
    local info
    if co then
      info = getinfo(co, level, "Sln")
    else
      info = getinfo(level, "Sln")
    end
    if not info then
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
  return concat(lines, "\n")
end

--- The stack of a suspended or failed coroutine.
function M.of(co)
  return quick(co) or stack(co, 0)
end

--- The stack of who calls the function that calls this, or of `level` above.
function M.here(level)
  return stack(nil, level + 2)
end

return M
