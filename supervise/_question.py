"""A question to several Lua states, and who has not answered. Knows no threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import trio

from supervise._errors import NodeClosedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from supervise._state import State

T = TypeVar("T")


class Question(Generic[T]):
    """Waits until every state has answered, or is no more.

    Args:
        states: Who is asked.
    """

    def __init__(self, states: Iterable[State]) -> None:
        self._waiting = set(states)
        self._answers: dict[int, T] = {}
        self._over = trio.Event()
        self._closed = False
        self._look()

    def answer(self, state: State, answer: T | None) -> None:
        """A state says this; None if it is no more."""
        if state in self._waiting:
            self._waiting.remove(state)
            if answer is not None:
                self._answers[state.number] = answer
            self._look()

    def close(self) -> None:
        """The node ends: nobody answers any more."""
        self._closed = True
        self._over.set()

    async def answers(self) -> list[T]:
        """All answers, in the order of the states' numbers.

        Raises:
            NodeClosedError: The node has ended meanwhile.
        """
        await self._over.wait()
        if self._closed:
            raise NodeClosedError
        return [self._answers[number] for number in sorted(self._answers)]

    def _look(self) -> None:
        if not self._waiting:
            self._over.set()
