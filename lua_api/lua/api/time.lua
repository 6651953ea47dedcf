--- The `time` module: the values of api/time/values.lua, and everything that waits.

local argument = require("api.argument")
local channel = require("api.channel")
local classes = require("kernel.classes")
local clock = require("kernel.clock")
local duration = require("api.time.duration")
local fault = require("kernel.fault")
local instant = require("api.time.instant")
local int = require("kernel.int")
local op = require("kernel.op")
local values = require("api.time.values")
local zones = require("kernel.zones")

local kinds, new_fault = fault.kinds, fault.new
local duration_of = duration.argument
local yield = coroutine.yield

local SECOND = 1000000000

local M = {}
for name, value in pairs(values) do
  M[name] = value
end

--- The zone of the machine, which Python provides before anything else is loaded.
M.localtz = zones.get("Local")

local function time_at(nanoseconds)
  local seconds = int.div(nanoseconds, SECOND)
  return instant.new(seconds, nanoseconds - seconds * SECOND, M.localtz)
end

channel.on_time(time_at)

function M.now()
  return time_at(clock.wall())
end

function M.sleep(d)
  local delay, failure = duration_of(d, 1, "sleep")
  if not delay then
    return nil, failure
  elseif delay <= 0 then
    return true
  end
  return argument.results(yield(op.SLEEP, delay))
end

--- Passes on a delay that lies in the future; otherwise nil and an error.
local function positive(name, delay, failure)
  if delay and delay <= 0 then
    return nil, new_fault(kinds.INVALID, name .. ": the duration must be positive, got " .. tostring(duration.new(delay)))
  end
  return delay, failure
end

--- A channel that gets one Time and is then closed.
function M.after(d)
  local delay, failure = positive("after", duration_of(d, 1, "after"))
  if not delay then
    return nil, failure
  end
  return argument.results(yield(op.AFTER, delay))
end

-- Timers and tickers: the object names a timer of the kernel and holds its channel.

local function class(name)
  local methods = {}
  local metatable = { __name = name, __metatable = false, __index = methods }
  function metatable.__newindex()
    error(name .. " objects cannot be changed", 2)
  end

  local function check(method, object)
    if type(object) ~= "table" or debug.getmetatable(object) ~= metatable then
      argument.bad(1, method, name, object, 1)
    end
  end

  function methods.response(object)
    check("response", object)
    return object[1]
  end
  methods.channel = methods.response

  --- Returns true if it had not fired.
  function methods.stop(object)
    check("stop", object)
    return argument.results(yield(op.TIMER_STOP, object))
  end

  classes.refuse(metatable, name)
  return metatable, methods, check
end

local Timer, timer_methods, check_timer = class("timer")
local Ticker = class("ticker")

--- Sets the timer anew, d from now. Returns true if it was pending.
function timer_methods.reset(object, d)
  check_timer("reset", object)
  local delay, failure = positive("reset", duration_of(d, 2, "reset"))
  if not delay then
    return nil, failure
  end
  return argument.results(yield(op.TIMER_RESET, object, delay))
end

local function maker(name, metatable, number)
  return function(d)
    local delay, failure = positive(name, duration_of(d, 1, name))
    if not delay then
      return nil, failure
    end
    local object = setmetatable({ false }, metatable)
    local ch
    ch, failure = yield(number, object, delay)
    if not ch then
      return nil, failure
    end
    object[1] = ch
    return object
  end
end

M.timer = maker("timer", Timer, op.TIMER)
M.ticker = maker("ticker", Ticker, op.TICKER)

--- The time zone of that name, or nil and an error (empty: INVALID, unknown: NOT_FOUND).
function M.load_location(name)
  argument.text(1, "load_location", name)
  if name == "" then
    return nil, new_fault(kinds.INVALID, "load_location: the name is empty")
  elseif name == "UTC" then
    return values.utc
  end
  return argument.results(yield(op.LOCATION, name))
end

return M
