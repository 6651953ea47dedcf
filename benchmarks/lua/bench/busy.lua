--- Sends to itself and receives, for ever.

local function main()
  local me, ch = process.pid(), process.listen("m")
  while true do
    process.send(me, "m", 1)
    ch:receive()
  end
end

return { main = main }
