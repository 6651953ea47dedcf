"""The events of a node that runs for long, as traces: one from each time of rest to the next.

Each trace begins with what lives then, as if it had just started, so that invariants hold in it as they
do in the trace of a whole life; and what is kept does not grow with the time that a node runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import trio
from msgspec.structs import replace

from lua_api import LinePrinted, NameRegistered, NameReleased, ProcessExited, ProcessSpawned
from specs import DynamicSupervisorSpec, SupervisorSpec
from supervise import (
    ChildAdded,
    ChildStarted,
    ChildStarting,
    ChildState,
    ChildStopped,
    Event,
    SupervisorExited,
    SupervisorStarted,
)
from supervise._events import apply
from supervise.testing import (
    Declared,
    Exited,
    Finished,
    Printed,
    Registered,
    Released,
    Settled,
    Spawned,
    Trace,
)
from supervise.testing._plain import plain_reason, text_of


@dataclass
class _Life:
    """A supervisor that runs: its table, and how its events are numbered in this window."""

    table: dict = field(default_factory=dict)
    last: int = 0
    before: int = 0
    offset: int = 0


def declared(spec, path):
    """What the specs of a tree say."""
    strategy = "dynamic" if isinstance(spec, DynamicSupervisorSpec) else spec.strategy.value
    yield Declared(0.0, path, strategy, spec.max_restarts, spec.max_seconds)
    for child in spec.children if isinstance(spec, SupervisorSpec) else ():
        if isinstance(child.start, SupervisorSpec | DynamicSupervisorSpec):
            yield from declared(child.start, f"{path}/{child.id}")


class Windows:
    """Takes in events, and gives a trace for each window of time.

    Attributes:
        alive: The Lua processes that are alive, by their pids.
        names: The names that are held.
        count: How many events there were.
    """

    def __init__(self, seed, spec):
        self._seed = seed
        self._declared = list(declared(spec, spec.id))
        self._records = list(self._declared)
        self._lives = {}
        self.alive = {}
        self.names = {}
        self.count = 0

    def add(self, event):
        """Take in the next event."""
        self.count += 1
        now = trio.current_time()
        match event:
            case Event():
                self._records.append(self._numbered(event))
            case ProcessSpawned(pid, entry, host, parent):
                self.alive[pid] = Spawned(now, pid, entry, host, parent)
                self._records.append(self.alive[pid])
            case ProcessExited(pid, entry, _, error):
                self.alive.pop(pid, None)
                why, kind = (None, "") if error is None else (str(error), error.kind)
                self._records.append(Exited(now, pid, entry, why, kind, uptime=event.uptime))
            case NameRegistered(name, pid):
                self.names[name] = Registered(now, name, pid)
                self._records.append(self.names[name])
            case NameReleased(name, pid):
                self.names.pop(name, None)
                self._records.append(Released(now, name, pid))
            case LinePrinted(pid, text):
                self._records.append(Printed(now, pid, text))

    def _numbered(self, event):
        """The event as if its supervisor had begun with this window, its reason as text."""
        if event.number == 1:
            self._lives[event.supervisor] = _Life()
        life = self._lives[event.supervisor]
        apply(life.table, event)
        life.last = event.number
        if isinstance(event, SupervisorExited):
            del self._lives[event.supervisor]
        changes = {"number": event.number - life.offset}
        if isinstance(event.cause, int):
            changes["cause"] = event.cause - life.offset if event.cause > life.before else 0
        if hasattr(event, "reason"):
            # An exception would keep all that its frames know.
            changes["reason"] = plain_reason(event.reason)
        return replace(event, **changes)

    def cut(self):
        """Everything is at rest: the trace of this window, and the beginning of the next."""
        pids = tuple(self.alive)
        self._records.append(Settled(trio.current_time(), resting=True, processes=pids))
        trace = Trace(self._seed, "()", self._records)
        self._records = [*self._declared, *self.alive.values(), *self.names.values()]
        for path, life in self._lives.items():
            begun = list(_begun(path, life.table))
            life.before, life.offset = life.last, life.last - len(begun)
            self._records += begun
        return trace

    def finish(self, error, left):
        """The node has closed: the trace of the last window."""
        why = None if error is None else text_of(error)
        now = trio.current_time()
        self._records.append(Finished(now, why, left.processes, left.names, left.timers))
        return Trace(self._seed, "()", self._records)


def _begun(path, table):
    """The events of a supervisor that has just started with this table."""
    number = 0
    for row in table.values():
        steps = [(ChildAdded, 0, row.restart, row.is_supervisor)]
        if row.state is ChildState.RUNNING:
            steps += [(ChildStarting, row.incarnation), (ChildStarted, row.incarnation, row.pid)]
        else:
            steps.append((ChildStopped, row.incarnation))
        for kind, *fields in steps:
            number += 1
            yield kind(number, 0.0, path, "start", row.child, *fields)
    yield SupervisorStarted(number + 1, 0.0, path, "start")
