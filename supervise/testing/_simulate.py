"""Runs a tree or a program on a virtual clock, everything left open decided by one seed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from specs import AnySupervisorSpec, DynamicSupervisorSpec, Entry, HostSpec, SupervisorSpec
from supervise._errors import RestartIntensityError, StartError, SupervisorFailedError
from supervise._node import Node
from supervise._open import DEFAULT_HOSTS
from supervise.testing._determinism import deterministic
from supervise.testing._faults import Fault, FaultPlan
from supervise.testing._injector import APP, names_of
from supervise.testing._simulated_node import MOST_TURNS, SimulatedNode, Simulation
from supervise.testing._trace import Trace

App: TypeAlias = Callable[[Node], Awaitable[object]]
"""A program to simulate."""

_GAVE_UP = (RestartIntensityError, SupervisorFailedError, StartError)


def simulate(
    what: AnySupervisorSpec | App,
    *,
    seed: int | None = None,
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
        seed: Any whole number; that of the test run by default (`--supervise-seed`), 0 if it has
            none.
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
        SeedingError: This version of trio cannot be seeded.
        RestlessError: Processes never wait, so that virtual time stands still.

    Example:
        trace = simulate(TREE, seed=7, faults=[KillAtStep("root/echo", 3)], source="app")
        check(trace)
    """
    simulation = Simulation(
        seed=seed, faults=faults, source=source, hosts=hosts, entries=entries, max_turns=max_turns
    )
    with deterministic(simulation.seed):
        clock = MockClock(autojump_threshold=0)
        trio.run(partial(_run, simulation, what, duration), clock=clock)
    is_tree = isinstance(what, SupervisorSpec | DynamicSupervisorSpec)
    simulation.injector.check_names(names_of(what) if is_tree else [APP])  # type: ignore[arg-type]
    return simulation.trace()


async def _run(simulation: Simulation, what: AnySupervisorSpec | App, duration: float) -> None:
    try:
        async with simulation.open_node() as node:
            await _body(simulation, node, what, duration)
            await wait_all_tasks_blocked()
            simulation.settle(node)
    except _GAVE_UP:
        pass
    except ExceptionGroup as group:
        _, rest = group.split(_GAVE_UP)
        if rest is not None:
            raise _only(rest) from None


async def _body(
    simulation: Simulation, node: SimulatedNode, what: AnySupervisorSpec | App, duration: float
) -> None:
    if isinstance(what, SupervisorSpec | DynamicSupervisorSpec):
        await node.start(what)
        await trio.sleep_until(duration)
        return
    faults = simulation.injector.app_faults()
    running = what(node)
    await (simulation.injector.driven(running, faults) if faults else running)


def _only(group: ExceptionGroup[Any]) -> Exception:
    """The one error of a group; the faults that come at some time run in a nursery."""
    error: Exception = group
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
