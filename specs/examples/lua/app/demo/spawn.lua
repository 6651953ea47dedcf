local function main()
    local pid, err = process.spawn("app.test.process:echo_worker", "app:processes", "hello")
    if err then
        return false, "spawn failed: " .. err
    end

    -- pid is a string that identifies the new process
    print("Started worker:", pid)

    local my_pid = process.pid()
    print("My own pid:", my_pid)
    return true
end

return { main = main }
