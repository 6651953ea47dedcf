-- Works until somebody asks it to stop.
local function main()
    local event = process.events():receive()
    return "stopped: " .. event.reason
end

return { main = main }
