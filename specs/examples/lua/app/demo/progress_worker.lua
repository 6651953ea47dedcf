-- The task worker of the demo: half-way it tells the process named "progress", and task 3 fails.
local function main(task)
    time.sleep(task.task_id * 60 * time.MILLISECOND)
    process.send("progress", "progress", "task " .. task.task_id .. " is half done")
    time.sleep(task.task_id * 60 * time.MILLISECOND)

    if task.task_id == 3 then
        error("task 3 was made to fail")
    end
    return task.value * 2
end

return { main = main }
