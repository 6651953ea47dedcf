--- Crashes one child as often as it is asked to, each time after its replacement has begun.

local function main()
  local orders, arrivals = process.inbox(), process.listen("up")
  local child = arrivals:receive()
  while true do
    local order = orders:receive()
    local crashes = order:payload()
    for _ = 1, crashes do
      process.send(child, "crash")
      child = arrivals:receive()
    end
    process.send(order:from(), "done", crashes)
  end
end

return { main = main }
