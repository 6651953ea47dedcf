"""Runs a tree or a program on a virtual clock, everything left open decided by one seed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from lua_api import RestlessProcessesError, SimulatedKernel
from specs import (
    AnySupervisorSpec,
    DynamicSupervisorSpec,
    Entry,
    HostSpec,
    SuperviseError,
    SupervisorSpec,
)
from supervise._errors import RestartIntensityError, StartError, SupervisorFailedError
from supervise._events import Event
from supervise._node import Node
from supervise._open import DEFAULT_HOSTS
from supervise._sources import Sources
from supervise._supervisor import Supervisor
from supervise.testing import _records as rec
from supervise.testing._determinism import deterministic
from supervise.testing._faults import Fault, FaultPlan
from supervise.testing._injector import Injector, names_of
from supervise.testing._plain import text_of
from supervise.testing._recorder import Recorder
from supervise.testing._trace import Trace

EPOCH: Final = 1_700_000_000.0
"""The unix time at which every simulation begins."""

MOST_TURNS: Final = 1_000_000
"""Turns of Lua processes after which a simulation is given up, as it never rests."""

App: TypeAlias = Callable[[Node], Awaitable[object]]
"""A program to simulate."""

_GAVE_UP = (RestartIntensityError, SupervisorFailedError, StartError)


class RestlessError(SuperviseError):
    """Processes never wait, so virtual time stands still."""


class SimulatedNode(Node):
    """A node whose supervisors are recorded, and disturbed as the plan says."""

    def __init__(
        self,
        kernel: SimulatedKernel,
        sources: Sources,
        hosts: Sequence[HostSpec],
        recorder: Recorder,
        injector: Injector,
    ) -> None:
        super().__init__(kernel, sources, hosts, lambda _pid, _text: None)
        self._recorder = recorder
        self._injector = injector

    def publish(self, event: Event) -> None:
        """See `Node.publish`; nothing is logged."""
        self._recorder.on_event(event)
        self._subscribers.publish(event)
        self._injector.on_event(event)

    async def start(self, spec: AnySupervisorSpec) -> Supervisor:
        """See `Node.start`."""
        self._declare(spec, spec.id)
        return await super().start(self._injector.wrapped(spec))

    def _declare(self, spec: AnySupervisorSpec, path: str) -> None:
        strategy = spec.strategy.value if isinstance(spec, SupervisorSpec) else "dynamic"
        self._recorder.records.append(
            rec.Declared(trio.current_time(), path, strategy, spec.max_restarts, spec.max_seconds)
        )
        for child in spec.children if isinstance(spec, SupervisorSpec) else ():
            if isinstance(child.start, SupervisorSpec | DynamicSupervisorSpec):
                self._declare(child.start, f"{path}/{child.id}")

    def seed(self, seed: int) -> None:
        """Let the seed decide about backoffs, and about alarms that are set for the same time."""
        chance = random.Random(seed)  # noqa: S311 - not a secret
        self._trees.rng = chance
        self._trees.alarms._serials = (  # type: ignore[assignment] # noqa: SLF001 - the tie-break
            chance.getrandbits(32) for _ in itertools.count()
        )

    def is_resting(self) -> bool:
        """Whether no timer is set anywhere."""
        return not len(self._trees.alarms) and not self._kernel.statistics().timers


class _Simulation:
    def __init__(
        self,
        what: AnySupervisorSpec | App,
        seed: int,
        faults: FaultPlan,
        duration: float,
        *,
        sources: Sources,
        hosts: Sequence[HostSpec],
        max_turns: int,
    ) -> None:
        self._what = what
        self._seed = seed
        self._faults = faults
        self._duration = duration
        self._hosts = hosts
        self.clock = MockClock(autojump_threshold=0)
        self.recorder = Recorder(tuple(map(repr, faults)))
        self.injector = Injector(faults, self.recorder, self.clock)
        self.kernel = SimulatedKernel(
            EPOCH, self.recorder.on_facts, self.recorder.child_of, max_turns
        )
        self.injector.plan(self.kernel)
        self.kernel.begin(seed)
        self._sources = sources

    async def run(self) -> None:
        node = SimulatedNode(self.kernel, self._sources, self._hosts, self.recorder, self.injector)
        node.seed(self._seed)
        timed = self.injector.timed(node, [host.name for host in self._hosts])
        error: str | None = None
        try:
            async with node.running():
                if timed:
                    async with trio.open_nursery() as nursery:
                        for task in timed:
                            nursery.start_soon(task)
                        await self._body(node)
                        nursery.cancel_scope.cancel()
                else:
                    await self._body(node)
        except RestlessProcessesError as exc:
            raise RestlessError(self._restless()) from exc
        except _GAVE_UP as exc:
            error = text_of(exc)
        except ExceptionGroup as group:
            gave_up, rest = group.split(_GAVE_UP)
            if gave_up is None or rest is not None:
                raise
            error = text_of(_first(gave_up))
        left = self.kernel.statistics()
        self.recorder.records.append(
            rec.Finished(trio.current_time(), error, left.processes, left.names, left.timers)
        )

    def _restless(self) -> str:
        ready = [f"{info.pid} ({info.entry})" for info in self.kernel.processes()]
        return (
            f"processes never wait, so time stands still at {trio.current_time():g} s; alive: "
            f"{', '.join(ready)}. Let them sleep or receive, or give a larger max_turns"
        )

    async def _body(self, node: SimulatedNode) -> None:
        if isinstance(self._what, SupervisorSpec | DynamicSupervisorSpec):
            await node.start(self._what)
            await trio.sleep_until(self._duration)
        else:
            faults = self.injector.app_faults()
            running = self._what(node)
            await (self.injector.driven(running, faults) if faults else running)
        await wait_all_tasks_blocked()
        alive = tuple(info.pid for info in node.processes())
        self.recorder.records.append(rec.Settled(trio.current_time(), node.is_resting(), alive))

    def known(self) -> list[str]:
        """What faults may name, whether it came to be or not."""
        if isinstance(self._what, SupervisorSpec | DynamicSupervisorSpec):
            return names_of(self._what)
        return ["app"]


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def simulate(
    what: AnySupervisorSpec | App,
    *,
    seed: int = 0,
    faults: FaultPlan | Iterable[Fault] = (),
    duration: float = 10.0,
    source: str | Path | Iterable[str | Path] = (),
    hosts: Sequence[HostSpec] = DEFAULT_HOSTS,
    entries: Mapping[str, Entry | str | Path] | None = None,
    max_turns: int = MOST_TURNS,
) -> Trace:
    """Run a tree, or a program, on a virtual clock, and tell what happened.

    The real kernel and the real supervisors run. The seed decides what they leave open: which
    process that can run is next, in which order trio's tasks run, which of several timers of one
    moment goes off first, what `math.random` and Python's `random` draw. The same arguments give
    the same trace, byte for byte, in any Python process, as long as Python children do not depend
    on what differs between processes: the wall clock, hashes of text (the order of a set),
    addresses, threads, files and the network. Lua processes cannot: `pairs` and `next` walk tables
    by sorted keys here, and `tostring` numbers tables instead of telling their addresses. Only
    `os.date` without `!` and `os.time` of a table depend on the machine's time zone.

    Args:
        what: A tree, which is started, runs for `duration` and is stopped; or a program,
            `async def app(node)`, which runs to its end.
        seed: Any whole number.
        faults: What goes wrong.
        duration: Seconds of virtual time that a tree runs for; 10.0 by default.
        source: As for `open_node`.
        hosts: As for `open_node`.
        entries: As for `open_node`.
        max_turns: Turns of Lua processes after which the simulation is given up; a million by
            default.

    Returns:
        What happened. A tree that gave up, or did not start, says so in the last record.

    Raises:
        SpecError: The tree is faulty.
        SourceError: A source root is not a folder.
        PlanError: A fault names a process, a call or a host that is not there.
        RestlessError: Processes never wait, so that virtual time stands still.

    Example:
        trace = simulate(TREE, seed=7, faults=[KillAtStep("root/echo", 3)], source="app")
        check(trace)
    """
    plan = faults if isinstance(faults, FaultPlan) else FaultPlan(faults)
    roots = [source] if isinstance(source, str | Path) else source
    simulation = _Simulation(
        what,
        seed,
        plan,
        duration,
        sources=Sources(roots, entries or {}),
        hosts=hosts,
        max_turns=max_turns,
    )
    with deterministic(seed):
        trio.run(simulation.run, clock=simulation.clock)
    simulation.injector.check_names(simulation.known())
    return Trace(seed, repr(plan), simulation.recorder.records)
