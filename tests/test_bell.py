"""The bell that wakes the driver and the alarms."""

from __future__ import annotations

import pytest
import trio

from supervise._bell import Bell


async def test_it_wakes_who_waits_each_time(autojump_clock):
    bell, woken = Bell(), []

    async def listen():
        while True:
            await bell.wait()
            woken.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        began = trio.current_time()
        for _ in range(2):
            await trio.sleep(1)
            bell.ring()
            bell.ring()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [at - began for at in woken] == [1, 1, 2, 2]


async def test_rung_before_it_is_waited_for_it_is_waited_for_once(autojump_clock):
    bell = Bell()
    bell.ring()
    await bell.wait()
    with pytest.raises(trio.TooSlowError), trio.fail_after(1):
        await bell.wait()


async def test_stilled_it_was_not_rung(autojump_clock):
    bell = Bell()
    bell.ring()
    bell.still()
    with pytest.raises(trio.TooSlowError), trio.fail_after(1):
        await bell.wait()


async def test_who_gave_up_is_not_woken(autojump_clock):
    bell = Bell()
    with trio.move_on_after(1):
        await bell.wait()
    bell.ring()
    with trio.fail_after(1):
        await bell.wait()
