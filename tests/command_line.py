"""A folder to give commands in, and a run that takes no time."""

import functools
import sys
from contextlib import contextmanager

import trio
import trio.testing


@contextmanager
def working_in(folder, monkeypatch):
    """Commands run here; afterwards nothing of Python knows the modules of this folder."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", sys.path.copy())
        patch.setattr(trio, "run", functools.partial(trio.run, clock=clock))
        yield folder
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(folder)):
            del sys.modules[name]
