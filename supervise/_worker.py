"""A thread that runs Lua states in turns, in parallel with trio. Knows no node."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from supervise._state import Rota

if TYPE_CHECKING:
    from supervise._state import State, Turn

T = TypeVar("T")

# A wait of a thread for longer than this many seconds may overflow; it just waits again.
_LONGEST_WAIT = 3600.0


class Worker:
    """Runs states on a thread of its own. A thread that is stuck can be left behind for a new one.

    Args:
        name: What the thread is called.
        clock: Tells the time of the states' turns, on any thread.
        on_turn: Gets what a turn brought, on the thread of the worker.
        on_failure: Gets what a turn raised, likewise.

    Attributes:
        name: What the thread is called.
        running: The state that has its turn.
        since: When that turn began, in seconds on `time.monotonic`.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float],
        on_turn: Callable[[State, Turn], None],
        on_failure: Callable[[State, Exception], None],
    ) -> None:
        self.name = name
        self._clock = clock
        self._on_turn = on_turn
        self._on_failure = on_failure
        self._queue: queue.SimpleQueue[State | Callable[[], object]] = queue.SimpleQueue()
        self._rota = Rota()
        # A turn and what it brought count only if the thread was not replaced meanwhile.
        self._lock = threading.Lock()
        self._closing = False
        self.running: State | None = None
        self.since = math.inf
        self._thread = threading.current_thread()
        self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def wake(self, state: State) -> None:
        """Give a state a turn; from any thread."""
        self._queue.put(state)

    def ask(self, question: Callable[[], T], timeout: float) -> T:
        """Call a function on the thread of the worker, between two turns, and wait for the result.

        Raises:
            TimeoutError: There was none within `timeout` seconds of real time.
        """
        return self.begin(question)(timeout)

    def begin(self, question: Callable[[], T]) -> Callable[[float], T]:
        """As `ask`, in two parts: what is returned waits."""
        results: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

        def answer() -> None:
            try:
                results.put((True, question()))
            except Exception as exc:  # noqa: BLE001 - raised where it was asked
                results.put((False, exc))

        self._queue.put(answer)

        def wait(timeout: float) -> T:
            try:
                good, result = results.get(timeout=max(0.0, timeout))
            except queue.Empty:
                raise TimeoutError from None
            if not good:
                raise result
            return result  # type: ignore[no-any-return]

        return wait

    def leave_behind(self, limit: float) -> State | None:
        """If a turn has taken longer than `limit` seconds, go on with a new thread.

        Returns:
            The state whose turn does not end; whatever still comes of it counts for nothing.
        """
        with self._lock:
            stuck = self.running
            if stuck is None or time.monotonic() - self.since <= limit:
                return None
            self.replace_thread()
        return stuck

    def replace_thread(self) -> None:
        """Go on with a new thread, and leave this one to itself."""
        self.running, self.since = None, math.inf
        self._start()

    def stop(self) -> None:
        """Have the thread end after its turn."""
        self._closing = True
        self._queue.put(_nothing)

    def join(self, timeout: float) -> bool:
        """Wait for the end of the thread; returns whether it came within `timeout` seconds."""
        self._thread.join(max(0.0, timeout))
        if not self._thread.is_alive():
            return True
        with self._lock:
            self._thread = threading.current_thread()
        return False

    def _run(self) -> None:
        me = threading.current_thread()
        while not self._closing:
            self._take_in()
            state = None if self._closing else self._rota.next(self._clock())
            if state is not None and not self._take_turn(me, state):
                return

    def _take_in(self) -> None:
        wait = 0.0 if self._rota else min(self._rota.wake_at - self._clock(), _LONGEST_WAIT)
        try:
            item = self._queue.get(timeout=wait) if wait > 0 else self._queue.get_nowait()
            while True:
                if callable(item):
                    item()
                else:
                    self._rota.wake(item)
                item = self._queue.get_nowait()
        except queue.Empty:
            pass

    def _take_turn(self, me: threading.Thread, state: State) -> bool:
        """Returns whether this thread is to go on."""
        self.since = time.monotonic()
        self.running = state
        turn, failure = None, None
        try:
            turn = state.turn(self._clock())
        except Exception as exc:  # noqa: BLE001 - the state is lost, which others are told
            failure = exc
        with self._lock:
            if self._thread is not me:
                return False
            self.running, self.since = None, math.inf
            if turn is not None:
                self._rota.done(state)
                self._on_turn(state, turn)
            elif failure is not None:
                self._on_failure(state, failure)
        return True


def _nothing() -> None:
    """Wakes a thread that waits."""
