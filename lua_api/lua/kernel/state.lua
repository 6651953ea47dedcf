--- Which Lua state of its node this is. State 0 is the hub: it has the processes of Python, the names,
-- and a record of every process of the other states.

return { number = 0, is_hub = true }
