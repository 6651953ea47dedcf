--- The requests a Lua process can make of the kernel, by number.
-- A process makes one by yielding `number, arguments...` and gets the answer from the yield.

local names = {
  -- what every process does all the time comes first
  "SEND", "RECEIVE", "SELECT", "SLEEP",
  -- the life of a process
  "SPAWN", "LOADED", "FINISHED", "REQUIRE", "REQUIRED", "STARTED", "IGNORE",
  "UPGRADE", "UPGRADES",
  -- mailbox
  "LISTEN", "INBOX", "EVENTS", "UNLISTEN",
  -- channels inside one process
  "CHANNEL", "CHANNEL_SEND", "CHANNEL_CLOSE",
  -- coroutines of one process
  "COROUTINE", "COROUTINE_DONE", "OVERRUN",
  -- watching and ending others
  "MONITOR", "UNMONITOR", "LINK", "UNLINK", "CANCEL", "TERMINATE", "TRAP_LINKS",
  -- names
  "REGISTER", "UNREGISTER", "LOOKUP",
  -- time
  "AFTER", "TIMER", "TICKER", "TIMER_STOP", "TIMER_RESET", "LOCATION",
  -- supervisors
  "CALL_SUPERVISOR",
  -- output
  "PRINT",
}

local M = {}
for number, name in ipairs(names) do
  M[name] = number
end
return M
