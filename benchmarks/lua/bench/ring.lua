--- A ring of processes; two members are ping-pong. Asked for hops, it answers with the hops done.

local function main(members, payload)
  local following = process.pid()
  for _ = 2, members do
    following = assert(process.spawn("bench:forward", "bench:host", following))
  end
  local orders, arrivals = process.inbox(), process.listen("m")
  while true do
    local order = orders:receive()
    local wanted, hops = order:payload(), 0
    while hops < wanted do
      process.send(following, "m", payload)
      arrivals:receive()
      hops = hops + members
    end
    process.send(order:from(), "done", hops)
  end
end

return { main = main }
