"""Programs to run and to read: `supervise run specs.examples.worker_pool`, or any other one here.

Their Lua is in `lua/`: `app.demo:NAME` are the parents, `app.test.process:NAME` the workers. The
programs of the specification stand there word for word, with their comments in Portuguese.
"""

from pathlib import Path

SOURCE = Path(__file__).parent / "lua"
