-- First stage: numbers the lines and hands them on.
local function main()
  local lines = process.listen("line")
  local count = 0
  while true do
    local text = lines:receive()
    count = count + 1
    process.send("parser", "parse", { number = count, text = text })
  end
end

return { main = main }
