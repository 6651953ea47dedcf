"""What a host is: a place where Lua processes run, and its limits."""

from __future__ import annotations

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
    """

    name: str = field(metadata=f.must(f.NAME))
    max_processes: int = field(kw_only=True, default=1_000_000, metadata=f.must(f.at_least(1)))
    max_mailbox: int = field(kw_only=True, default=1_000_000, metadata=f.must(f.at_least(1)))
    __repr__ = spec_repr
