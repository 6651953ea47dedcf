"""A kernel in virtual time for tests of what Lua processes see. Knows no trio and no files."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Self

from lua_api import (
    Answer,
    Effect,
    Fault,
    Kernel,
    LinePrinted,
    ModuleRequired,
    Need,
    Outdated,
    ProcessExited,
    ProcessInfo,
    Reply,
    StateDone,
    StateNeeded,
    Statistics,
    Step,
    encode_list,
)
from tests import placement

if TYPE_CHECKING:
    from types import TracebackType

    from lua_api import Term

HOST = "app:processes"
EPOCH = 1_700_000_000
_ENOUGH_STEPS = 2_000
# A message between states takes a round of steps.
_ENOUGH_ROUNDS = 400_000
# States of the host, where it has its own.
_STATES = {"elsewhere": 1, "spread": 3, "private": 0}
# How much time a step takes that leaves something to do, in seconds.
_SLICE = 0.001


def _path(name: str) -> str:
    return name.replace(":", "/") + ".lua"


class World:
    """Kernels, as the placement has it, that run until nothing is left to do, jumping over the time in between.

    Used as a context manager it ends what still runs and checks that nothing is left over.

    Attributes:
        prints: What processes printed, in order.
        exits: The end of each Lua process, in order.
        required: Which entry was seen to require which module, in order.
        seconds: How far virtual time has come.
    """

    def __init__(
        self,
        *,
        max_processes: int = 10_000,
        max_mailbox: int = 1_000_000,
        max_timers: int = 1_000_000,
        max_memory: float = math.inf,
    ) -> None:
        self.prints: list[str] = []
        self.exits: list[ProcessExited] = []
        self.required: list[ModuleRequired] = []
        self.seconds = 0.0
        self._loaded: dict[tuple[str, str], bytes] = {}
        self._files: dict[str, str] = {}
        self._replies: dict[int, Answer] = {}
        self._tickets = itertools.count(1)
        self._limits = {
            "max_processes": max_processes,
            "max_mailbox": max_mailbox,
            "max_timers": max_timers,
        }
        self._max_memory = max_memory
        self._where, self._lua = placement.now.where, placement.now.lua
        cap = max_memory if self._where == "one" else math.inf
        self.kernel = Kernel(epoch=EPOCH, max_memory=cap, lua=self._lua)
        self.kernel.watch(on=True)
        self.kernels = {0: self.kernel}
        self._numbers = itertools.count(1)
        if self._where == "one":
            self.kernel.add_host(HOST, **self._limits)
        else:
            private = self._where == "private"
            self.kernel.add_remote_host(HOST, max_processes=max_processes, private=private)
            for _ in range(_STATES[self._where]):
                self._open_state()

    def _open_state(self) -> None:
        number = next(self._numbers)
        kernel = self.kernels[number] = Kernel(
            self.seconds, EPOCH, self._max_memory, number, self._lua
        )
        kernel.watch(on=True)
        kernel.add_host(HOST, **self._limits, shared=self._where != "elsewhere")
        for (kind, name), source in self._loaded.items():
            kernel.provide_source(kind, name, _path(name), source)
        self.kernel.open_state(HOST, number)

    def add_file(self, name: str, text: str) -> None:
        """Have the entry `app:<name>` be the file `app/<name>.lua` with this text."""
        self._files[f"app:{name}"] = text

    def add_main(self, name: str, body: str) -> None:
        """Have `main(...)` of the entry `app:<name>` do this; its lines are those of `body`."""
        text = f"return {{ main = function(...) {body}\nend }}"
        assert self.load(name, text) is None

    def load(self, name: str, text: str) -> str | None:
        """Load a text as the newest version of the entry `app:<name>`; returns the syntax error."""
        return self._load(("entry", f"app:{name}"), text)

    def load_module(self, name: str, text: str) -> str | None:
        """As `load`, for a module."""
        return self._load(("module", name), text)

    def _load(self, key: tuple[str, str], text: str) -> str | None:
        source = text.encode("utf-8", "surrogateescape")
        faults = [
            kernel.provide_source(*key, _path(key[1]), source) for kernel in self.kernels.values()
        ]
        if faults[0] is None:
            self._loaded[key] = source
        return faults[0]

    def ask_to_upgrade(self, entry: str | None = None) -> list[Outdated]:
        """Ask the processes of an entry, or all, whose code is outdated to upgrade."""
        return [row for kernel in self.kernels.values() for row in kernel.ask_to_upgrade(entry)]

    def run(self, main: str, *args: Term, **others: str) -> Term | Fault:
        """Run `main` as a process until nothing is left to do.

        Args:
            main: What `main(...)` of the entry `app:main` does.
            args: Its arguments.
            others: What `main(...)` of further entries `app:<name>` does.

        Returns:
            What it returned, or its error.
        """
        for name, body in {"main": main, **others}.items():
            self.add_main(name, body)
        ticket = next(self._tickets)
        answer = self.kernel.request(
            None, ticket, "spawn", encode_list(args), "app:main", HOST, False, False, True
        ) or self._reply(ticket)
        if isinstance(answer.second, Fault):
            return answer.second
        assert isinstance(answer.value, dict)
        return answer.value.get("error", answer.value.get("result"))

    def settle(self) -> None:
        """Run until nothing is left to do, however long that takes in virtual time."""
        for turn in range(_ENOUGH_STEPS if self._where == "one" else _ENOUGH_ROUNDS):
            steps = [self._step(number) for number in list(self.kernels) if number in self.kernels]
            wake_at = min(
                (step.wake_at for step in steps if step.wake_at is not None), default=None
            )
            # A message between states takes no time, but an endless exchange of them does.
            if any(step.busy for step in steps) or turn % 100 == 99:
                self.seconds += _SLICE
            elif not any(step.effects or step.posts for step in steps):
                if wake_at is None:
                    return
                self.seconds = wake_at
        raise AssertionError("the processes do not come to rest")

    def _step(self, number: int) -> Step:
        step = self.kernels[number].step(self.seconds, budget=1000)
        for to, posted in step.posts:
            if to in self.kernels:
                self.kernels[to].receive(posted)
            else:
                self.kernel.refuse(posted)
        for effect in step.effects:
            self._on_effect(effect, self.kernels.get(number, self.kernel))
        return step

    def statistics(self) -> Statistics:
        """What the kernel holds."""
        return self.kernel.statistics()

    def processes(self) -> list[ProcessInfo]:
        """Every live process, wherever it is."""
        return [process for kernel in self.kernels.values() for process in kernel.processes()]

    def _reply(self, ticket: int) -> Answer:
        self.settle()
        assert ticket in self._replies, f"main waits for ever: {self.kernel.processes()}"
        return self._replies.pop(ticket)

    def _on_effect(self, effect: Effect, kernel: Kernel) -> None:
        match effect:
            case Reply():
                self._replies[effect.ticket] = effect.answer
            case Need():
                self._provide(effect, kernel)
            case StateNeeded():
                self._open_state()
            case StateDone():
                left = self.kernels.pop(effect.number).statistics()
                assert (left.processes, left.timers) == (0, 0)
            case ModuleRequired():
                self.required.append(effect)
            case LinePrinted():
                self.prints.append(effect.text)
            case ProcessExited():
                self.exits.append(effect)

    def _provide(self, need: Need, kernel: Kernel) -> None:
        text = self._files.get(need.name)
        if need.kind == "zone":
            kernel.provide_zone(need.name)
        elif need.kind == "upgrade":
            self._provide_newer(need.name, text, kernel)
        elif text is None:
            message = f'{need.kind} not found: "{need.name}"'
            kernel.refuse_source(need.kind, need.name, "NotFound", message)
        else:
            kernel.provide_source(need.kind, need.name, _path(need.name), text.encode())

    def _provide_newer(self, entry: str, text: str | None, kernel: Kernel) -> None:
        fault = text and self._load(("entry", entry), text)
        kernel.answer_upgrade(entry, Fault(fault, "Invalid") if fault else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:
            self._end()

    def _end(self) -> None:
        """End what still runs; nothing may be left over."""
        running = self.processes()
        ender = self.kernel.open_port()
        for process in running:
            self.kernel.request(ender, next(self._tickets), "terminate", None, process.pid)
        self.kernel.close_port(ender)
        self.settle()
        for kernel in self.kernels.values():
            left = kernel.statistics()
            assert (left.processes, left.names, left.timers) == (0, 0, 0)


def run(main: str, *args: Term, **others: str) -> Term | Fault:
    """Run `main` in a world of its own (see `World.run`)."""
    with World() as world:
        return world.run(main, *args, **others)
