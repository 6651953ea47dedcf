--- Which task runs, and how many turns there were. The API reads the task for what a process may know
-- about itself without asking. In a state with a cap `failed` is the process that has
-- failed and must be ended after the step, and `failure` its error, if it is not that there was no memory.

return { task = false, turn = 0, capped = false, failed = false, failure = false }
