--- A tree of processes, ten children each; the numbers of the leaves are summed on the way up.

local FAN_OUT = 10

local function sum_of_children(number, leaves)
  local share = leaves / FAN_OUT
  local sums = process.listen("sum")
  for child = 0, FAN_OUT - 1 do
    assert(process.spawn("bench:skynet", "bench:host", number + child * share, share, process.pid()))
  end
  local total = 0
  for _ = 1, FAN_OUT do
    total = total + sums:receive()
  end
  return total
end

local function main(number, leaves, parent)
  local sum = leaves == 1 and number or sum_of_children(number, leaves)
  if parent then
    process.send(parent, "sum", sum)
    return
  end
  return sum
end

return { main = main }
