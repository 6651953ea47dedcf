local function main()
    local replies = process.listen("reply", { message = true })
    local worker_pid = assert(process.spawn("app.test.process:echo_worker", "app:processes"))

    assert(process.send(worker_pid, "echo", "hello"))

    local reply = replies:receive()
    print("The reply is from the worker:", reply:from() == worker_pid)
    print("It says:", reply:payload())
    return true
end

return { main = main }
