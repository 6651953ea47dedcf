local function main()
    assert(process.set_options({ trap_links = true }))
    local events_ch = process.events()

    -- Link to a process that runs already
    local target_pid = assert(process.spawn("app.test.process:long_worker", "app:processes"))
    local ok, err = process.link(target_pid)
    if err then
        return false, "link failed: " .. err
    end
    print("Linked:", ok)

    process.terminate(target_pid)
    local event = events_ch:receive()
    print(event.kind, event.error)

    -- Unlinked again, its end is its own business
    local other_pid = assert(process.spawn_linked("app.test.process:long_worker", "app:processes"))
    assert(process.unlink(other_pid))
    process.terminate(other_pid)
    local nothing = channel.select({ events_ch:case_receive(), default = true })
    print("Heard nothing of the other one:", nothing.default)
    return true
end

return { main = main }
