--- Which task runs. The API reads it for what a process may know about itself without asking.

return { task = false }
