--- The `supervisor` module: what a process can ask of a supervisor, by its registered name or pid.
-- A call waits until the supervisor has done what it says, or returns nil and an error.

local argument = require("api.argument")
local op = require("kernel.op")

local text = argument.text
local type = type
local yield = coroutine.yield

local M = {}

--- Functions of a supervisor alone.
local function of_supervisor(name)
  return function(dest)
    text(1, name, dest)
    return argument.results(yield(op.CALL_SUPERVISOR, dest, name))
  end
end

--- Functions of a supervisor and one of its children: an id, or a pid of a dynamic supervisor.
local function of_child(name)
  return function(dest, child)
    text(1, name, dest)
    text(2, name, child)
    return argument.results(yield(op.CALL_SUPERVISOR, dest, name, child))
  end
end

--- supervisor.start_child(dest, spec): `{ id =, start = { lua =, args = }, restart = ... }`, the keys of a
-- child in a tree file. Returns the pid, no error, and what the child gave to `process.started`;
-- false for the pid, and no error, if the child had its start ignored.
function M.start_child(dest, spec)
  text(1, "start_child", dest)
  if type(spec) ~= "table" then
    argument.bad(2, "start_child", "table", spec)
  end
  local pid, failure, value = yield(op.CALL_SUPERVISOR, dest, "start_child", spec)
  if value == nil then
    return argument.results(pid, failure)
  end
  return pid, failure, value
end

M.terminate_child = of_child("terminate_child")
M.restart_child = of_child("restart_child")
M.delete_child = of_child("delete_child")
M.get_child_spec = of_child("get_child_spec")
M.which_children = of_supervisor("which_children")
M.count_children = of_supervisor("count_children")
M.stop = of_supervisor("stop")

return M
