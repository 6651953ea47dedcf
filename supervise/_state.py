"""A Lua state beside the hub, and whose turn it is among several. Knows no threads and no trio."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec import Struct

from lua_api import Effect, Kernel, ModuleRequired, Need

if TYPE_CHECKING:
    from specs import HostSpec

T = TypeVar("T")

# Requests of Lua processes a turn: about a millisecond.
BUDGET = 1000

# How many timers that are no more a rota may keep besides those that are.
_STALE = 64


class Turn(Struct, frozen=True):
    """What a turn of a state brought.

    Attributes:
        effects: What the node may want to know, in order.
        posts: What other states are to receive: the number of each, and the bytes for it.
        refused: What came for a state that is no more.
        answers: To be called with nothing on trio's thread: they tell what was asked.
    """

    effects: list[Effect] = []
    posts: tuple[tuple[int, bytes], ...] = ()
    refused: tuple[bytes, ...] = ()
    answers: tuple[Callable[[], None], ...] = ()


class State:
    """One Lua state. It is made by its first turn, on the thread that runs it.

    Args:
        number: Its number; no other state of the node ever has it.
        host: The host that it runs.
        make: Makes its kernel.
        serve: Gets what its kernel needs.
        wake: Called, from any thread, when there is something for it to do.

    Attributes:
        wake_at: When its next timer goes off, in seconds on the clock of its turns.
        busy: Whether it could go on at once after its last turn.
    """

    def __init__(
        self,
        number: int,
        host: HostSpec,
        make: Callable[[State], Kernel],
        serve: Callable[[State, Kernel, Need | ModuleRequired], None],
        wake: Callable[[State], None],
    ) -> None:
        self.number = number
        self.host = host
        self.wake_at = math.inf
        self.busy = False
        self.queued = False
        self.kernel: Kernel | None = None
        self._make = make
        self._serve = serve
        self._wake = wake
        self._orders: deque[tuple[str, tuple[object, ...], dict[str, object]]] = deque()
        self._questions: deque[tuple[Callable[[Any], None], Callable[..., Any], Any]] = deque()
        self._closing = self._closed = False

    def receive(self, posted: bytes) -> None:
        """Have it take in what another state posted, in its next turn."""
        self._orders.append(("receive", (posted,), {}))
        self._wake(self)

    def tell(self, method: str, *args: object, **options: object) -> None:
        """Have it call a method of its kernel in its next turn."""
        self._orders.append((method, args, options))
        self._wake(self)

    def ask(
        self, on_answer: Callable[[T | None], None], method: Callable[..., T], *args: object
    ) -> None:
        """As `tell`, for a method that answers; `on_answer` gets None if it is no more."""
        self._questions.append((on_answer, method, args))
        self._wake(self)

    def close(self) -> None:
        """Have it end after its next turn: what reaches it later is refused."""
        self._closing = True
        self._wake(self)

    def abandon(self) -> None:
        """Take no turn any more: the state is lost."""
        self._closed = True

    def open(self) -> Kernel:
        """Its kernel, which is made if this is the first time."""
        if self.kernel is None:
            self.kernel = self._make(self)
        return self.kernel

    @property
    def closed(self) -> bool:
        """Whether it has ended, or is lost."""
        return self._closed

    def turn(self, now: float) -> Turn:
        """Take in what came, and run for about a millisecond."""
        if self._closed:
            return self._refuse()
        kernel = self.open()
        kernel.set_time(now)
        while self._orders:
            method, args, options = self._orders.popleft()
            getattr(kernel, method)(*args, **options)
        answers = self._answer_questions(kernel)
        step = kernel.step(now, BUDGET)
        effects: list[Effect] = []
        for effect in step.effects:
            if isinstance(effect, Need | ModuleRequired):
                self._serve(self, kernel, effect)
            else:
                effects.append(effect)
        self.busy = step.busy or len(effects) < len(step.effects) or bool(self._orders)
        self.wake_at = math.inf if step.wake_at is None else step.wake_at
        if self._closing and not self.busy:
            self._closed, self.kernel, self.wake_at = True, None, math.inf
        return Turn(effects, step.posts, answers=answers)

    def _answer_questions(self, kernel: Kernel | None) -> tuple[Callable[[], None], ...]:
        answers = []
        while self._questions:
            on_answer, method, args = self._questions.popleft()
            answers.append(partial(on_answer, None if kernel is None else method(kernel, *args)))
        return tuple(answers)

    def _refuse(self) -> Turn:
        refused = []
        while self._orders:
            method, args, _ = self._orders.popleft()
            if method == "receive":
                refused.append(cast("bytes", args[0]))
        return Turn(refused=tuple(refused), answers=self._answer_questions(None))


class Rota:
    """Whose turn it is: states that have something to do, one after the other."""

    def __init__(self) -> None:
        self._ready: deque[State] = deque()
        self._timers: list[tuple[float, int, State]] = []
        self._most_timers = _STALE

    def __bool__(self) -> bool:
        return bool(self._ready)

    @property
    def wake_at(self) -> float:
        """When the next state that waits for its timer has a turn again."""
        while self._timers and self._timers[0][0] != self._timers[0][2].wake_at:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else math.inf

    def wake(self, state: State) -> None:
        """Give a state a turn."""
        if not state.queued:
            state.queued = True
            self._ready.append(state)

    def next(self, now: float) -> State | None:
        """The state that has its turn now."""
        while self.wake_at <= now:
            self.wake(heapq.heappop(self._timers)[2])
        if not self._ready:
            return None
        state = self._ready.popleft()
        state.queued = False
        return state

    def done(self, state: State) -> None:
        """A state had its turn."""
        if state.busy:
            self.wake(state)
        if state.wake_at < math.inf:
            heapq.heappush(self._timers, (state.wake_at, state.number, state))
            if len(self._timers) > self._most_timers:
                self._tidy_up()

    def _tidy_up(self) -> None:
        """Forget timers that are no more; of those that are there more than once keep one."""
        timers = {timer[2]: timer for timer in self._timers if timer[0] == timer[2].wake_at}
        self._timers = [*timers.values()]
        heapq.heapify(self._timers)
        self._most_timers = 2 * len(self._timers) + _STALE
