"""Hypothesis strategies: seeds, fault plans and trees for `simulate`, programs and payloads.

Everything shrinks to little: short plans whose faults come early, small trees with plain ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypothesis import strategies as st

from specs import (
    BRUTAL_KILL,
    AnySupervisorSpec,
    Backoff,
    ChildSpec,
    DynamicSupervisorSpec,
    Entry,
    LuaStart,
    Restart,
    Strategy,
    SupervisorSpec,
    TaskStart,
    lua,
)
from supervise.testing import _faults as f
from supervise.testing.payloads import payloads
from supervise.testing.program_strategies import lua_programs

__all__ = ["PROGRAMS", "fault_plans", "lua_programs", "payloads", "seeds", "supervisor_specs"]

_TIMES: Final = (0.0, 0.5, 1.0, 2.5, 5.0)
_SPANS: Final = (0.5, 2.0, 30.0)
_SHUTDOWNS: Final[tuple[Any, ...]] = (5.0, 0, 0.2, BRUTAL_KILL)


def seeds() -> st.SearchStrategy[int]:
    """Seeds for `simulate`: each is another schedule."""
    return st.integers(0, 2**32 - 1)


# Fault plans


def fault_plans(
    spec: AnySupervisorSpec, *, max_faults: int = 3, kinds: Sequence[type[Any]] = ()
) -> st.SearchStrategy[f.FaultPlan]:
    """Fault plans for a tree: what may happen to its children, in every life of them.

    Args:
        spec: The tree.
        max_faults: How many faults a plan has at most.
        kinds: Only faults of these types; all that fit the tree if none is given.
    """
    found = [
        strategy
        for kind, strategy in [*_faults_of(spec, spec.id), *_faults_of_time()]
        if not kinds or kind in kinds
    ]
    if not found:
        raise ValueError(f"no child of {spec.id} can have a fault of {kinds}")
    return st.lists(st.one_of(found), max_size=max_faults).map(f.FaultPlan)


_Drawn = tuple[type[Any], st.SearchStrategy[f.Fault]]


def _faults_of_time() -> list[_Drawn]:
    return [(f.JumpClock, st.builds(f.JumpClock, st.sampled_from(_TIMES), st.sampled_from(_SPANS)))]


def _faults_of(spec: AnySupervisorSpec, path: str) -> list[_Drawn]:
    found: list[_Drawn] = [(f.KillAt, _at_some_time(path))]
    for child in getattr(spec, "children", ()):
        below = f"{path}/{child.id}"
        if isinstance(child.start, LuaStart):
            found += _faults_of_lua(below)
        elif isinstance(child.start, TaskStart):
            found += _faults_of_task(below)
        else:
            found += _faults_of(child.start, below)
    return found


def _at_some_time(path: str) -> st.SearchStrategy[f.Fault]:
    return st.builds(f.KillAt, st.just(path), st.sampled_from(_TIMES))


def _lives() -> st.SearchStrategy[int]:
    return st.integers(1, 3)


def _faults_of_lua(path: str) -> list[_Drawn]:
    process, number = st.just(path), st.integers(1, 6)
    calls = st.sampled_from(
        ("process.send", "channel.receive", "time.sleep", "process.spawn", "process.events")
    )
    return [
        (f.KillAtStep, st.builds(f.KillAtStep, process, number, incarnation=_lives())),
        (f.KillAtSend, st.builds(f.KillAtSend, process, number, incarnation=_lives())),
        (f.FailStart, st.builds(f.FailStart, process, incarnation=_lives())),
        (f.KillDuringStart, st.builds(f.KillDuringStart, process, incarnation=_lives())),
        (f.KillDuringStop, st.builds(f.KillDuringStop, process, incarnation=_lives())),
        (f.RaiseInCall, st.builds(f.RaiseInCall, process, calls, number, incarnation=_lives())),
        (f.OutOfMemory, st.builds(f.OutOfMemory, process, number, incarnation=_lives())),
        (f.DropDelivery, st.builds(f.DropDelivery, process, number, incarnation=_lives())),
        (
            f.DelayDelivery,
            st.builds(
                f.DelayDelivery, process, number, st.sampled_from(_SPANS), incarnation=_lives()
            ),
        ),
        (f.KillAt, _at_some_time(path)),
    ]


def _faults_of_task(path: str) -> list[_Drawn]:
    process, number = st.just(path), st.integers(1, 6)
    return [
        (f.KillAtStep, st.builds(f.KillAtStep, process, number, incarnation=_lives())),
        (f.FailStart, st.builds(f.FailStart, process, incarnation=_lives())),
        (f.KillDuringStop, st.builds(f.KillDuringStop, process, incarnation=_lives())),
        (f.CancelCaller, st.builds(f.CancelCaller, process, number, incarnation=_lives())),
        (
            f.StallChild,
            st.builds(f.StallChild, process, number, st.sampled_from(_SPANS), incarnation=_lives()),
        ),
        (f.KillAt, _at_some_time(path)),
    ]


# Trees


def _program(body: str) -> Entry:
    return Entry(text=f"return {{ main = function(...) {body}\nend }}")


PROGRAMS: Final[Mapping[str, Entry]] = {
    # Waits for messages, and hears nothing else.
    "testing:wait": _program("local inbox = process.inbox() while true do inbox:receive() end"),
    # Ends when it is asked to.
    "testing:obey": _program("process.events():receive()"),
    # Takes its time to end.
    "testing:slow": _program("process.events():receive() time.sleep('500ms')"),
    # Does not end when it is asked to.
    "testing:deaf": _program("process.events() channel.new():receive()"),
    # Ends by itself.
    "testing:once": _program("time.sleep('1s') return 'done'"),
    # Fails by itself.
    "testing:fail": _program("time.sleep('1s') error('it always fails', 0)"),
    # Has one helper after the other, and hears of the end of each.
    "testing:watch": _program("""
        local events = process.events()
        repeat
          process.spawn_monitored('testing:once', 'app:processes')
        until events:receive().kind == process.event.CANCEL"""),
    # Talks to a linked helper.
    "testing:talk": _program("""
        local helper = process.spawn_linked('testing:wait', 'app:processes')
        for i = 1, 20 do process.send(helper, 'n', i) time.sleep('300ms') end"""),
    # Works, with a linked helper.
    "testing:helped": _program(
        "process.spawn_linked('testing:obey', 'app:processes') time.sleep('1h')"
    ),
}
"""The programs of the trees that `supervisor_specs` draws: give them to `simulate` as `entries`."""


def supervisor_specs(
    *,
    starts: Sequence[LuaStart | TaskStart] = (),
    max_children: int = 3,
    depth: int = 2,
    dynamic: bool = True,
) -> st.SearchStrategy[AnySupervisorSpec]:
    """Trees of every sort, nested and dynamic supervisors among them.

    Args:
        starts: What children may be; those of `PROGRAMS` if none is given.
        max_children: How many children a supervisor has at most.
        depth: How many supervisors stand above each other at most.
        dynamic: Whether there are dynamic supervisors below the root.
    """
    known = starts or [lua(entry) for entry in PROGRAMS]
    return _supervisors("root", "root", known, max_children, depth, dynamic)


@st.composite
def _supervisors(  # noqa: PLR0917 - what all trees below share
    draw: st.DrawFn,
    id_: str,
    path: str,
    starts: Sequence[LuaStart | TaskStart],
    most: int,
    depth: int,
    dynamic: bool,  # noqa: FBT001
) -> SupervisorSpec:
    children = []
    for number in range(draw(st.integers(0, most))):
        child = "abcdefghijklmnopqrstuvwxyz"[number % 26] + str(number // 26 or "")
        kinds = [
            "process",
            *(["supervisor"] if depth > 1 else []),
            *(["dynamic"] if dynamic else []),
        ]
        kind = draw(st.sampled_from(kinds))
        if kind == "supervisor":
            below = draw(_supervisors(child, f"{path}/{child}", starts, most, depth - 1, dynamic))
            children.append(ChildSpec(child, below, restart=draw(st.sampled_from(Restart))))
        elif kind == "dynamic":
            children.append(ChildSpec(child, DynamicSupervisorSpec(child)))
        else:
            children.append(draw(_children(child, f"{path}/{child}", starts)))
    return SupervisorSpec(
        id_,
        strategy=draw(st.sampled_from(Strategy)),
        max_restarts=draw(st.sampled_from((3, 0, 1, 20))),
        children=children,
    )


@st.composite
def _children(
    draw: st.DrawFn, id_: str, path: str, starts: Sequence[LuaStart | TaskStart]
) -> ChildSpec:
    return ChildSpec(
        id_,
        draw(st.sampled_from(list(starts))),
        # A path is unique in the node, as a name must be.
        name=draw(st.sampled_from((None, path))),
        restart=draw(st.sampled_from(Restart)),
        shutdown=draw(st.sampled_from(_SHUTDOWNS)),
        backoff=draw(st.sampled_from((None, Backoff(initial=0.5, maximum=2.0)))),
    )
