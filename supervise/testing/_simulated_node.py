"""A node that is recorded, and disturbed as a plan says."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio
from attrs import evolve

from lua_api import RestlessProcessesError, SimulatedKernel
from specs import (
    AnySupervisorSpec,
    DynamicSupervisorSpec,
    Entry,
    HostSpec,
    SuperviseError,
    SupervisorSpec,
    check_spec,
)
from supervise._events import Event
from supervise._node import Node
from supervise._open import DEFAULT_HOSTS
from supervise._sources import Sources
from supervise._supervisor import Supervisor
from supervise._tree import Trees
from supervise.testing import _records as rec
from supervise.testing._faults import Fault, FaultPlan
from supervise.testing._injector import Injector
from supervise.testing._plain import text_of
from supervise.testing._recorder import Recorder
from supervise.testing._trace import Trace
from supervise.testing.seeding import current_seed

EPOCH: Final = 1_700_000_000.0
"""The unix time at which every simulation begins."""

MOST_TURNS: Final = 1_000_000
"""Turns of Lua processes after which a simulation is given up, as it never rests."""

_MOST_SPECS: Final = 64
_known_specs: dict[int, AnySupervisorSpec] = {}


def _check_once(spec: AnySupervisorSpec) -> None:
    """Check a spec unless this very one was: most programs simulate one tree again and again."""
    if _known_specs.get(id(spec)) is not spec:
        check_spec(spec)
        if len(_known_specs) >= _MOST_SPECS:
            _known_specs.clear()
        _known_specs[id(spec)] = spec


def chosen_seed(seed: int | None) -> int:
    """The seed that was given, otherwise that of the test run, otherwise 0."""
    return (current_seed() or 0) if seed is None else seed


class RestlessError(SuperviseError):
    """Processes never wait, so virtual time stands still."""


class SimulatedNode(Node):
    """A node whose supervisors are recorded, and disturbed as the plan says."""

    def __init__(
        self,
        kernel: SimulatedKernel,
        sources: Sources,
        hosts: Sequence[HostSpec],
        *,
        recorder: Recorder,
        injector: Injector,
        seed: int,
    ) -> None:
        # One kernel runs them all: a seed decides the order of everything only within one.
        here = [evolve(host, workers=0, isolation="shared", lua="5.4") for host in hosts]
        super().__init__(kernel, sources, here, lambda _pid, _text: None, 0.0)
        self._recorder = recorder
        self._injector = injector
        self._seed = seed

    def has_subscribers(self) -> bool:
        """See `Node.has_subscribers`: the trace follows every step."""
        return True

    def publish(self, event: Event) -> None:
        """See `Node.publish`."""
        self._recorder.on_event(event)
        self._subscribers.publish(event)
        self._injector.on_event(event)

    async def start(self, spec: AnySupervisorSpec) -> Supervisor:
        """See `Node.start`."""
        _check_once(spec)
        self._declare(spec, spec.id)
        return await self._seeded_trees().start_checked(self._injector.wrapped(spec))

    def _declare(self, spec: AnySupervisorSpec, path: str) -> None:
        strategy = spec.strategy.value if isinstance(spec, SupervisorSpec) else "dynamic"
        now, limit = trio.current_time(), spec.max_restarts
        self._recorder.records.append(rec.Declared(now, path, strategy, limit, spec.max_seconds))
        for child in spec.children if isinstance(spec, SupervisorSpec) else ():
            if isinstance(child.start, SupervisorSpec | DynamicSupervisorSpec):
                self._declare(child.start, f"{path}/{child.id}")

    def _seeded_trees(self) -> Trees:
        """The trees; the seed decides about backoffs, and about alarms of the same time."""
        is_new = self.life.trees is None
        trees = self.life.need_trees()
        if is_new:
            chance = trees.rng
            chance.seed(self._seed)
            trees.alarms._serials = (  # type: ignore[assignment]
                chance.getrandbits(32) for _ in itertools.count()
            )
            # The trace says it all: nothing is logged.
            trees.publish = self.publish  # type: ignore[method-assign]
        return trees

    def is_resting(self) -> bool:
        """Whether no timer is set anywhere."""
        trees = self.life.trees
        alarms = 0 if trees is None else len(trees.alarms)
        return not alarms and not self._kernel.statistics().timers


class Simulation:
    """One simulation: what `simulate` runs, for use inside a trio run of your own.

    The order of trio's tasks is then up to whoever runs trio; all else is as for `simulate`. Under
    a clock that is not a `trio.testing.MockClock` the clock cannot jump.

    Args:
        seed: Any whole number; that of the test run by default, 0 if it has none.
        faults: What goes wrong.
        source: As for `open_node`.
        hosts: As for `open_node`.
        entries: As for `open_node`.
        max_turns: Turns of Lua processes after which it is given up.

    Raises:
        SourceError: A source root is not a folder.
        PlanError: A fault names a call that is not there.

    Example:
        simulation = Simulation(seed=1, source="app")
        async with simulation.open_node() as node:
            ...
        check(simulation.trace())
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        faults: FaultPlan | Iterable[Fault] = (),
        source: str | Path | Iterable[str | Path] = (),
        hosts: Sequence[HostSpec] = DEFAULT_HOSTS,
        entries: Mapping[str, Entry | str | Path] | None = None,
        max_turns: int = MOST_TURNS,
    ) -> None:
        self.seed = chosen_seed(seed)
        self.faults = faults if isinstance(faults, FaultPlan) else FaultPlan(faults)
        self._hosts = hosts
        self._recorder = Recorder(tuple(map(repr, self.faults)))
        self.injector = Injector(self.faults, self._recorder)
        self._kernel = SimulatedKernel(
            EPOCH, self._recorder.on_facts, self._recorder.child_of, max_turns
        )
        self.injector.plan(self._kernel)
        self._kernel.begin(self.seed)
        roots = [source] if isinstance(source, str | Path) else source
        self._sources = Sources(roots, entries or {})

    @asynccontextmanager
    async def open_node(self) -> AsyncGenerator[SimulatedNode, None]:
        """Run the node of the simulation for as long as the block lasts; it can be opened once.

        Raises:
            PlanError: A fault names a host that is not there.
            RestlessError: Processes never wait, so that virtual time stands still.
        """
        node = SimulatedNode(
            self._kernel,
            self._sources,
            self._hosts,
            recorder=self._recorder,
            injector=self.injector,
            seed=self.seed,
        )
        timed = self.injector.timed(node, [host.name for host in self._hosts])
        error: BaseException | None = None
        try:
            async with node.running():
                if timed:
                    async with trio.open_nursery() as nursery:
                        for task in timed:
                            nursery.start_soon(task)
                        yield node
                        nursery.cancel_scope.cancel()
                else:
                    yield node
        except RestlessProcessesError as exc:
            raise RestlessError(self._restless()) from exc
        except BaseException as exc:
            error = exc
            raise
        finally:
            self._finish(error)

    def settle(self, node: SimulatedNode) -> None:
        """Note what is there now: nothing goes on until the trees are stopped."""
        alive = tuple(self._recorder.alive)
        self._recorder.records.append(rec.Settled(trio.current_time(), node.is_resting(), alive))

    def trace(self) -> Trace:
        """What has happened so far."""
        return Trace(self.seed, repr(self.faults), self._recorder.records)

    def _finish(self, error: BaseException | None) -> None:
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        left, why = self._kernel.statistics(), None if error is None else text_of(error)
        self._recorder.records.append(
            rec.Finished(trio.current_time(), why, left.processes, left.names, left.timers)
        )
        self._kernel.close()

    def _restless(self) -> str:
        alive = ", ".join(f"{info.pid} ({info.entry})" for info in self._kernel.processes())
        return (
            f"processes never wait, so time stands still at {trio.current_time():g} s; alive: "
            f"{alive}. Let them sleep or receive, or give a larger max_turns"
        )
