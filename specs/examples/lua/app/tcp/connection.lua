-- One connection of a calculator: `add 2` gives its total, 2 more than before. What if 2 is no number?
local function main()
  local inbox = process.inbox()
  local total = 0
  while true do
    local request = inbox:receive()
    local word, number = request:payload():match("^(%a+) ?(.*)")
    if word == "quit" then
      return
    end
    total = total + tonumber(number)
    process.send(request:from(), "reply", total)
  end
end

return { main = main }
