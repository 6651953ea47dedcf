-- Works until it is told to fail, or asked to stop; then it needs a moment to tidy up.
local function main()
  local orders, events = process.listen("fail"), process.events()
  local got = channel.select({ orders:case_receive(), events:case_receive() })
  if got.channel == orders then
    error(got.value, 0)
  end
  time.sleep("200ms")
end

return { main = main }
