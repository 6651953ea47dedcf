"""The driver: other tasks get their turns, and Lua's time is trio's."""

from __future__ import annotations

import pytest
import trio

from lua_api._kernel import NANOSECONDS, _seconds
from supervise._driver import SLICE
from tests.programs import lua, node_of


async def test_a_busy_process_leaves_a_turn_to_others_after_each_slice():
    counted = lua(
        "while true do process.registry.lookup('x') n = (n or 0) + 1 "
        "if n % 1000 == 0 then print(n) end end"
    )
    lines = []
    async with node_of(entries={"t:c": counted}, output=lambda _pid, n: lines.append(n)) as node:
        await node.spawn("t:c")
        for _ in range(100):
            await trio.lowlevel.checkpoint()
        assert 50 <= len(lines) * 1000 / SLICE <= 110


async def test_timers_of_lua_move_with_the_clock_of_trio(autojump_clock):
    async with node_of() as node:
        assert await node.exec("t:sleep", "90m") == "awake"
        assert autojump_clock.current_time() == pytest.approx(5400)


@pytest.mark.parametrize("days", [1, 26, 100, 10_000])
def test_a_deadline_in_seconds_is_never_before_the_timer(days):
    for extra in range(200):
        at = days * 86_400 * NANOSECONDS + extra
        assert round(_seconds(at) * NANOSECONDS) >= at
