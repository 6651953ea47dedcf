--- Computes for as many rounds as it is asked to, and answers with their number.

local function main(rounds)
  local sum, words = 0, {}
  for round = 1, rounds do
    sum = (sum * 31 + round) % 1000003
    words[round % 100 + 1] = sum
  end
  return rounds
end

return { main = main }
