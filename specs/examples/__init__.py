"""Programs to run and to read: `supervise run specs.examples.worker_pool`, or any other one here.

Their Lua is in `lua/`: `app.demo:NAME` are the parents, `app.test.process:NAME` the workers. The
programs of the specification stand there word for word, with their comments in Portuguese. The
Lua of a tree has a folder of its own there, as `app.chat:room` for `chat_room`.
"""

import logging
from pathlib import Path

# Each program tells by itself what fails: the log need not do so once more on stderr.
logging.getLogger("supervise").addHandler(logging.NullHandler())

SOURCE = Path(__file__).parent / "lua"
