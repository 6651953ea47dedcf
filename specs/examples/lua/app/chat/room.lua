-- The room: knows who is there, and passes on what they say to everybody.
local function main()
  local inbox, events = process.inbox(), process.events()
  local members = {}

  local function tell(text)
    for _, member in ipairs(members) do
      process.send(member.pid, "hear", text)
    end
  end

  local function find(pid)
    for place, member in ipairs(members) do
      if member.pid == pid then
        return place, member
      end
    end
  end

  while true do
    local got = channel.select({ inbox:case_receive(), events:case_receive() })
    local item = got.value
    if got.channel == events then
      if item.kind == process.event.CANCEL then
        return
      end
      local place, member = find(item.from)
      table.remove(members, place)
      tell(member.name .. (item.error and " fell out of the room" or " left"))
    elseif item:topic() == "join" then
      process.monitor(item:from())
      members[#members + 1] = { pid = item:from(), name = item:payload() }
      tell(item:payload() .. " is here")
    else
      local _, member = find(item:from())
      tell(member.name .. ": " .. item:payload())
    end
  end
end

return { main = main }
