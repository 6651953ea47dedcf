"""One seed for everything that Python leaves open."""

from __future__ import annotations

import gc
import random
from collections.abc import Generator
from contextlib import contextmanager

from supervise.testing.seeding import seeded_scheduler


@contextmanager
def deterministic(seed: int) -> Generator[None, None, None]:
    """Let the seed decide the order of trio's tasks, and what the module `random` draws.

    Nothing is collected meanwhile: finalizers would run at moments that no seed decides.

    Raises:
        SeedingError: This version of trio cannot be seeded.
    """
    drawn, collects = random.getstate(), gc.isenabled()
    random.seed(seed)
    gc.disable()
    try:
        with seeded_scheduler(seed):
            yield
    finally:
        random.setstate(drawn)
        if collects:
            gc.enable()
