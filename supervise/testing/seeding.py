"""The seed of a test run, and trio's scheduler under it. What is private to trio is used here."""

from __future__ import annotations

import os
import random
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import trio

from specs import SuperviseError

if TYPE_CHECKING:
    from collections.abc import Generator

SEED_VARIABLE: Final = "SUPERVISE_SEED"
"""The environment variable with the seed; `--supervise-seed` sets it for the tests."""

environment_used: Final = threading.Event()
"""Set when the seed of the environment was asked for: a replay of the test needs it."""

_seed: ContextVar[int | None] = ContextVar("supervise_seed", default=None)


class SeedingError(SuperviseError, RuntimeError):
    """The seed cannot be read, or this version of trio cannot be seeded."""


def current_seed() -> int | None:
    """The seed that decides what is left open: that of `seeded`, or of the environment.

    Returns:
        The seed; None if nobody set one, and chance is free.

    Raises:
        SeedingError: The environment variable holds something else than an integer.
    """
    seed = _seed.get()
    text = os.environ.get(SEED_VARIABLE)
    if seed is not None or text is None:
        return seed
    try:
        seed = int(text)
    except ValueError:
        raise SeedingError(
            f"{SEED_VARIABLE}={text!r} in the environment: must be an integer; correct or unset it"
        ) from None
    environment_used.set()
    return seed


@contextmanager
def seeded(seed: int) -> Generator[None, None, None]:
    """Set the seed for as long as the block lasts."""
    token = _seed.set(seed)
    try:
        yield
    finally:
        _seed.reset(token)


@contextmanager
def seeded_scheduler(seed: int) -> Generator[None, None, None]:
    """Let trio order runnable tasks by this seed, in every `trio.run` that the block begins.

    What is to be the same each time also needs a virtual clock, and no threads or I/O.

    Raises:
        SeedingError: This version of trio orders tasks in another way.
    """
    run: Any = getattr(getattr(trio, "_core", None), "_run", None)
    chance = getattr(run, "_r", None)
    deterministic = getattr(run, "_ALLOW_DETERMINISTIC_SCHEDULING", None)
    if chance is None or deterministic is None:
        raise SeedingError(
            f"trio {trio.__version__} orders its tasks in a way that cannot be seeded: "
            "run without a seed, or with trio 0.35"
        )
    run._ALLOW_DETERMINISTIC_SCHEDULING = True
    run._r = random.Random(seed)  # noqa: S311 - not a secret
    try:
        yield
    finally:
        run._ALLOW_DETERMINISTIC_SCHEDULING = deterministic
        run._r = chance
