"""Has the faults of a plan happen: those of Lua processes in the kernel, the others out here."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio
from trio.testing import MockClock

from lua_api import SimulatedKernel
from specs import ChildSpec, DynamicSupervisorSpec, SuperviseError, SupervisorSpec, TaskStart
from supervise import _events as ev
from supervise._task_child import current_process
from supervise.testing import _faults as f
from supervise.testing._driven import driven

if TYPE_CHECKING:
    from specs import AnySupervisorSpec
    from supervise._node import Node
    from supervise.testing._recorder import Recorder

APP: Final = "app"
"""What faults call the program given to `simulate`."""

# Point, act and what else the kernel needs to know; see lua_api/simulation/faults.lua.
_POINTS: Final[Mapping[type[Any], Callable[[Any], dict[str, Any]]]] = {
    f.KillAtStep: lambda x: {"at": "step", "act": "kill", "n": x.step},
    f.KillAtSend: lambda x: {"at": "call", "act": "kill", "n": x.send, "call": "process.send"},
    f.KillDuringStart: lambda _: {"at": "call", "act": "kill", "call": "start"},
    f.KillDuringStop: lambda _: {"at": "stop", "act": "kill"},
    f.FailStart: lambda x: {"at": "call", "act": "fail", "call": "start", "message": x.message},
    f.RaiseInCall: lambda x: {
        "at": "call", "act": "raise", "n": x.nth, "call": x.call, "message": x.message
    },
    f.OutOfMemory: lambda x: {"at": "step", "act": "memory", "n": x.step},
    f.DelayDelivery: lambda x: {
        "at": "delivery", "act": "delay", "n": x.delivery, "delay": x.seconds
    },
    f.DropDelivery: lambda x: {"at": "delivery", "act": "drop", "n": x.delivery},
}  # fmt: skip


class PlanError(SuperviseError, ValueError):
    """A fault plan names something that is not there."""


def nearest(word: str, known: Iterable[str]) -> str:
    """What to try instead of an unknown word."""
    listed = list(dict.fromkeys(known))
    close = difflib.get_close_matches(word, listed, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}there is {', '.join(map(repr, listed)) or 'nothing'}"


class Injector:
    """The faults of one simulation.

    Args:
        faults: What is to go wrong.
        recorder: Who is told of it.
    """

    def __init__(self, faults: f.FaultPlan, recorder: Recorder) -> None:
        self._faults = faults
        self._recorder = recorder
        self._node: Node

    # In the kernel

    def plan(self, kernel: SimulatedKernel) -> None:
        """Let the faults of Lua processes wait in the kernel.

        Raises:
            PlanError: One raises in a call that is none.
        """
        for number, fault in enumerate(self._faults):
            if isinstance(fault, f.RaiseInCall) and fault.call not in kernel.calls():
                raise PlanError(f"{fault!r}: unknown call; {nearest(fault.call, kernel.calls())}")
            point = _POINTS.get(type(fault))
            if point is not None:
                key = f"{fault.process}#{getattr(fault, 'incarnation', 1)}"  # type: ignore[union-attr]
                kernel.plan(number, key, **point(fault))

    # At a certain time

    def timed(self, node: Node, hosts: Iterable[str]) -> Sequence[Callable[[], Any]]:
        """A task for each fault that waits for a time.

        Raises:
            PlanError: One names a host that the node does not have.
        """
        self._node = node
        tasks = []
        for fault in self._faults:
            if isinstance(fault, f.LoseState) and fault.host not in hosts:
                raise PlanError(f"{fault!r}: unknown host; {nearest(fault.host, hosts)}")
            act = self._timed.get(type(fault))
            if act is not None:
                tasks.append(functools.partial(self._at, fault, act))
        return tasks

    async def _at(self, fault: Any, act: Callable[[Injector, Any], None]) -> None:  # noqa: ANN401
        await trio.sleep_until(fault.at)
        act(self, fault)

    def _kill_at(self, fault: f.KillAt) -> None:
        pid = self._recorder.pids.get(fault.process) or self._node.whereis(fault.process)
        if pid is None:
            entries = [info.pid for info in self._node.processes() if info.entry == fault.process]
            pid = entries[0] if entries else None
        if pid is not None:
            self._kill(fault, pid)

    def _kill(self, fault: f.Fault, pid: str) -> None:
        if pid not in self._recorder.alive:
            return
        self._recorder.injected(trio.current_time(), fault, pid, "killed")
        self._node.terminate(pid)

    def _lose(self, fault: f.LoseState) -> None:
        kernel = self._node.driver.kernel()
        assert isinstance(kernel, SimulatedKernel)  # noqa: S101 - the simulation made it
        now = trio.current_time()
        self._recorder.injected(now, fault, None, f"the state of {fault.host} is lost")
        kernel.lose_host(fault.host)
        self._node.driver.kick()

    def _jump(self, fault: f.JumpClock) -> None:
        clock, now = trio.lowlevel.current_clock(), trio.current_time()
        if not isinstance(clock, MockClock):
            raise PlanError(f"{fault!r}: only a trio.testing.MockClock can jump, this is {clock!r}")
        self._recorder.injected(now, fault, None, f"the clock jumps to {now + fault.seconds:g}")
        clock.jump(fault.seconds)

    _timed: Final[Mapping[type[Any], Callable[[Injector, Any], None]]] = {
        f.KillAt: _kill_at,
        f.LoseState: _lose,
        f.JumpClock: _jump,
    }

    # In Python children

    def on_event(self, event: ev.Event) -> None:
        """A supervisor has taken a step: perhaps this is when one of its children is killed."""
        if not isinstance(event, ev.ChildStopping):
            return
        path = f"{event.supervisor}/{event.child}"
        for fault in self._of(path, f.KillDuringStop):
            pid = self._recorder.pids.get(path)
            info = [each for each in self._node.processes() if each.pid == pid]
            # The kernel itself kills those that it runs.
            if pid is not None and info and info[0].state == "python":
                self._node.driver.later(functools.partial(self._kill, fault, pid))

    def wrapped(self, spec: AnySupervisorSpec, path: str = "") -> AnySupervisorSpec:
        """The tree, with the Python children wrapped that a fault is meant for."""
        path = path or spec.id
        if isinstance(spec, DynamicSupervisorSpec) or not self._faults:
            return spec
        children = [self._wrapped_child(child, f"{path}/{child.id}") for child in spec.children]
        if all(new is old for new, old in zip(children, spec.children, strict=True)):
            return spec
        return attrs.evolve(spec, children=children)

    def _wrapped_child(self, child: ChildSpec, path: str) -> ChildSpec:
        start = child.start
        if isinstance(start, SupervisorSpec | DynamicSupervisorSpec):
            below = self.wrapped(start, path)
            return child if below is start else attrs.evolve(child, start=below)
        names = {path, child.name}
        faults = [fault for fault in self._faults if _target(fault) in names]
        if not isinstance(start, TaskStart) or not faults:
            return child
        return attrs.evolve(child, start=attrs.evolve(start, fn=self._task(start.fn, path, faults)))

    def _task(self, fn: Callable[..., Any], path: str, faults: list[Any]) -> Callable[..., Any]:
        @functools.wraps(fn)
        def wrapper(*args: Any, **options: Any) -> Any:  # noqa: ANN401
            life = self._recorder.lives[path]
            mine = [fault for fault in faults if getattr(fault, "incarnation", life) == life]
            for fault in mine:
                if isinstance(fault, f.FailStart):
                    now = trio.current_time()
                    self._recorder.injected(now, fault, None, "its start failed")
                    raise InjectedError(fault.message)
            return self.driven(fn(*args, **options), mine)

        return wrapper

    async def driven(self, running: Any, faults: list[Any]) -> Any:  # noqa: ANN401
        """Run a Python caller, with its faults at its awaits."""
        scope = trio.CancelScope()

        def at_await(number: int) -> float:
            stall = 0.0
            for fault in faults:
                stall += self._strike(fault, number, scope)
            return stall

        with scope:
            return await driven(running, at_await)

    def _strike(self, fault: Any, number: int, scope: trio.CancelScope) -> float:  # noqa: ANN401
        now, injected = trio.current_time(), self._recorder.injected
        if _kills_at(fault, number):
            self._kill(fault, current_process().pid)
        elif isinstance(fault, f.StallChild) and fault.awaits == number:
            injected(now, fault, current_process().pid, f"it hangs for {fault.seconds:g} s")
            return float(fault.seconds)
        elif isinstance(fault, f.CancelCaller) and fault.awaits == number:
            injected(now, fault, None, "the caller is cancelled")
            scope.cancel()
        return 0.0

    def app_faults(self) -> list[f.Fault]:
        """The faults of the program itself."""
        return [fault for fault in self._faults if _target(fault) == APP]

    # Afterwards

    def check_names(self, known: Iterable[str]) -> None:
        """Refuse a plan that names what there never was.

        Args:
            known: What else there could have been.

        Raises:
            PlanError: With what there was, the nearest first.
        """
        there = [*known, *self._recorder.seen]
        for fault in self._faults:
            target = _target(fault)
            if target is not None and target not in there:
                raise PlanError(f"{fault!r}: no such process; {nearest(target, there)}")

    def _of(self, path: str, kind: type[Any]) -> list[Any]:
        life = self._recorder.lives[path]
        return [
            fault
            for fault in self._faults
            if isinstance(fault, kind) and fault.process == path and fault.incarnation == life
        ]


def _kills_at(fault: Any, number: int) -> bool:  # noqa: ANN401 - a fault
    if isinstance(fault, f.KillDuringStart):
        return number == 1
    return isinstance(fault, f.KillAtStep) and fault.step == number


class InjectedError(SuperviseError):
    """What a Python child raises whose start is to fail."""


def _target(fault: Any) -> str | None:  # noqa: ANN401 - a fault
    target: str | None = getattr(fault, "process", getattr(fault, "caller", None))
    return target


def names_of(spec: AnySupervisorSpec, path: str = "") -> list[str]:
    """Every path, name and entry of a tree."""
    path = path or spec.id
    found = [path] if spec.name is None else [path, spec.name]
    for child in getattr(spec, "children", ()):
        below = f"{path}/{child.id}"
        if child.is_supervisor:
            found += names_of(child.start, below)
            continue
        found.append(below)
        found += [child.name] if child.name is not None else []
        found += [] if isinstance(child.start, TaskStart) else [child.start.entry]
    return found
