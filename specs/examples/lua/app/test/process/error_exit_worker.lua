-- Fails soon after it was started.
local function main()
    time.sleep("10ms")
    error("failed on purpose")
end

return { main = main }
