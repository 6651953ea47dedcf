-- Worker que escuta mensagens no tópico "messages"
local function main()
    local ch = process.listen("messages")

    local msg = ch:receive()
    if msg then
        -- msg é o payload diretamente
        print("Received:", msg)
        return true
    end

    return false
end

return { main = main }
