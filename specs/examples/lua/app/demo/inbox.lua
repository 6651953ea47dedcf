-- Three messages: one for the topic the worker listens to, two that end up in its inbox.
local function main()
    local worker_pid = assert(process.spawn("app.test.process:inbox_worker", "app:processes"))

    assert(process.send(worker_pid, "news", "it rains"))
    assert(process.send(worker_pid, "specific_topic", "for the listener"))
    assert(process.send(worker_pid, "weather", "it still rains"))

    time.sleep("10ms")
    return process.terminate(worker_pid)
end

return { main = main }
