"""What a host is: a place where Lua processes run, and its limits."""

from __future__ import annotations

import math
from typing import Literal

from attrs import field, frozen

from specs import _fields as f
from specs._repr import spec_repr


@frozen(repr=False)
class HostSpec:
    """A place where Lua processes run.

    Attributes:
        name: What specs and pids call it, such as `"app:processes"`.
        max_processes: How many processes may live there at once; 1,000,000 by default.
        max_mailbox: How many messages may wait for one process; 1,000,000 by default. Lower it
            where a slow reader must not eat the memory of all.
        max_timers: How many timers one process may wait for, its sleeping coroutines included;
            100,000 by default.
        preempt: Whether a process that computes without a wait is stopped for a moment after every
            10,000 instructions of Lua, so that others get their turn. True by default. Bare
            arithmetic is two to three times as fast without it.
        max_run_instructions: How many instructions a process may run from one wait to the next;
            no limit by default. One that runs more is ended. Counted in steps of 10,000; needs
            `preempt`.
        max_instructions: How many instructions a process may run in its whole life; as above.
        max_memory: How many bytes a Lua state of the host may take; no limit by default. The
            process that finds no more memory is ended; if that is not enough, the state is given
            up with every process in it, and replaced. A host with a limit has states of its own.
        workers: On how many threads of their own the processes run, in parallel with Python and
            each other. 0 by default: they run on the thread of trio.
        isolation: `"shared"`, the default: processes share a Lua state. `"private"`: each has its
            own.
        lua: Which Lua: `"5.4"`, the default, `"5.5"`, or `"jit"` for LuaJIT.
        max_block: How long, in seconds of real time, a process may keep a thread of `workers` in a
            single turn; 5 by default. Then its Lua state is given up with every process in it, and
            replaced.
    """

    name: str = field(metadata=f.must(f.NAME))
    max_processes: int = field(kw_only=True, default=1_000_000, metadata=f.must(f.at_least(1)))
    max_mailbox: int = field(kw_only=True, default=1_000_000, metadata=f.must(f.at_least(1)))
    max_timers: int = field(kw_only=True, default=100_000, metadata=f.must(f.at_least(1)))
    preempt: bool = field(kw_only=True, default=True, metadata=f.must(f.FLAG))
    max_run_instructions: float = field(
        kw_only=True, default=math.inf, metadata=f.must(f.at_least_or_infinity(10_000))
    )
    max_instructions: float = field(
        kw_only=True, default=math.inf, metadata=f.must(f.at_least_or_infinity(10_000))
    )
    max_memory: float = field(
        kw_only=True, default=math.inf, metadata=f.must(f.at_least_or_infinity(4_000_000))
    )
    workers: int = field(kw_only=True, default=0, metadata=f.must(f.at_least(0)))
    isolation: Literal["shared", "private"] = field(
        kw_only=True, default="shared", metadata=f.must(f.one_word("shared", "private"))
    )
    lua: Literal["5.4", "5.5", "jit"] = field(
        kw_only=True, default="5.4", metadata=f.must(f.one_word("5.4", "5.5", "jit"))
    )
    max_block: float = field(
        kw_only=True, default=5.0, metadata=f.must(f.number("seconds, more than 0", above=0))
    )
    __repr__ = spec_repr

    @property
    def has_own_states(self) -> bool:
        """Whether its processes live in Lua states of their own, and not in that of the node."""
        return (
            self.workers > 0
            or self.isolation == "private"
            or self.lua != "5.4"
            or self.max_memory < math.inf
        )
