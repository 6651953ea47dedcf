--- Spawns processes that wait for a message and stay; done when the last one has answered.

local function main(count)
  local last
  for _ = 1, count do
    last = assert(process.spawn("bench:echo", "bench:host"))
  end
  local answers = process.listen("echo")
  process.send(last, "echo", 1)
  answers:receive()
  return count
end

return { main = main }
