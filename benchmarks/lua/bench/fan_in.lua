--- Many senders, one receiver. Asked for messages, it answers with the messages received.

local function main(count)
  local senders = {}
  for i = 1, count do
    senders[i] = assert(process.spawn("bench:burst", "bench:host", process.pid()))
  end
  local orders, arrivals = process.inbox(), process.listen("m")
  while true do
    local order = orders:receive()
    local messages = order:payload()
    for i = 1, count do
      process.send(senders[i], "burst", messages / count)
    end
    for _ = 1, messages do
      arrivals:receive()
    end
    process.send(order:from(), "done", messages)
  end
end

return { main = main }
