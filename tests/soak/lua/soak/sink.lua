-- Reads slowly, one message after the other.
local function main()
  local inbox = process.inbox()
  while true do
    local message = inbox:receive()
    if message:topic() == "crash" then
      error("crash", 0)
    elseif message:from() and message:topic() == "echo" then
      process.send(message:from(), "echo", message:payload())
    end
    time.sleep("100us")
  end
end

return { main = main }
