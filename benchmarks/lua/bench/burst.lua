--- Sends as many messages to the sink as it is asked to.

local function main(sink)
  local orders = process.listen("burst")
  while true do
    for number = 1, orders:receive() do
      process.send(sink, "m", number)
    end
  end
end

return { main = main }
