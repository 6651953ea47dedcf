"""Generated programs: kernel and model agree on what each process sees; numbers name invariants."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, find, given, settings
from hypothesis import strategies as st

from supervise import Entry, open_node
from supervise.testing import programs as do
from supervise.testing.literals import lua_literal
from supervise.testing.model.running import predict
from supervise.testing.observing import observe
from supervise.testing.payloads import exact, normal
from supervise.testing.program_strategies import lua_programs
from supervise.testing.programs import HOST, OBSERVER, Program
from tests.lua_world import run

ROOMY = 1_000_000
TELL = Program([do.Send(do.Parent(), "a", 1)])


@given(lua_programs(), st.sampled_from([ROOMY, 3]), st.sampled_from([ROOMY, 2]))
@settings(max_examples=max(120, settings.default.max_examples))
# An answer that came after a wait brought along what the wait had answered.
@example(Program([do.Spawn(TELL), do.Receive(), do.Spawn(Program())]), ROOMY, ROOMY)
@example(
    Program([do.Spawn(Program([do.Spawn(Program()), do.Sleep(1)])), do.Spawn(TELL, wait=True)]),
    3,
    ROOMY,
)
def test_every_process_sees_what_the_model_says(program, max_processes, max_mailbox):
    """Results, messages, events, ends and names, in order (42-58)."""
    limits = {"max_processes": max_processes, "max_mailbox": max_mailbox, "seconds": 2.5}
    assert observe(program, **limits) == predict(program, **limits)


@given(lua_programs(depth=1, max_steps=4))
@settings(max_examples=10)
def test_a_program_prints_as_the_code_that_makes_it(program):
    assert eval(repr(program), vars(do)) == program  # noqa: S307 - our own text


def size(program):
    return len(program.steps) + sum(map(size, program.children))


def test_programs_shrink_to_what_matters():
    def a_child_fails(program):
        log = predict(program).log
        return any(row[0] == "exited" and row[1] != "{main}" and row[3] for row in log)

    found = find(lua_programs(depth=1, max_steps=2), a_child_fails, random=Random(1))
    assert size(found) == 2, found


def test_a_program_prints_as_the_lua_that_runs():
    child = Program([do.TrapLinks(), do.Receive(("inbox", "events")), do.Fail("why", "Conflict")])
    program = Program(
        [
            do.Listen("a", raw=True),
            do.Spawn(child, link=True, monitor=True),
            do.Send(do.Child(1), "b", {"k": [1, 0.5, None, "ä"]}),
            do.Receive(("a",), wait=False),
            do.Sleep(5),
            do.Return(1),
        ]
    )
    assert str(program) == (
        "-- program:main\n"
        "return function(parent)\n"
        '  open(1, "a", process.listen("a"))\n'
        '  child[1] = see(2, process.spawn_linked_monitored("program:main.1", "app:processes", '
        'process.pid())) or "nobody"\n'
        '  see(3, process.send(child[1], "b", { ["k"] = { 1, 0.5, nil, "\\195\\164" } }))\n'
        '  take(4, false, topic["a"])\n'
        '  see(5, time.sleep("5ms"))\n'
        "  return 1\n"
        "end\n\n"
        "-- program:main.1\n"
        "return function(parent)\n"
        "  see(1, process.set_options({ trap_links = true }))\n"
        "  take(2, true, process.inbox(), process.events())\n"
        '  error(errors.new({ message = "why", kind = "Conflict" }), 0)\n'
        "end\n"
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        -(2**63),
        2**63 - 1,
        0.1,
        -0.0,
        float("inf"),
        'q"\\\n\0é',
        b"\xff",
        [],
        [1, [2]],
        {"a": {True: 1.5, 3: "x"}},
    ],
)
def test_a_literal_is_the_value(value):
    assert exact(run(f"return {{ v = {lua_literal(value)} }}")) == exact(normal({"v": value}))


def test_what_has_no_literal_is_refused():
    with pytest.raises(ValueError, match="no Lua literal for <object"):
        lua_literal(object())


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([do.Watch("link", do.Child(1))], "step 1, .*child 1 is not there: 0 spawned so far"),
        ([do.Listen(""), do.Receive(("inbox", "a"))], "step 2, .*no step before it listens to a"),
        ([do.Unlisten("a")], "no step before it listens to a"),
    ],
)
def test_a_program_that_speaks_of_what_is_not_there_is_refused(steps, message):
    with pytest.raises(ValueError, match=message):
        Program(steps)


async def test_a_program_runs_on_a_node():
    program = Program(
        [
            do.Spawn(Program([do.Register("red"), do.Receive()])),
            do.Sleep(1),
            do.Send(do.Name("red"), "a", 5),
        ]
    )
    entries = {name: Entry(text=text) for name, text in program.entries().items()}
    async with open_node(entries=entries) as node, node.open_process() as me:
        me.register(OBSERVER)
        await node.spawn("program:main", HOST, "nobody")
        seen = [(await me.receive()).payload for _ in range(5)]
    assert sorted(row["step"] for row in seen) == [1, 1, 2, 2, 3]
