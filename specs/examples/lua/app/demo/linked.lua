local function main()
    -- The child ends if this process fails (unless the child sets trap_links)
    local pid, err = process.spawn_linked("app.test.process:child_worker", "app:processes")
    if err then
        return false, "spawn_linked failed: " .. err
    end
    print("Linked child:", pid)

    time.sleep("10ms")
    return false, "the parent gives up"
end

return { main = main }
