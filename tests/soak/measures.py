"""What a node holds at rest, to be held against what it held before."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path

import trio
from msgspec import Struct
from msgspec.structs import asdict

from supervise.testing import _inside
from supervise.testing.nodes import _IDLE_THREAD

# By how much each may grow. What is counted may not; what is measured is never quite the same.
BOUNDS = {
    "processes": 0,
    "names": 0,
    "timers": 0,
    "states": 0,
    "threads": 0,
    "tasks": 0,
    "objects": 5_000,
    "lua_bytes": 2 << 20,
    "resident": 64 << 20,
}
COUNTED = [name for name, bound in BOUNDS.items() if not bound]
_STATM = Path("/proc/self/statm")


class Measures(Struct, frozen=True):
    """What there is.

    Attributes:
        processes: Live processes, those of Python included.
        names: Registered names.
        timers: Timers of Lua processes and of supervisors.
        states: Lua states.
        threads: Threads of this program, those that trio keeps for later aside.
        tasks: Tasks of trio.
        objects: Python objects that the garbage collector knows.
        lua_bytes: Memory of all Lua states, garbage aside.
        resident: Bytes of memory of this program, where the system tells.
    """

    processes: int
    names: int
    timers: int
    states: int
    threads: int
    tasks: int
    objects: int = 0
    lua_bytes: int = 0
    resident: int = 0


def counted(node):
    """What can be counted."""
    statistics = node.statistics()
    threads = [each for each in threading.enumerate() if not each.name.startswith(_IDLE_THREAD)]
    return Measures(
        processes=statistics.processes,
        names=statistics.names,
        timers=statistics.timers + _inside.alarm_count(node),
        states=len(statistics.states),
        threads=len(threads),
        tasks=trio.lowlevel.current_statistics().tasks_living,
    )


def measured(node):
    """Everything, without garbage."""
    gc.collect()
    return Measures(
        **{
            **asdict(counted(node)),
            "objects": len(gc.get_objects()),
            "lua_bytes": _inside.lua_bytes(node),
            "resident": resident(),
        }
    )


def resident():
    """Bytes of memory of this program; 0 where the system does not tell."""
    if not _STATM.exists():
        return 0
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(before, now, names=tuple(BOUNDS)):
    """A line for each that is not what it was, or has grown beyond its bound."""
    lines = []
    for name in names:
        was, is_, bound = getattr(before, name), getattr(now, name), BOUNDS[name]
        if is_ - was > bound or (not bound and is_ != was):
            allowed = f", more than {bound:,} above" if bound else ""
            lines.append(f"{name}: {is_:,}{allowed}; at the beginning {was:,}")
    return lines
