--- Which task runs, and how many turns there were. The API reads the task for what a process may know
-- about itself without asking. In a state with a cap `exhausted` is the process that found no memory.
-- `extra` is what requests cost that did a lot for one call: more of the budget of a step than one each.

return { task = false, turn = 0, extra = 0, capped = false, exhausted = false }
