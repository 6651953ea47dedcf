"""Times restarts of Lua processes from around the kernel. Knows where a node keeps it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from supervise import Node


@contextmanager
def timed(node: Node) -> Iterator[list[float]]:
    """Collect the seconds of each restart while the block runs.

    A sample begins with the step in which a child crashes, before the order to do so reaches it,
    and ends when the start of its replacement returns, which has run the chunk. From the crash to
    the first instruction it is less, but for a Lua process the clock stands still meanwhile.
    """
    kernel = node._kernel  # noqa: SLF001
    step, start_child = kernel.step, kernel.start_child
    began, samples = 0.0, []

    def timed_step(now: float, budget: int) -> Any:  # noqa: ANN401 - passed on
        nonlocal began
        began = time.perf_counter()
        return step(now, budget)

    def timed_start(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
        outcome = start_child(*args, **options)
        samples.append(time.perf_counter() - began)
        return outcome

    kernel.step, kernel.start_child = timed_step, timed_start  # type: ignore[method-assign]
    try:
        yield samples
    finally:
        del kernel.step, kernel.start_child
