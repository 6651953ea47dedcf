"""Hypothesis strategies for programs. They shrink to few processes with few steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from supervise.testing import programs as do
from supervise.testing.programs import RESERVED_TOPICS, Program, faults

if TYPE_CHECKING:
    from supervise.testing.programs import Step

NAMES = ("red", "green")
TOPICS = ("a", "b")
REASONS = ("", "enough")
CHANNELS = (
    ("inbox",),
    ("events",),
    ("a",),
    ("events",),
    ("inbox", "events"),
    ("events", "inbox"),
    ("events", "a"),
    ("inbox", "b", "a"),
    ("b", "a", "inbox", "events"),
)


def plain_payloads() -> st.SearchStrategy[Any]:
    """What can be sent and has a Lua literal."""
    scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "text", 0.5])
    return scalars | st.lists(st.integers(0, 2), max_size=2) | st.just({"k": [1]})


def lua_programs(
    *, depth: int = 2, max_steps: int = 12, payloads: st.SearchStrategy[Any] | None = None
) -> st.SearchStrategy[Program]:
    """Programs that spawn programs, which talk to, watch, name and end each other.

    Args:
        depth: How many generations a process has below it at most.
        max_steps: How many steps each takes at most, besides its opening and its end.
        payloads: What they send and return; values that have a Lua literal.
    """
    return _programs(depth, max_steps, plain_payloads() if payloads is None else payloads)


def _programs(
    depth: int, max_steps: int, payloads: st.SearchStrategy[Any]
) -> st.SearchStrategy[Program]:
    """First what makes others matter to the process, then what it does, then how it ends."""
    openings, steps, endings = _openings(), _steps(payloads), _endings(payloads)
    if depth > 0:
        programs = _programs(depth - 1, max_steps, payloads)
        flags = st.booleans()
        spawns = st.builds(do.Spawn, programs, flags, flags, st.sampled_from([False, False, True]))
        steps = _often((9, steps), (1, spawns))
        linked = st.builds(do.Spawn, programs, st.sampled_from([False, True, True]), flags)
        openings = _often((1, openings), (1, linked))
    return st.builds(
        lambda *parts: _mended([step for part in parts for step in part]),
        st.lists(openings, max_size=4),
        st.lists(steps, max_size=max_steps),
        st.lists(endings, max_size=1),
    )


def _mended(steps: list[Step]) -> Program:
    """The program without the steps that speak of what is not there."""
    wrong = {number for number, _, _ in faults(tuple(steps))}
    return Program(step for number, step in enumerate(steps, 1) if number not in wrong)


def _openings() -> st.SearchStrategy[Step]:
    return _often(
        (1, st.builds(do.Register, st.sampled_from(NAMES))),
        (2, st.builds(do.Listen, st.sampled_from(TOPICS), st.booleans())),
        (3, st.builds(do.TrapLinks, st.sampled_from([True, True, True, False]))),
        (2, st.builds(do.Watch, st.sampled_from(["link", "monitor"]), st.just(do.Parent()))),
    )


def _steps(payloads: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    names, topics = st.sampled_from(NAMES), st.sampled_from(TOPICS)
    reserved = st.sampled_from(RESERVED_TOPICS)
    pids = st.sampled_from([do.Parent(), do.Child(1), do.Child(2), do.Me()])
    dests = pids | pids | st.builds(do.Name, names)
    watching = st.sampled_from(["link", "link", "monitor", "unlink", "unmonitor", "terminate"])
    channels = st.sampled_from(CHANNELS)
    receives = st.builds(do.Receive, channels, st.sampled_from([False, False, True]))
    sends = st.builds(do.Send, dests, topics, payloads)
    return _often(
        (10, receives),
        (10, sends),
        (6, st.builds(do.Watch, watching, dests)),
        (6, st.builds(do.Sleep, st.integers(0, 3))),
        (3, st.builds(do.Cancel, dests, st.sampled_from(REASONS))),
        (3, _openings()),
        (2, st.builds(do.Register, names, pids)),
        (1, st.builds(do.Unlisten, topics)),
        (1, st.builds(do.Unregister, names)),
        (1, st.builds(do.Lookup, names)),
        (2, st.builds(do.Send, dests, reserved, payloads) | st.builds(do.Listen, reserved)),
    )


def _often(*weighted: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """One of them, as often as its weight says; shrinks to the first."""
    choices = [strategy for weight, strategy in weighted for _ in range(weight)]
    return st.integers(0, len(choices) - 1).flatmap(choices.__getitem__)


def _endings(payloads: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return _often(
        (1, st.builds(do.Return, payloads)),
        (2, st.builds(do.Fail, st.just("why"), st.sampled_from(["", "Conflict"]), st.booleans())),
    )
