-- A chain of linked processes over hosts; the last one tells `top` and fails when it is told to.
local function main(depth, hosts, top)
  if depth == 0 then
    process.send(top, "last", process.pid())
    process.inbox():receive()
    error("the chain breaks", 0)
  end
  local host = hosts[depth % #hosts + 1]
  local pid, err = process.spawn_linked("soak:chain", host, depth - 1, hosts, top)
  if not pid then
    error(err)
  end
  channel.new():receive()
end

return { main = main }
