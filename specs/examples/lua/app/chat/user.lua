-- One user: takes the lines they type, and shows on their screen what they hear.
-- `/quit` leaves; `/repeat 3 ha` says "hahaha", and has a bug: what if the 3 is no number?
local function main(name)
  local typed, heard = process.listen("type"), process.listen("hear")
  process.send("room", "join", name)

  while true do
    local got = channel.select({ typed:case_receive(), heard:case_receive() })
    local line = got.value
    if got.channel == heard then
      process.send("screen", "show", { user = name, text = line })
    elseif line == "/quit" then
      return
    else
      local times, text = line:match("^/repeat (%S+) (.*)")
      process.send("room", "say", times and text:rep(tonumber(times)) or line)
    end
  end
end

return { main = main }
