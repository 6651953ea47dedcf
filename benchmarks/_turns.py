"""How long trio's scheduler takes to come back to a task."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from benchmarks._timing import Samples
    from benchmarks._workloads import Plan


async def turns(plan: Plan) -> Samples:
    """How long each of many turns of `trio.sleep(0)` takes."""
    seconds = []
    for _ in range(plan.size):
        started = time.perf_counter()
        await trio.lowlevel.checkpoint()
        seconds.append(time.perf_counter() - started)
    return {"time": seconds}
