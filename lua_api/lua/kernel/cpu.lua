--- Which task runs, and how many turns there were. The API reads the task for what a process may know
-- about itself without asking. In a state with a cap `exhausted` is the process that found no memory.

return { task = false, turn = 0, capped = false, exhausted = false }
