-- Lives as long as the process it is linked to.
local function main()
    print("Child is up")
    process.inbox():receive()
end

return { main = main }
