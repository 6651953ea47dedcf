--- Hands every message of topic "m" on to the next process.

local function main(following)
  local messages = process.listen("m")
  while true do
    process.send(following, "m", (messages:receive()))
  end
end

return { main = main }
