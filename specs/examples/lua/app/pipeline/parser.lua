-- Second stage: makes numbers of lines, and fails if it cannot.
local function main()
  local lines = process.listen("parse")
  while true do
    local line = lines:receive()
    local value = tonumber(line.text)
    if not value then
      error("line " .. line.number .. " is no number: " .. line.text, 0)
    end
    process.send("adder", "add", { number = line.number, value = value })
  end
end

return { main = main }
