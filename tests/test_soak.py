"""`make soak` finds what it looks for, and holds what happened in windows."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from supervise import ChildSpec, SupervisorSpec, lua
from supervise.testing import INVARIANTS, InvariantError, check, seeded_scheduler
from tests.soak.actions import ACTIONS
from tests.soak.measures import BOUNDS, Measures, growth
from tests.soak.run import Soak, SoakError
from tests.soak.windows import Windows
from tests.trees import trees_node

# A thread that is stuck is so in real time.
QUICK = {name: each for name, each in ACTIONS.items() if name != "block_thread"}


def soaked(folder, actions, seconds=0.3):
    """A short soak in virtual time, and what it told."""
    told = []
    soak = Soak(7, folder, told.append, actions)
    with seeded_scheduler(7):
        trio.run(soak.run, seconds, clock=trio.testing.MockClock(autojump_threshold=0))
    return soak, told


def test_a_short_soak_does_everything_and_finds_nothing(tmp_path):
    soak, told = soaked(tmp_path, QUICK)
    assert set(soak.done | soak.refused) == set(QUICK)
    assert soak.done.total() > len(QUICK)
    assert soak.lost > 0
    assert len(told) == 1
    assert "actions" in told[0]


async def leave_process(soak, chance):
    soak.node.register("left", await soak.node.spawn("soak:plain", host="inline"))


async def wait_in_vain(soak, chance):
    await trio.sleep_forever()


async def be_wrong(soak, chance):
    raise AssertionError("it is not so")


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (leave_process, "processes: 22; at the beginning 21\nnames: 21; at the beginning 20"),
        (wait_in_vain, "wait_in_vain does not come to an end"),
        (be_wrong, "be_wrong: it is not so"),
    ],
)
def test_what_is_wrong_is_told_with_the_seed(tmp_path, action, message):
    once = {action.__name__: (0, action), "look": ACTIONS["look"]}
    with pytest.raises(BaseExceptionGroup) as caught:
        soaked(tmp_path, once, 0.1)
    found = [exc for exc in _leaves(caught.value) if isinstance(exc, SoakError)]
    assert message in str(found[0])
    assert "with SEED=7" in str(found[0])


def _leaves(exc):
    if isinstance(exc, BaseExceptionGroup):
        for each in exc.exceptions:
            yield from _leaves(each)
    else:
        yield exc


def test_what_is_counted_may_not_grow_and_what_is_measured_may_grow_a_little():
    before = Measures(5, 5, 0, 1, 1, 3, 1000, 10_000_000, 50_000_000)
    more = Measures(6, 5, 0, 1, 1, 2, 1000 + BOUNDS["objects"], 20_000_000, 50_000_001)
    assert growth(before, before) == []
    assert growth(before, more) == [
        "processes: 6; at the beginning 5",
        "tasks: 2; at the beginning 3",
        "lua_bytes: 20,000,000, more than 2,097,152 above; at the beginning 10,000,000",
    ]


# Windows

TREE = SupervisorSpec(
    "root", max_restarts=9, children=[ChildSpec(n, lua("t:fail_when_told"), name=n) for n in "ab"]
)


async def windows_of(node, events, rounds):
    """The traces of a tree in which a child fails in each window."""
    windows, traces = Windows(1, TREE), []
    for _ in range(rounds):
        node.send("b", "now")
        await trio.testing.wait_all_tasks_blocked()
        while True:
            try:
                windows.add(events.receive_nowait())
            except trio.WouldBlock:
                break
        traces.append(windows.cut())
    return traces


async def test_every_window_is_a_trace_of_its_own():
    async with trees_node() as node:
        with node.subscribe() as events:
            await node.start(TREE)
            traces = await windows_of(node, events, 4)
    for trace in traces:
        check(trace)
    # What is kept does not grow.
    assert len(traces[1]) == len(traces[3])


async def test_what_is_wrong_with_a_later_window_is_seen():
    async with trees_node() as node:
        with node.subscribe() as events:
            await node.start(TREE)
            *_, trace = await windows_of(node, events, 3)
    ends = [n for n, each in enumerate(trace) if type(each).__name__ == "ChildExited"]
    broken = type(trace)(1, "()", [each for n, each in enumerate(trace) if n not in ends])
    with pytest.raises(InvariantError, match="missing or told twice"):
        check(broken, INVARIANTS[70])
