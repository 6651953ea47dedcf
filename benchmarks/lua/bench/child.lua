--- A supervised process: tells the watcher that it has begun, and crashes when told to.

local function main(watcher)
  process.send(watcher, "up", process.pid())
  local orders, events = process.listen("crash"), process.events()
  local picked = channel.select({ orders:case_receive(), events:case_receive() })
  if picked.channel == orders then
    error("crash", 0)
  end
end

return { main = main }
