local function main()
    local test_name = "my_service"
    assert(process.registry.register(test_name))
    local holder = process.registry.lookup(test_name)
    print("Holder:", holder)

    local unregistered = process.registry.unregister(test_name)
    if not unregistered then
        print("Name was not registered")
    end

    -- A lookup now gives nil and an error
    local pid, err = process.registry.lookup(test_name)
    print("After unregister:", pid, err)

    if not process.registry.unregister(test_name) then
        print("Name was not registered")
    end
    return true
end

return { main = main }
