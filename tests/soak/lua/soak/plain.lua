-- Echoes; hears neither of newer versions nor that it is to end.
local VERSION = 1

local function main()
  local inbox = process.inbox()
  while true do
    local message = inbox:receive()
    local topic = message:topic()
    if topic == "crash" then
      error("crash", 0)
    elseif topic == "done" then
      return VERSION
    elseif message:from() then
      process.send(message:from(), topic, topic == "version" and VERSION or message:payload())
    end
  end
end

return { main = main }
