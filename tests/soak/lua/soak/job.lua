-- Things to do for a process of its own. What must not be is an error of kind Invalid.
local jobs = {}

local function demand(ok, ...)
  if not ok then
    local words = {}
    for n = 1, select("#", ...) do
      words[n] = tostring((select(n, ...)))
    end
    error(errors.new({ message = table.concat(words, " "), kind = errors.INVALID }))
  end
end

--- Monitored processes everywhere: each has one EXIT, with its result.
function jobs.fan(hosts, count)
  local events, waiting, spawned = process.events(), {}, 0
  for n = 1, count do
    local pid = process.spawn_monitored("soak:brief", hosts[n % #hosts + 1], n)
    if pid then
      demand(not waiting[pid], "spawned twice:", pid)
      waiting[pid], spawned = n, spawned + 1
    end
  end
  for _ = 1, spawned do
    local event = events:receive()
    local n = waiting[event.from]
    demand(n, "a second EXIT of", event.from)
    demand(event.error or event.result == 2 * n, event.from, "ended with", event.result, "not", 2 * n)
    waiting[event.from] = nil
  end
  return spawned
end

--- Numbers come in order, and all of them before the end of their sender.
function jobs.order(host, count)
  local inbox, events = process.inbox(), process.events()
  local pid = process.spawn_monitored("soak:numbers", host, process.pid(), count)
  if not pid then
    return 0
  end
  local event = events:receive()
  local n = 0
  while true do
    local got = channel.select({ inbox:case_receive(), default = true })
    if got.default then
      break
    end
    n = n + 1
    demand(got.value:payload() == n, pid, "sent", got.value:payload(), "as number", n)
  end
  demand(event.error or n == count, pid, "ended well, and", n, "of", count, "came")
  return n
end

--- The failure of the last one of a chain ends all, and is told here once.
function jobs.chain(hosts, depth)
  process.set_options({ trap_links = true })
  local inbox, events = process.inbox(), process.events()
  local pid = process.spawn_linked_monitored("soak:chain", hosts[1], depth, hosts, process.pid())
  if not pid then
    return 0
  end
  local seen = {}
  while not (seen.EXIT and seen.LINK_DOWN) do
    local got = channel.select({ inbox:case_receive(), events:case_receive() })
    if got.channel == inbox then
      process.send(got.value:payload(), "break")
    else
      local event = got.value
      demand(event.from == pid, "an event of", event.from, "instead of", pid)
      demand(event.error, pid, "ended without an error")
      demand(not seen[event.kind], "a second", event.kind, "of", pid)
      seen[event.kind] = true
    end
  end
  return depth
end

--- Each send to a mailbox is answered: it is in, or refused.
function jobs.flood(dest, count)
  local sent = 0
  for n = 1, count do
    local ok, err = process.send(dest, "flood", n)
    demand(ok or err, "neither sent nor refused")
    sent = sent + (ok and 1 or 0)
  end
  return sent
end

--- A question to a process that may end any time: there is an answer, or its end.
function jobs.ask(dest, count)
  local answers, events = process.listen("echo"), process.events()
  local pid = process.registry.lookup(dest)
  if not (pid and process.monitor(pid)) then
    return 0
  end
  for n = 1, count do
    if not process.send(pid, "echo", n) then
      return n
    end
    local late = time.timer("8s")
    local got = channel.select({ answers:case_receive(), events:case_receive(), late:channel():case_receive() })
    demand(got.channel ~= late:channel(), pid, "neither answers nor ends")
    if got.channel == events then
      return n
    end
    demand(got.value == n, pid, "answered", got.value, "instead of", n)
    late:stop()
  end
  process.unmonitor(pid)
  return count
end

function jobs.names(count)
  local mine, me = process.pid():gsub("|", "/"), process.pid()
  for n = 1, count do
    local name = mine .. n
    demand(process.registry.register(name), name, "is taken")
    demand(process.registry.lookup(name) == me, name, "is not found")
    if n % 2 == 0 then
      demand(process.registry.unregister(name), name, "cannot be freed")
      demand(process.registry.lookup(name) == nil, name, "is not free")
    end
  end
end

function jobs.timers(count)
  local ticks = 0
  for n = 1, count do
    time.timer("1h"):stop()
    time.after("1h")
    if n % 4 == 0 then
      local ticker = time.ticker("1ms")
      ticker:channel():receive()
      ticker:stop()
      ticks = ticks + 1
    end
  end
  return ticks
end

--- A burst of processes that nobody waits for, and that end by themselves.
function jobs.burst(hosts, count)
  for n = 1, count do
    process.spawn("soak:brief", hosts[n % #hosts + 1], n)
  end
end

--- Children that another process has started, and stops again.
function jobs.pool(host, count)
  for _ = 1, count do
    local child = { id = "x", start = { lua = "soak:plain", host = host }, restart = "temporary" }
    local pid, err = supervisor.start_child("pool", child)
    demand(pid or err, "start_child says nothing")
    if pid then
      supervisor.terminate_child("pool", pid)
    end
  end
end

local function main(kind, ...)
  return jobs[kind](...)
end

return { main = main }
