local function main()
    local events_ch = process.events()

    -- Spawned without a monitor
    local worker_pid, err = process.spawn("app.test.process:long_worker", "app:processes")
    if err then
        return false, "spawn failed: " .. err
    end

    -- Monitored from now on
    local ok, monitor_err = process.monitor(worker_pid)
    if monitor_err then
        return false, "monitor failed: " .. monitor_err
    end
    print("Monitoring:", ok)

    process.cancel(worker_pid, "enough")
    local event = events_ch:receive()
    print(event.kind, event.result)

    -- Another one, no longer monitored when it ends
    local other_pid = assert(process.spawn_monitored("app.test.process:long_worker", "app:processes"))
    assert(process.unmonitor(other_pid))
    assert(process.terminate(other_pid))
    local nothing = channel.select({ events_ch:case_receive(), default = true })
    print("Heard nothing of the other one:", nothing.default)
    return true
end

return { main = main }
