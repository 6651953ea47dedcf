-- Last stage: adds up what the parser of its own life gave.
local function main()
  local lines = process.listen("add")
  local sum = 0
  while true do
    local line = lines:receive()
    sum = sum + line.value
    print("line " .. line.number .. ": the sum is " .. sum)
  end
end

return { main = main }
