"""What a subscriber gets: the events of processes, of names and of supervisors."""

from __future__ import annotations

from typing import TypeAlias

from lua_api import LifecycleEffect
from supervise._events import Event

LifecycleEvent: TypeAlias = LifecycleEffect | Event
"""What a subscriber gets."""
