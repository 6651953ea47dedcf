--- Crashes as many children at once as it is asked to; answers when the replacements have begun.

local function main(count)
  local orders, arrivals = process.inbox(), process.listen("up")
  local children = {}
  for i = 1, count do
    children[i] = arrivals:receive()
  end
  while true do
    local order = orders:receive()
    local crashes = order:payload()
    for i = 1, crashes do
      process.send(children[i], "crash")
    end
    for i = 1, crashes do
      children[i] = arrivals:receive()
    end
    process.send(order:from(), "done", crashes)
  end
end

return { main = main }
