"""What a node holds, all its Lua states together and each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from lua_api import Statistics as KernelStatistics


class StateStatistics(Struct, frozen=True):
    """What one Lua state holds.

    Attributes:
        number: Its number. 0 is the hub, where hosts without states of their own run.
        host: The host that it runs; None for the hub.
        thread: The name of the thread that runs it; None if trio's own does.
        processes: Live processes, those of Python included.
        lua_bytes: Its memory.
        max_memory: How much it may take (see `HostSpec.max_memory`); infinity without a limit.
    """

    number: int
    host: str | None
    thread: str | None
    processes: int
    lua_bytes: int
    max_memory: float


class Statistics(Struct, frozen=True):
    """What a node holds.

    Attributes:
        processes: Live processes, those of Python included.
        names: Registered names.
        timers: Timers that have not gone off.
        lua_bytes: Memory of all Lua states.
        states: Each Lua state, the hub first.
    """

    processes: int
    names: int
    timers: int
    lua_bytes: int
    states: tuple[StateStatistics, ...]


def node_statistics(
    hub: KernelStatistics, others: Sequence[tuple[StateStatistics, KernelStatistics]]
) -> Statistics:
    """What the hub and the states beside it hold together; the hub has all names."""
    everything = [hub, *(statistics for _, statistics in others)]
    return Statistics(
        sum(one.processes for one in everything),
        hub.names,
        sum(one.timers for one in everything),
        sum(one.lua_bytes for one in everything),
        (
            StateStatistics(0, None, None, hub.processes, hub.lua_bytes, hub.max_memory),
            *(state for state, _ in others),
        ),
    )
