--- A process that does what it is told and reports what came of it to its controller.

local process, channel, time, errors = process, channel, time, errors

local function drained(ch)
  local items = {}
  while true do
    local got = channel.select({ ch:case_receive(), default = true })
    if got.default then
      return items
    end
    items[#items + 1] = { value = got.value, ok = got.ok }
    if not got.ok then
      return items
    end
  end
end

local function main(controller)
  local commands = process.listen("command")
  local channels = { inbox = process.inbox(), events = process.events() }
  local ended = {}
  local act = {}

  local function report(topic, fields)
    assert(process.send(controller, topic, fields))
  end

  --- Waits for the answer of `wait` in a coroutine of its own.
  local function later(ticket, wait)
    coroutine.spawn(function()
      local fields = wait()
      fields.ticket = ticket
      report("woke", fields)
    end)
    return true
  end

  for _, name in ipairs({ "monitor", "unmonitor", "link", "unlink", "terminate", "cancel" }) do
    act[name] = process[name]
  end
  for _, name in ipairs({ "register", "unregister", "lookup" }) do
    act[name] = process.registry[name]
  end
  act.send = process.send

  function act.spawn(name, host)
    return process[name]("puppet", host, controller)
  end

  function act.exec(ticket, host)
    return later(ticket, function()
      local result, failure = process.exec("puppet", host, controller)
      return { result = result, error = failure }
    end)
  end

  function act.trap_links(on)
    assert(process.set_options({ trap_links = on }))
    return process.get_options().trap_links == on
  end

  function act.listen(topic, raw)
    local ch, failure = process.listen(topic, not raw and { message = true } or nil)
    if ch then
      channels[topic] = ch
    end
    return ch ~= nil or nil, failure
  end

  function act.unlisten(topic)
    local ch = channels[topic] or ended[topic]
    channels[topic], ended[topic] = nil, ch
    return process.unlisten(ch)
  end

  function act.drain(name)
    return drained(channels[name] or ended[name])
  end

  function act.wait(ticket, names)
    return later(ticket, function()
      if #names == 1 then
        local value, ok = channels[names[1]]:receive()
        return { index = 1, value = value, ok = ok }
      end
      local cases, index_of = {}, {}
      for i = #names, 1, -1 do
        local ch = channels[names[i]]
        cases[i], index_of[ch] = ch:case_receive(), i
      end
      local got = channel.select(cases)
      return { index = index_of[got.channel], value = got.value, ok = got.ok }
    end)
  end

  function act.sleep(ticket, nanoseconds)
    return later(ticket, function()
      time.sleep(nanoseconds)
      return {}
    end)
  end

  report("started", process.pid())
  while true do
    local command = commands:receive()
    local name = command.act
    if name == "return" then
      return command.result, command.failure
    elseif name == "raise" then
      error(command.details and errors.new(command.details) or command.failure, 0)
    elseif name == "raise in a coroutine" then
      coroutine.spawn(error, command.failure, 0)
    end
    local result, failure = act[name](command[1], command[2], command[3])
    report("done", { result = result, failure = failure })
  end
end

return main
