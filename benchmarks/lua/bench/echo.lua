--- Answers every message with its own payload.

local function main()
  local inbox = process.inbox()
  while true do
    local msg = inbox:receive()
    process.send(msg:from(), msg:topic(), msg:payload())
  end
end

return { main = main }
