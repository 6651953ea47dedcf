"""Makes a trio run the same every time: one seed for everything that Python leaves open."""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import contextmanager

# Trio has no public way to seed its scheduler. These two are what its own Hypothesis plug-in uses.
from trio._core import _run


@contextmanager
def deterministic(seed: int) -> Generator[None, None, None]:
    """Let the seed decide the order of trio's tasks, and what the module `random` draws."""
    mode = _run._ALLOW_DETERMINISTIC_SCHEDULING  # noqa: SLF001
    scheduler, drawn = _run._r.getstate(), random.getstate()  # noqa: SLF001
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc] # noqa: SLF001
    _run._r.seed(seed)  # noqa: SLF001
    random.seed(seed)
    try:
        yield
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = mode  # type: ignore[misc] # noqa: SLF001
        _run._r.setstate(scheduler)  # noqa: SLF001
        random.setstate(drawn)
