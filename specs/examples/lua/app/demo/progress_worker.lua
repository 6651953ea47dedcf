-- The task worker of the demo: it also tells the process named "progress" what it does, and task 3 fails.
local function main(task)
    time.sleep("50ms")
    process.send("progress", "progress", "task " .. task.task_id .. " is under way")
    time.sleep(task.task_id * 100 * time.MILLISECOND)

    if task.task_id == 3 then
        error("task 3 was made to fail")
    end
    return task.value * 2
end

return { main = main }
