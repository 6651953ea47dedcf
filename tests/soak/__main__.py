"""Soaks a node in crashes, floods, upgrades and lost states: `make soak`.

What happens is decided by SEED, by default a new one, and goes on for MINUTES, by default 3. Every few
seconds there is a rest: then the tree must be whole, the invariants must hold for what happened, and
nothing may have been left over.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import traceback

import trio
from msgspec.structs import asdict

from tests.soak.measures import BOUNDS
from tests.soak.run import Soak, SoakError


def table(soak):
    """What was done, and what is held."""
    yield f"{'action':20} {'done':>10} {'refused':>10} {'longest':>10}"
    for name in sorted(soak.done | soak.refused):
        yield f"{name:20} {soak.done[name]:10,} {soak.refused[name]:10,} {soak.longest[name]:8.2f} s"
    yield ""
    yield f"{'at rest':20} {'at first':>13} {'at last':>13} {'may grow by':>13}"
    first, last = asdict(soak.first), asdict(soak.last)
    for name, bound in BOUNDS.items():
        yield f"{name:20} {first[name]:13,} {last[name]:13,} {bound:13,}"


def main():
    """Soak, and say what came of it."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(2**32))
    minutes = float(os.environ.get("MINUTES") or 3)
    print(f"SEED={seed}, {minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(seed, folder, tell=lambda line: print(line, flush=True))
        failed = None
        try:
            trio.run(soak.run, 60 * minutes)
        except* SoakError as exc:
            failed = exc
    if soak.first is not None:
        print("\n".join(table(soak)))
    if failed is None:
        return 0
    traceback.print_exception(failed)
    return 1


if __name__ == "__main__":
    sys.exit(main())
