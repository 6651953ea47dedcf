-- task_worker.lua
local time = require("time")

local function main(task)
    -- Simular trabalho
    time.sleep("100ms")

    -- Processar tarefa
    local result = task.value * 2

    return result
end

return { main = main }
