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
    Need,
    ProcessExited,
    Reply,
    Statistics,
    encode_list,
)

if TYPE_CHECKING:
    from types import TracebackType

    from lua_api import Term

HOST = "app:processes"
EPOCH = 1_700_000_000
_ENOUGH_STEPS = 2_000
# How much time a step takes that leaves something to do, in seconds.
_SLICE = 0.001


class World:
    """One kernel that runs until nothing is left to do, jumping over the time in between.

    Used as a context manager it ends what still runs and checks that nothing is left over.

    Attributes:
        prints: What processes printed, in order.
        exits: The end of each Lua process, in order.
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
        self.kernel = Kernel(epoch=EPOCH, max_memory=max_memory)
        self.kernel.add_host(
            HOST, max_processes=max_processes, max_mailbox=max_mailbox, max_timers=max_timers
        )
        self.kernel.watch(on=True)
        self.prints: list[str] = []
        self.exits: list[ProcessExited] = []
        self.seconds = 0.0
        self._files: dict[str, str] = {}
        self._replies: dict[int, Answer] = {}
        self._tickets = itertools.count(1)

    def add_file(self, name: str, text: str) -> None:
        """Have the entry `app:<name>` be the file `app/<name>.lua` with this text."""
        self._files[f"app:{name}"] = text

    def add_main(self, name: str, body: str) -> None:
        """Have `main(...)` of the entry `app:<name>` do this; its lines are those of `body`."""
        text = f"return {{ main = function(...) {body}\nend }}"
        fault = self.kernel.provide_source(
            "entry", f"app:{name}", f"app/{name}.lua", text.encode("utf-8", "surrogateescape")
        )
        assert fault is None, fault

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
        for _ in range(_ENOUGH_STEPS):
            step = self.kernel.step(self.seconds, budget=1000)
            for effect in step.effects:
                self._on_effect(effect)
            if step.busy:
                self.seconds += _SLICE
            elif not step.effects:
                if step.wake_at is None:
                    return
                self.seconds = step.wake_at
        raise AssertionError("the processes do not come to rest")

    def statistics(self) -> Statistics:
        """What the kernel holds."""
        return self.kernel.statistics()

    def _reply(self, ticket: int) -> Answer:
        self.settle()
        assert ticket in self._replies, f"main waits for ever: {self.kernel.processes()}"
        return self._replies.pop(ticket)

    def _on_effect(self, effect: Effect) -> None:
        match effect:
            case Reply():
                self._replies[effect.ticket] = effect.answer
            case Need():
                self._provide(effect)
            case LinePrinted():
                self.prints.append(effect.text)
            case ProcessExited():
                self.exits.append(effect)

    def _provide(self, need: Need) -> None:
        text = self._files.get(need.name)
        if need.kind == "zone":
            self.kernel.provide_zone(need.name)
        elif need.kind == "upgrade":
            self._provide_newer(need.name, text)
        elif text is None:
            message = f'{need.kind} not found: "{need.name}"'
            self.kernel.refuse_source(need.kind, need.name, "NotFound", message)
        else:
            path = need.name.replace(":", "/") + ".lua"
            self.kernel.provide_source(need.kind, need.name, path, text.encode())

    def _provide_newer(self, entry: str, text: str | None) -> None:
        path = entry.replace(":", "/") + ".lua"
        fault = text and self.kernel.provide_source("entry", entry, path, text.encode())
        if fault:
            self.kernel.refuse_source("upgrade", entry, "Invalid", fault)
        else:
            self.kernel.confirm_source(entry)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:
            self._end()

    def _end(self) -> None:
        """End what still runs; nothing may be left over."""
        ender = self.kernel.open_port()
        for process in self.kernel.processes():
            self.kernel.request(ender, next(self._tickets), "terminate", None, process.pid)
        self.settle()
        left = self.statistics()
        assert (left.processes, left.names, left.timers) == (0, 0, 0)


def run(main: str, *args: Term, **others: str) -> Term | Fault:
    """Run `main` in a world of its own (see `World.run`)."""
    with World() as world:
        return world.run(main, *args, **others)
