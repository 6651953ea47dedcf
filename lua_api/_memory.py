"""A cap on the memory of a Lua state. Knows lupa, not what runs in the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lupa.lua54 import LuaRuntime


class MemoryCap:
    """Holds within its block, and only there.

    Outside it nothing is refused: where Python puts values in, or asks for one, Lua has no way to
    say that there is no memory but to abort the whole program.

    Args:
        runtime: A state that was made to be capped.
        limit: The cap in bytes.
    """

    def __init__(self, runtime: LuaRuntime, limit: int) -> None:
        self.limit = limit
        self._used = runtime.get_memory_used
        self._set = runtime.set_max_memory

    def __enter__(self) -> None:
        self._set(self.limit, total=True)

    def __exit__(self, *_: object) -> None:
        self._set(0)

    def is_exceeded(self) -> bool:
        """Whether the state takes more than the cap now, garbage included."""
        return bool(self._used(total=True) > self.limit)
