"""Where the processes of a test live: in how many Lua states, and of which Lua.

Tests say what holds wherever they live. They run with all processes in one state of Lua 5.4, and those
of a few files once more, each elsewhere. `--placement` and `--lua` run everything in another place.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest

from supervise import HostSpec

PLACEMENTS = {
    "one": "in the hub, on the thread of trio",
    "elsewhere": "in one other state",
    "spread": "in three other states",
    "private": "each in a state of its own",
}
VERSIONS = ("5.4", "5.5", "jit")


@dataclass(frozen=True)
class Placement:
    """Where processes live."""

    where: str = "one"
    lua: str = "5.4"

    def __str__(self) -> str:
        return f"{self.where}-{self.lua}"

    def host(self, name: str = "app:processes") -> HostSpec:
        """A host of a node for such processes."""
        workers = {"one": 0, "elsewhere": 1, "spread": 3, "private": 2}[self.where]
        isolation = "private" if self.where == "private" else "shared"
        return HostSpec(name, workers=workers, isolation=isolation, lua=self.lua)


ALL = [Placement(*both) for both in itertools.product(PLACEMENTS, VERSIONS)]
USUAL = Placement()


def fewer(many: int) -> int:
    """So many processes, or a twentieth where each has a Lua state of its own."""
    return many // 20 if now.where == "private" else many


def not_on_jit(why: str) -> pytest.MarkDecorator:
    """The mark of what LuaJIT does differently."""
    return pytest.mark.lua("5.4", "5.5", why=why)


# That of the test which runs.
now = USUAL
