local function main()
    local worker_pid = assert(process.spawn_monitored("app.test.process:listen_worker", "app:processes"))

    -- Send to a process by its pid
    local sent, err = process.send(worker_pid, "messages", "hello from parent")
    if err then
        return false, "send failed: " .. err
    end
    print("Sent:", sent)

    local event = process.events():receive()
    print("Worker ended with:", event.result)

    -- Nobody is there any more
    local _, gone = process.send(worker_pid, "messages", "anybody?")
    print("Sent again:", gone)
    return true
end

return { main = main }
