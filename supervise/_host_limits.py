"""What a kernel is told of a host that it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from specs import HostSpec


class HostLimits(TypedDict):
    """See `Kernel.add_host`."""

    max_processes: int
    max_mailbox: int
    max_timers: int
    preempt: bool
    max_instructions: float
    max_run_instructions: float


def host_limits(host: HostSpec) -> HostLimits:
    """The limits of a host, for `Kernel.add_host`."""
    return HostLimits(
        max_processes=host.max_processes,
        max_mailbox=host.max_mailbox,
        max_timers=host.max_timers,
        preempt=host.preempt,
        max_instructions=host.max_instructions,
        max_run_instructions=host.max_run_instructions,
    )
