"""Drives a coroutine by hand, so that something can happen at its n-th await."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeAlias

import trio

AtAwait: TypeAlias = Callable[[int], float]
"""Called with the number of an await as it begins; returns seconds to hang before it goes on."""


@types.coroutine
def driven(running: Awaitable[Any], at_await: AtAwait) -> Generator[Any, Any, Any]:
    """Await something, counting what it awaits of trio."""
    steps = running.__await__()
    awaits, answer = 0, None
    failure: BaseException | None = None
    while True:
        try:
            trap = steps.send(answer) if failure is None else steps.throw(failure)
        except StopIteration as end:
            return end.value
        awaits += 1
        stall = at_await(awaits)
        answer, failure = None, None
        try:
            answer = yield trap
        except BaseException as exc:  # noqa: BLE001 - it belongs to what is driven
            failure = exc
        if stall > 0:
            yield from _hang(stall).__await__()


async def _hang(seconds: float) -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)
