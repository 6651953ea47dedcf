-- Sends the numbers up to `count` to `dest`, and ends.
local function main(dest, count)
  for n = 1, count do
    assert(process.send(dest, "number", n))
  end
end

return { main = main }
