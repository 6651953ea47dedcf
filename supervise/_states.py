"""The Lua states of a node beside the hub: opens them, passes on their posts, replaces lost ones.

Each runs inline, on trio's thread, or on a worker. Where the clock is not the real one, in tests,
workers run in lock step with trio: it waits for each turn, and no time can pass beside them.
"""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, TypeVar

import trio
from msgspec import structs

from lua_api import Kernel, ModuleRequired, Need, ProcessInfo, StateLostError, Statistics
from supervise._host_limits import host_limits
from supervise._question import Question
from supervise._state import Rota, State, Turn
from supervise._statistics import StateStatistics
from supervise._worker import Worker

if TYPE_CHECKING:
    from specs import HostSpec
    from supervise._code import Code
    from supervise._driver import Driver

T = TypeVar("T")

_Sight: TypeAlias = tuple[State, Statistics, list[ProcessInfo]]

logger: Final = logging.getLogger("supervise")

# Inline turns in a row: private states that have little to do are not to wait for trio each time.
_TURNS = 64

# How long, in real seconds, a busy thread may keep trio from knowing what its states hold.
_PATIENCE = 0.1

# How long, in real seconds, the end of a node waits for its threads.
_FAREWELL = 1.0


class _Group:
    """The states of one host, and the workers that run them: none if they run inline."""

    def __init__(self, host: HostSpec, workers: list[Worker]) -> None:
        self.host = host
        self.workers = workers
        self.runners: list[Worker | None] = [*workers] or [None]
        self.turns = itertools.cycle(self.runners)


