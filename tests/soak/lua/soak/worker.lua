-- Does what it is told, and goes on with its state when there is a newer version.
local VERSION = 1

local does = {}

function does.echo(message)
  if message:from() then
    process.send(message:from(), "echo", message:payload())
  end
end

function does.version()
  return VERSION
end

function does.crash()
  error("crash", 0)
end

function does.busy(message)
  for _ = 1, message:payload() do
  end
end

function does.sleep(message)
  time.sleep(message:payload())
end

function does.timers(message)
  for n = 1, message:payload() do
    time.after("1ms")
    local timer = time.timer(n % 2 == 0 and "2ms" or "1h")
    timer:reset(n % 3 == 0 and "1ms" or "2h")
    timer:stop()
  end
end

function does.names(message)
  for n = 1, message:payload() do
    process.registry.register("contested " .. n % 5)
    process.registry.register(process.pid():gsub("|", "/") .. n)
  end
  for n = 1, message:payload() do
    process.registry.unregister("contested " .. n % 5)
    process.registry.unregister(process.pid():gsub("|", "/") .. n)
  end
end

function does.hog()
  local kept = {}
  while true do
    kept[#kept + 1] = ("x"):rep(10000) .. #kept
  end
end

--- Nothing can interrupt it.
function does.stuck(message)
  local text = ("a"):rep(message:payload())
  return text:find(("a?"):rep(#text) .. text)
end

local function main(kept)
  kept = kept or { done = 0 }
  local inbox, events, news = process.inbox(), process.events(), process.upgrades()
  -- It never goes off: it is set anew with each message.
  local patience = time.timer("1h")
  while true do
    local got = channel.select({ events:case_receive(), news:case_receive(), inbox:case_receive() })
    patience:reset("1h")
    if got.channel == news then
      return process.upgrade(got.value, kept)
    elseif got.channel == events then
      if got.value.kind == process.event.CANCEL then
        return kept.done
      end
    elseif got.value:topic() == "done" then
      return kept.done
    elseif got.value:topic() == "refuse" then
      return nil, "refused"
    else
      local message = got.value
      local answer = does[message:topic()](message)
      kept.done = kept.done + 1
      if message:from() and answer ~= nil then
        process.send(message:from(), message:topic(), answer)
      end
    end
  end
end

return { main = main }
