"""Clocks and memory meters for the program that is being measured. Knows no workload."""

from __future__ import annotations

import gc
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks._workloads import Plan

Samples = dict[str, list[float]]


class Batches:
    """Times the body of a `for` loop, after a warm-up round that does not count.

    Example:
        batches = Batches(plan)
        for size in batches:
            work(size)
        return batches.samples(per=plan.size)
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._seconds: list[float] = []

    def __iter__(self) -> Iterator[int]:
        """Yield how many operations the body is to do."""
        plan = self._plan
        yield plan.size // 10
        until = time.perf_counter() + plan.seconds
        while not self._seconds or (
            len(self._seconds) < plan.batches and time.perf_counter() < until
        ):
            started = time.perf_counter()
            yield plan.size
            self._seconds.append(time.perf_counter() - started)

    def samples(self, per: int) -> Samples:
        """Seconds per operation of every batch that counted."""
        return {"time": [seconds / per for seconds in self._seconds]}


class Phases(Batches):
    """Times the named parts of each batch, and nothing between them.

    Example:
        phases = Phases(plan)
        for size in phases:
            with phases.timed("start"):
                work(size)
        return phases.samples(per=1)
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._parts: dict[str, list[float]] = {}

    @contextmanager
    def timed(self, metric: str) -> Iterator[None]:
        """Count the seconds of the block as a sample of `metric`."""
        started = time.perf_counter()
        yield
        self._parts.setdefault(metric, []).append(time.perf_counter() - started)

    def samples(self, per: int) -> Samples:
        """Seconds per operation of each part, of every batch but the warm-up."""
        return {
            metric: [seconds / per for seconds in parts[1:]]
            for metric, parts in self._parts.items()
        }


class SpawnMeter:
    """Times one burst of spawns and the resident memory that it took.

    Made when the system is idle but warm, stopped when the last process has answered.
    """

    def __init__(self, plan: Plan) -> None:
        self._size = plan.size
        gc.collect()
        self._resident = resident_bytes()
        self._started = time.perf_counter()

    def stop(self) -> Samples:
        """Seconds and bytes for each process, and bytes for all."""
        seconds = time.perf_counter() - self._started
        gc.collect()
        samples = {"time": [seconds / self._size]}
        resident = resident_bytes()
        if resident is not None and self._resident is not None:
            samples["all"] = [float(resident - self._resident)]
            samples["rss"] = [samples["all"][0] / self._size]
        return samples


def resident_bytes() -> int | None:
    """Resident memory of this process, `None` where the system has no `/proc`."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def cold_start(command: Sequence[str], plan: Plan) -> Samples:
    """Seconds from starting `command` to the first line that it prints.

    As where it is installed: bytecode is kept, whatever is set here, once the warm-up wrote it.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": plan.scratch}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    batches = Batches(plan)
    for _ in batches:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as program:
            assert program.stdout is not None  # noqa: S101 - it was asked for above
            line = program.stdout.readline()
            if line != "ready\n":
                raise RuntimeError(
                    f"{command[0]}: expected 'ready' as its first line, got {line!r}"
                )
            program.stdout.read()
    return batches.samples(per=1)
