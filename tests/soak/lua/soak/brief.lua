-- Ends with twice its argument, now or in a while.
local function main(n)
  if n % 3 == 0 then
    time.sleep("1ms")
  end
  return 2 * n
end

return { main = main }