class States:
    """Every state beside the hub.

    Args:
        driver: Steps the hub, gives `turn` its turns, and acts on the effects of all states.
        hub: The kernel of state 0.
        hosts: The hosts that have states of their own.
        epoch: The unix time in seconds at which trio's clock showed 0.
        code: What they run.
    """

    def __init__(
        self,
        driver: Driver,
        hub: Kernel,
        hosts: Sequence[HostSpec],
        epoch: float,
        code: Code,
    ) -> None:
        self._driver = driver
        self._hub = hub
        self._epoch = epoch
        self._code = code
        clock = trio.lowlevel.current_clock()
        self._clock = clock.current_time
        # Trio's own clock has no public name.
        self._in_lock_step = type(clock).__name__ != "SystemClock"
        self._token = trio.lowlevel.current_trio_token()
        self._numbers = itertools.count(1)
        self._states: dict[int, State] = {}
        self._worker_of: dict[State, Worker | None] = {}
        self._rota = Rota()
        # What threads have left to do for trio's.
        self._brought: deque[Callable[[], None]] = deque()
        self._questions: set[Question[Any]] = set()
        self._known: dict[Worker, list[_Sight]] = {}
        self._watched = False
        self._groups = {host.name: self._open_group(host) for host in hosts}
        for group in self._groups.values():
            if group.host.isolation == "shared":
                for worker in group.runners:
                    self._open_state(group, worker)

    def _open_group(self, host: HostSpec) -> _Group:
        workers = [
            Worker(f"{host.name}#{n + 1}", self._clock, self._on_turn, self._on_failure)
            for n in range(host.workers)
        ]
        self._hub.add_remote_host(
            host.name, max_processes=host.max_processes, private=host.isolation == "private"
        )
        return _Group(host, workers)

    def _open_state(self, group: _Group, worker: Worker | None) -> None:
        runs_alone = worker is not None and not self._in_lock_step
        wake = worker.wake if worker is not None and runs_alone else self._wake
        state = State(
            next(self._numbers),
            group.host,
            self._new_kernel,
            self._serve,
            wake,
        )
        self._states[state.number] = state
        self._worker_of[state] = worker
        state.tell("watch", on=self._watched)
        self._hub.open_state(group.host.name, state.number)
        self._driver.kick()

    def _new_kernel(self, state: State) -> Kernel:
        host = state.host
        kernel = Kernel(self._clock(), self._epoch, host.max_memory, state.number, host.lua)
        shared = host.workers > 1 or host.isolation == "private"
        kernel.add_host(host.name, **host_limits(host), shared=shared)
        return kernel

    def _wake(self, state: State) -> None:
        self._rota.wake(state)
        self._driver.call_states()

    # What the hub asks

    def need(self, host: str) -> None:
        """Open a state for a process of a private host."""
        group = self._groups[host]
        self._open_state(group, next(group.turns))

    def done(self, number: int) -> None:
        """Close a state whose process has ended."""
        state = self._states.pop(number, None)
        if state is not None:
            del self._worker_of[state]
            state.close()

    def route(self, posts: Sequence[tuple[int, bytes]]) -> None:
        """Pass on what a state posted; on trio's thread."""
        for number, posted in posts:
            if number == 0:
                self._hub.receive(posted)
                self._driver.kick()
                continue
            state = self._states.get(number)
            if state is not None:
                state.receive(posted)
            else:
                self._refuse(posted)

    def _refuse(self, posted: bytes) -> None:
        self._hub.refuse(posted)
        self._driver.kick()

    # Turns

    @property
    def has_threads(self) -> bool:
        """Whether some states run beside trio, by themselves."""
        return not self._in_lock_step and any(g.workers for g in self._groups.values())

    @property
    def wake_at(self) -> float:
        """When `turn` has something to do by the clock."""
        return self._rota.wake_at

    def turn(self) -> bool:
        """Take what workers brought, and let inline states run; returns whether there is more."""
        if not self._groups:
            return False
        now = self._clock()
        self._hub.set_time(now)
        self._take_what_workers_brought()
        for _ in range(_TURNS):
            state = self._rota.next(now)
            if state is None:
                break
            self._take_turn(state, now)
            if state.busy:
                break
        return bool(self._rota or self._brought)

    def _take_what_workers_brought(self) -> None:
        while self._brought:
            self._brought.popleft()()

    def _take_turn(self, state: State, now: float) -> None:
        worker = self._worker_of.get(state)
        try:
            if worker is None:
                turn = state.turn(now)
            else:
                turn = worker.ask(partial(state.turn, now), state.host.max_block)
        except TimeoutError:
            self._leave_behind(state, worker)
        except Exception as exc:  # noqa: BLE001 - the state is lost, which everybody is told
            self._fail(state, exc)
        else:
            self._rota.done(state)
            self._take(turn)

    def _take(self, turn: Turn) -> None:
        for effect in turn.effects:
            self._driver.act_on(effect)
        self.route(turn.posts)
        for posted in turn.refused:
            self._refuse(posted)
        for answer in turn.answers:
            answer()

    # On the threads of the workers

    def _on_turn(self, _: State, turn: Turn) -> None:
        beside, for_trio = [], []
        for number, posted in turn.posts:
            state = self._states.get(number)
            if state is None or self._worker_of.get(state) is None:
                for_trio.append((number, posted))
            else:
                beside.append((state, posted))
        if turn.effects or for_trio or turn.refused or turn.answers:
            # First: the hub is to know before others what they may ask it about.
            self._bring(partial(self._take, structs.replace(turn, posts=tuple(for_trio))))
        for state, posted in beside:
            state.receive(posted)

    def _on_failure(self, state: State, failure: Exception) -> None:
        self._bring(partial(self._fail, state, failure))

    def _serve(self, state: State, kernel: Kernel, effect: Need | ModuleRequired) -> None:
        if isinstance(effect, Need) and effect.kind == "upgrade":
            self._bring(partial(self._upgrade, state, effect.name))
        else:
            self._code.serve(kernel, effect)

    def _bring(self, task: Callable[[], None]) -> None:
        self._brought.append(task)
        if not self._in_lock_step:
            self._call_trio()

    def _call_trio(self) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._driver.call_states, idempotent=True)

    # Questions and code

    def tell(self, method: str, *args: object) -> None:
        """Have every state call a method of its kernel."""
        for state in self._states.values():
            state.tell(method, *args)

    async def ask(self, method: Callable[..., T], *args: object) -> list[T]:
        """What a method of every kernel answers, of those states that do not get lost meanwhile."""
        question: Question[T] = Question(self._states.values())
        self._questions.add(question)
        try:
            for state in self._states.values():
                state.ask(partial(question.answer, state), method, *args)
            return await question.answers()
        finally:
            self._questions.remove(question)

    def _upgrade(self, state: State, entry: str) -> None:
        state.tell("answer_upgrade", entry, self._code.find_newest(entry))

    # Lost states

    async def watch_threads(self) -> NoReturn:
        """Replace threads that do not come back. Runs until cancelled."""
        while True:
            limits = [group.host.max_block for group in self._groups.values() if group.workers]
            await trio.sleep(min(limits, default=math.inf) / 4)
            for group in self._groups.values():
                for worker in group.workers:
                    state = worker.leave_behind(group.host.max_block)
                    if state is not None:
                        # What its earlier turns brought is to be known before it is lost.
                        self._take_what_workers_brought()
                        self._lose(state, self._stuck(state))

    def _leave_behind(self, state: State, worker: Worker | None) -> None:
        if worker is not None:
            worker.replace_thread()
        self._lose(state, self._stuck(state))

    @staticmethod
    def _stuck(state: State) -> str:
        limit = f"{state.host.max_block:g}"
        return f"lost: its thread did not come back within max_block, {limit} seconds"

    def _fail(self, state: State, failure: Exception) -> None:
        if isinstance(failure, StateLostError):
            self._lose(state, f"lost: {failure}")
        else:
            self._lose(state, f"broken: {type(failure).__name__}: {failure}")

    def _lose(self, state: State, how: str) -> None:
        """Tell everybody that a state is no more, and open another one in its place."""
        if self._states.pop(state.number, None) is None:
            return
        worker = self._worker_of.pop(state)
        state.abandon()
        for question in self._questions:
            question.answer(state, None)
        message = f"Lua state {state.number} of host {state.host.name} is {how}"
        logger.error("%s", message)
        self._hub.set_time(self._clock())
        self._hub.lose_state(state.number, message)
        for other in self._states.values():
            other.tell("lose_state", state.number, message)
        if state.host.isolation == "shared":
            self._open_state(self._groups[state.host.name], worker)
        self._driver.kick()

    # What can be seen

    def watch(self, *, on: bool) -> None:
        """Have every state report, or not, what lifecycle events are about."""
        self._watched = on
        for state in self._states.values():
            state.tell("watch", on=on)

    def statistics(self) -> list[tuple[StateStatistics, Statistics]]:
        """What each state holds; of a thread that is busy for long, what was last known."""
        return [
            (
                StateStatistics(
                    state.number,
                    state.host.name,
                    self._thread(state),
                    statistics.processes,
                    statistics.lua_bytes,
                    statistics.max_memory,
                ),
                statistics,
            )
            for state, statistics, _ in self._look()
        ]

    def add_processes(self, of_hub: list[ProcessInfo]) -> list[ProcessInfo]:
        """Those of all states, oldest first."""
        names = self._hub.names_elsewhere()
        found = list(of_hub)
        for _, _, processes in self._look():
            found += [
                structs.replace(info, names=names[info.pid]) if info.pid in names else info
                for info in processes
            ]
        return sorted(found, key=lambda info: -info.uptime)

    def collect_garbage(self) -> None:
        """Run a full garbage collection of every state."""
        self._look(after=Kernel.collect_garbage)

    def _look(self, after: Callable[[Kernel], object] | None = None) -> list[_Sight]:
        waits = []
        if self.has_threads:
            waits = [
                (worker, worker.begin(partial(self._look_at, self._of_worker(worker), after)))
                for group in self._groups.values()
                for worker in group.workers
            ]
        beside = {worker for worker, _ in waits}
        found = self._look_at(
            [state for state, worker in self._worker_of.items() if worker not in beside], after
        )
        deadline = time.monotonic() + _PATIENCE
        for worker, wait in waits:
            with suppress(TimeoutError):
                self._known[worker] = wait(deadline - time.monotonic())
            found += [row for row in self._known.get(worker, []) if row[0] in self._worker_of]
        return sorted(found, key=lambda row: row[0].number)

    def _thread(self, state: State) -> str | None:
        worker = self._worker_of.get(state)
        return None if worker is None else worker.name

    def _of_worker(self, worker: Worker) -> list[State]:
        return [state for state, runs in self._worker_of.items() if runs is worker]

    def _look_at(
        self, states: list[State], after: Callable[[Kernel], object] | None
    ) -> list[_Sight]:
        found = []
        for state in states:
            if not state.closed:
                kernel = state.open()
                if after is not None:
                    after(kernel)
                kernel.set_time(self._clock())
                found.append((state, kernel.statistics(), kernel.processes()))
        return found

    def close(self) -> None:
        """End all threads. One that does not come back is left behind."""
        workers = [worker for group in self._groups.values() for worker in group.workers]
        self._groups = {}
        for question in self._questions:
            question.close()
        for worker in workers:
            worker.stop()
        deadline = time.monotonic() + _FAREWELL
        for worker in workers:
            if not worker.join(deadline - time.monotonic()):
                logger.warning("thread %s does not come back and is left behind", worker.name)
