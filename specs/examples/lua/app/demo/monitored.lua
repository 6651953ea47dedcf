local function main()
    local events_ch = process.events()

    local worker_pid, err = process.spawn_monitored(
        "app.test.process:events_exit_worker",
        "app:processes"
    )
    if err then
        return false, "spawn failed: " .. err
    end
    print("Started worker:", worker_pid)

    -- Wait for the EXIT event
    local timeout = time.after("3s")
    local result = channel.select {
        events_ch:case_receive(),
        timeout:case_receive(),
    }

    if result.channel == timeout then
        return false, "timeout waiting for EXIT event"
    end

    local event = result.value
    if event.kind == process.event.EXIT then
        print("Worker exited:", event.from)
        if event.error then
            print("Exit error:", event.error)
        end
        print("Exit result:", event.result)
    end
    return true
end

return { main = main }
