"""What a subscriber gets: the events of processes, of names and of supervisors."""

from __future__ import annotations

from typing import TypeAlias

from lua_api import (
    LinePrinted,
    NameRegistered,
    NameReleased,
    ProcessExited,
    ProcessSpawned,
    ProcessStarted,
    ProcessUpgraded,
)
from supervise._events import Event

LifecycleEvent: TypeAlias = (
    ProcessSpawned
    | ProcessStarted
    | ProcessUpgraded
    | ProcessExited
    | NameRegistered
    | NameReleased
    | LinePrinted
    | Event
)
"""What a subscriber gets."""
