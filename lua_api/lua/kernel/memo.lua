--- Remembers what a pure function made of a text. Knows nothing of the function.

local M = {}

local MOST_ANSWERS = 256
local LONGEST_TEXT = 64

local forgetting = {}

--- Lets all of them forget: what they keep can be made again.
function M.forget()
  for i = 1, #forgetting do
    forgetting[i]()
  end
end

--- The function `compute(text)` with a bounded memory. `nil, ...` is passed on, not remembered.
function M.of(compute)
  local answers, count = {}, 0

  local function forget()
    answers, count = {}, 0
  end
  forgetting[#forgetting + 1] = forget

  return function(text)
    local answer = answers[text]
    if answer ~= nil then
      return answer
    end
    local problem
    answer, problem = compute(text)
    if answer == nil then
      return nil, problem
    end
    if #text <= LONGEST_TEXT then
      if count == MOST_ANSWERS then
        forget()
      end
      answers[text], count = answer, count + 1
    end
    return answer
  end
end

return M
