-- Asks the weather station once, and fails if it gives no answer. When to ask again is not its business.
local function main()
  local replies = process.listen("reply")
  assert(process.send("station", "read"))
  local reply = replies:receive()
  if not reply.celsius then
    error("the station says: " .. reply.error, 0)
  end
  print("It is " .. reply.celsius .. " degrees.")
end

return { main = main }
