--- Which task runs, and how many turns there were. The API reads the task for what a process may know
-- about itself without asking.

return { task = false, turn = 0 }
