"""Simulations: the same every time, and the faults do what they say."""

import os
import subprocess
import sys

import pytest
import trio
from hypothesis import find, given, settings
from hypothesis import strategies as st

from lua_api import _simulated
from supervise import (
    ChildExited,
    ChildSpec,
    ChildStarted,
    ChildStartFailed,
    Entry,
    ExitKind,
    SuperviseError,
    SupervisorSpec,
    SupervisorStopping,
    current_process,
    lua,
    task,
)
from supervise.testing import (
    CancelCaller,
    DelayDelivery,
    DropDelivery,
    Exited,
    FailStart,
    FaultPlan,
    Finished,
    Injected,
    InvariantError,
    JumpClock,
    KillAt,
    KillAtSend,
    KillAtStep,
    KillDuringStart,
    KillDuringStop,
    LoseState,
    OutOfMemory,
    PlanError,
    Printed,
    RaiseInCall,
    Received,
    RestlessError,
    Sent,
    Settled,
    Simulation,
    StallChild,
    Trace,
    check,
    seeded,
    simulate,
)
from supervise.testing.strategies import PROGRAMS, fault_plans, seeds, supervisor_specs


def program(body):
    return Entry(text=f"return {{ main = function(...) {body}\nend }}")


ENTRIES = {
    "t:wait": program("local inbox = process.inbox() while true do inbox:receive() end"),
    "t:obey": program("process.events():receive()"),
    "t:tick": program("while true do time.sleep('1s') process.send('wait', 'tick', {n = 1}) end"),
    "t:careful": program(
        "local ok, why = pcall(process.send, 'wait', 'x') print(ok, why) process.inbox():receive()"
    ),
    "t:racers": program(
        "for i = 1, 6 do process.spawn('t:racer', 'app:processes', i) end time.sleep('1h')"
    ),
    "t:racer": program("local me = ... time.sleep('1s') print(me) print(math.random(1000000))"),
    "t:orders": program(
        "local t = {} for i = 1, 40 do t['key' .. i] = i end "
        "for key in pairs(t) do print(key, tostring({})) end "
        "process.send(process.pid(), 'x', t) print(next(process.inbox():receive():payload()))"
    ),
    "t:busy": program("while true do process.pid() process.registry.lookup('x') end"),
    "t:print": program(
        "local inbox = process.inbox() while true do print(inbox:receive():payload()) end"
    ),
}


def child(id_, entry, **fields):
    return ChildSpec(id_, lua(entry), name=fields.pop("name", id_), **fields)


TREE = SupervisorSpec("root", children=[child("wait", "t:wait"), child("tick", "t:tick")])


def run(spec=TREE, *faults, seed=0, **options):
    trace = simulate(spec, faults=faults, seed=seed, entries=ENTRIES, **options)
    check(trace)
    return trace


def printed(trace):
    return [record.text for record in trace.of(Printed)]


def ends(trace, child_id):
    return [record for record in trace.of(ChildExited) if record.child == child_id]


def effects(trace):
    return [record.effect for record in trace.of(Injected)]


# The same every time


def test_the_seed_of_the_test_run_is_the_default():
    with seeded(9):
        assert simulate(TREE, entries=ENTRIES).seed == 9
        assert run(seed=3).seed == 3


def test_the_same_seed_gives_the_same_bytes():
    assert run(seed=3).to_bytes() == run(seed=3).to_bytes()


def test_a_trace_of_a_run_comes_back_from_its_bytes():
    trace = run(TREE, KillAtStep("root/tick", 2))

    assert Trace.from_bytes(trace.to_bytes()) == trace


SCRIPT = """
import sys, trio
from supervise import ChildSpec, SupervisorSpec, Strategy, task, lua
from supervise.testing import *
from supervise.testing.strategies import PROGRAMS
import tests.test_testing_simulation as t

async def sleeper(seconds):
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(trio.sleep, seconds)

spec = SupervisorSpec("root", max_restarts=50, strategy=Strategy.ONE_FOR_ALL, children=[
    ChildSpec("orders", lua("t:orders")), ChildSpec("racers", lua("t:racers")),
    ChildSpec("nap", task(sleeper, 1.0)), *t.TREE.children])
trace = simulate(spec, seed=11, entries=t.ENTRIES, faults=[KillAtStep("tick", 3), KillAt("root/nap", 2.5)])
sys.stdout.buffer.write(trace.to_bytes())
"""


def test_the_same_seed_gives_the_same_bytes_in_another_python_process():
    """Invariant 71."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert runs[0] == runs[1]
    assert len(Trace.from_bytes(runs[0])) > 200


def test_seeds_bring_about_every_order_of_processes_that_wake_together():
    spec = SupervisorSpec("root", children=[child("racers", "t:racers")])
    orders = set()
    for seed in range(20):
        orders.add(tuple(text for text in printed(run(spec, seed=seed)) if len(text) == 1))

    assert len(orders) > 10
    assert all(sorted(order) == list("123456") for order in orders)


def test_seeds_bring_about_other_random_numbers():
    spec = SupervisorSpec("root", children=[child("racers", "t:racers")])
    drawn = [
        frozenset(text for text in printed(run(spec, seed=seed)) if len(text) > 1)
        for seed in (1, 2)
    ]

    assert drawn[0] != drawn[1]


def test_seeds_bring_about_every_order_of_python_children():
    async def note(seen, name):
        await trio.sleep(1)
        seen.append(name)
        await trio.sleep_forever()

    def order(seed):
        seen = []
        names = "abc"
        run(
            SupervisorSpec("root", children=[ChildSpec(n, task(note, seen, n)) for n in names]),
            seed=seed,
        )
        return tuple(seen)

    assert len({order(seed) for seed in range(30)}) == 6


def test_one_simulation_leaves_nothing_behind_for_the_next():
    spec = SupervisorSpec(
        "root",
        children=[
            ChildSpec("a", lua("t:a"), name="a"),
        ],
    )
    entries = {"t:a": program("string.x = 1"), "t:b": program("print(leak, string.x)")}
    first = simulate(spec, entries=entries)
    again = simulate(spec, entries=entries)

    assert first == again


# Tells what is not as it was in a kernel, in all that can be reached but by what kernels share.
_DIFFERENCES = b"""
local function everything(value, seen, found, shared)
  if type(value) == "table" and not seen[value] then
    seen[value] = true
    local entry = { table = value, metatable = debug.getmetatable(value), held = {} }
    found[#found + 1] = entry
    for key, item in next, value do
      entry.held[key] = item
    end
    everything(entry.metatable, seen, found, shared)
    local is_weak = entry.metatable and entry.metatable.__mode
    for key, item in next, shared and is_weak and {} or entry.held do
      everything(key, seen, found, shared)
      everything(item, seen, found, shared)
    end
  elseif type(value) == "function" and not seen[value] then
    seen[value] = true
    for index = 1, 255 do
      local name, item = debug.getupvalue(value, index)
      if not name then
        break
      end
      found[#found + 1] = { fn = value, index = index, name = name, item = item }
      everything(item, seen, found, shared)
    end
  end
end

return function(kernel, fresh)
  local found, seen = {}, {}
  for index = 1, 255 do
    local name, item = debug.getupvalue(fresh, index)
    if name == "shared" or name == "load_once" then
      everything(item, seen, {}, true)
    end
  end
  everything(kernel, seen, found, false)
  return function()
    local differences = {}
    for _, entry in ipairs(found) do
      if entry.fn then
        local _, now = debug.getupvalue(entry.fn, entry.index)
        if not rawequal(now, entry.item) then
          local info = debug.getinfo(entry.fn, "S")
          table.insert(differences, info.short_src .. ":" .. info.linedefined .. " " .. entry.name)
        end
      else
        for key, item in next, entry.table do
          if not rawequal(entry.held[key], item) then
            table.insert(differences, "field " .. tostring(key))
          end
        end
        for key, item in next, entry.held do
          if not rawequal(entry.table[key], item) then
            table.insert(differences, "field " .. tostring(key) .. " is gone")
          end
        end
        if not rawequal(debug.getmetatable(entry.table), entry.metatable) then
          table.insert(differences, "a metatable")
        end
      end
    end
    return #found, table.concat(differences, ", ")
  end
end
"""


def test_a_kernel_that_served_a_simulation_is_as_new_for_the_next():
    kernels = _simulated._kernels()
    kernel, rewind = kernels.take()
    differences = kernels.runtime.execute(_DIFFERENCES)(kernel, kernels._fresh)
    everything, _ = differences()
    kernels.give_back(kernel, rewind)

    @settings(max_examples=max(25, settings.default.max_examples // 2))
    @given(data=st.data(), seed=seeds())
    def serves(data, seed):
        spec = data.draw(supervisor_specs())
        faults = data.draw(fault_plans(spec))
        simulate(spec, seed=seed, faults=faults, entries=PROGRAMS)
        assert differences() == (everything, b"")

    serves()
    run(SupervisorSpec("root", children=[child("orders", "t:orders"), child("r", "t:racers")]))
    with pytest.raises(RestlessError):
        run(SupervisorSpec("root", children=[child("busy", "t:busy")]), max_turns=100)
    with pytest.raises(ZeroDivisionError):
        simulate(_fails, entries=ENTRIES)
    assert differences() == (everything, b"")
    assert kernels.take()[0] is kernel


async def _fails(node):
    await node.start(TREE)
    raise ZeroDivisionError


def test_two_simulations_at_once_have_kernels_of_their_own():
    one, other = Simulation(seed=1), Simulation(seed=1)
    pids = [each._kernel.open_port() for each in (one, one, other)]
    assert pids[0] == pids[2] != pids[1]


def test_the_order_of_each_sender_holds_whatever_the_seed():
    entries = {
        "t:sender": program(
            "local to, me = ... for i = 1, 5 do process.send(to, 'n', {me, i}) "
            "if i % 2 == 0 then time.sleep('1s') end end"
        ),
        "t:reader": program("""
          local log = process.listen('n')
          for me = 1, 3 do process.spawn('t:sender', 'app:processes', process.pid(), me) end
          for i = 1, 15 do local v = log:receive() print(v[1] .. v[2]) end
          process.events():receive()"""),
    }
    spec = SupervisorSpec("root", children=[child("reader", "t:reader")])
    orders = set()
    for seed in range(10):
        trace = simulate(spec, seed=seed, entries=entries)
        check(trace)
        read = printed(trace)
        for me in "123":
            assert [text for text in read if text[0] == me] == [f"{me}{i}" for i in range(1, 6)]
        orders.add(tuple(read))

    assert len(orders) > 5


def test_a_coroutine_runs_to_its_first_wait_whatever_the_seed():
    entries = {
        "t:a": program("""
          process.spawn('t:noise', 'app:processes') process.spawn('t:noise', 'app:processes')
          local begun = false
          coroutine.spawn(function() begun = true time.sleep('1s') end)
          print(begun) process.events():receive()"""),
        "t:noise": program("while true do time.sleep('10ms') end"),
    }
    spec = SupervisorSpec("root", children=[child("a", "t:a")])

    assert all(printed(simulate(spec, seed=s, entries=entries)) == ["true"] for s in range(10))


# Faults


def test_a_process_is_killed_at_its_nth_step():
    trace = run(TREE, KillAtStep("root/tick", 4))

    assert str(ends(trace, "tick")[0].reason) == "killed: process terminated"
    (fault,) = trace.of(Injected)
    assert fault.at == 1.0  # loaded, slept, sent, and was about to sleep again
    assert fault.fault == "KillAtStep('root/tick', 4)"


def test_a_process_is_killed_at_its_nth_send():
    trace = run(TREE, KillAtSend("t:tick", 3))

    killed = trace.of(Injected)[0]
    assert killed.at == 3.0
    assert sum(record.at <= 3 for record in trace.of(Sent)) == 2


def test_a_process_is_named_by_its_name_and_its_life():
    trace = run(TREE, KillAtStep("tick", 4), KillAtStep("tick", 4, incarnation=2))

    assert [record.at for record in trace.of(Injected)] == [1.0, 2.0]


def test_a_child_is_killed_while_it_starts():
    trace = run(TREE, KillAtStep("root/tick", 2), KillDuringStart("root/tick", incarnation=2))

    (failed,) = trace.of(ChildStartFailed)
    assert failed.child == "tick"
    assert trace[-1].error is None


def test_a_start_fails_and_takes_the_tree_down():
    trace = run(TREE, FailStart("root/tick", "no disk"))

    assert trace[-1].error == "StartError: root/tick did not start (error: no disk)"
    assert not trace.of(Settled)


def test_a_child_is_killed_while_it_stops():
    spec = SupervisorSpec("root", children=[child("slow", "testing:slow")])
    trace = simulate(spec, faults=[KillDuringStop("slow")], entries=PROGRAMS)
    check(trace)

    assert [end.reason.kind for end in ends(trace, "slow")] == [ExitKind.KILLED]


def test_a_call_raises_in_the_process_that_makes_it():
    spec = SupervisorSpec("root", children=[child("careful", "t:careful")])

    assert printed(run(spec, RaiseInCall("careful", "process.send", message="no net"))) == [
        "false\tno net"
    ]


def test_a_process_runs_out_of_memory():
    (end, _) = ends(run(TREE, OutOfMemory("root/tick", 2)), "tick")

    assert str(end.reason) == "error: not enough memory"


def test_a_lost_state_ends_every_process_of_its_host():
    trace = run(TREE, LoseState("app:processes", 2.5))

    lost = [record for record in trace.of(Exited) if record.at == 2.5]
    assert {record.error for record in lost} == {"the Lua state of host app:processes was lost"}
    assert len(lost) == 2
    assert [len(ends(trace, name)) for name in ("wait", "tick")] == [2, 2]


def talk(*faults, **options):
    async def app(node):
        pid = await node.spawn("t:print")
        for number in range(3):
            node.send(pid, "n", number)
        await trio.sleep(5)

    trace = simulate(app, faults=faults, entries=ENTRIES, **options)
    check(trace)
    return trace


def test_a_delivery_from_python_is_lost():
    assert printed(talk(DropDelivery("t:print", 2))) == ["0", "2"]


def test_a_delivery_from_python_is_late_and_the_later_ones_wait_for_it():
    trace = talk(DelayDelivery("t:print", 2, 3))

    assert [(record.at, record.text) for record in trace.of(Printed)] == [
        (0.0, "0"),
        (3.0, "1"),
        (3.0, "2"),
    ]


def test_the_clock_jumps():
    trace = run(TREE, JumpClock(2.5, 3))

    ticks = [record.at for record in trace.of(Sent)]
    assert ticks == [1.0, 2.0, 5.5, 6.5, 7.5, 8.5, 9.5]


def test_a_tree_is_killed_at_some_time():
    trace = run(TREE, KillAt("root", 3))

    assert trace.of(SupervisorStopping)[0].at == 3.0
    assert "root" in trace[-1].error


async def worker():
    process = current_process()
    for number in range(20):
        process.send(process.pid, "n", number)
        await process.receive()
        await trio.sleep(1)


def python_tree():
    return SupervisorSpec("root", children=[ChildSpec("worker", task(worker))])


@pytest.mark.parametrize(
    ("fault", "effect", "kinds"),
    [
        (KillAtStep("root/worker", 4), "killed", [ExitKind.KILLED, ExitKind.SHUTDOWN]),
        (
            CancelCaller("root/worker", 3),
            "the caller is cancelled",
            [ExitKind.NORMAL, ExitKind.SHUTDOWN],
        ),
        (StallChild("root/worker", 3, 2.0), "it hangs for 2 s", [ExitKind.SHUTDOWN]),
        (KillAt("root/worker", 2.5), "killed", [ExitKind.KILLED, ExitKind.SHUTDOWN]),
    ],
)
def test_a_python_child_has_faults(fault, effect, kinds):
    trace = run(python_tree(), fault)

    assert effects(trace) == [effect]
    assert [end.reason.kind for end in ends(trace, "worker")] == kinds


async def stubborn():
    try:
        await worker()
    except SuperviseError:
        return


@pytest.mark.parametrize("work", [worker, stubborn])
def test_a_python_child_that_fails_before_it_hears_of_its_kill_was_killed(work):
    """Invariant 33. With this seed it sends when it is dead already, and not yet cancelled."""
    tree = SupervisorSpec("root", children=[ChildSpec("worker", task(work))])

    trace = run(tree, KillAt("root/worker", 3), seed=652402855)

    assert [end.reason.kind for end in ends(trace, "worker")] == [
        ExitKind.KILLED,
        ExitKind.SHUTDOWN,
    ]


def test_a_python_child_fails_to_start():
    trace = run(python_tree(), FailStart("root/worker", "no key"))

    assert "InjectedError: no key" in trace[-1].error


def test_the_program_is_cancelled_at_its_nth_await():
    seen = []

    async def app(node):
        try:
            await node.spawn("t:wait")
            await trio.sleep(1)
            seen.append("slept")
        except trio.Cancelled:
            seen.append("cancelled")
            raise

    trace = simulate(app, faults=[CancelCaller("app", 2)], entries=ENTRIES)

    assert effects(trace) == ["the caller is cancelled"]
    assert seen == ["cancelled"]


# Bad input


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (KillAtStep("root/tik"), "no such process; did you mean 'root/tick'\\? there is 'root',"),
        (RaiseInCall("tick", "process.sned"), "unknown call; did you mean 'process.send'\\?"),
        (LoseState("app:procs"), "unknown host; did you mean 'app:processes'\\?"),
    ],
)
def test_a_plan_that_names_what_is_not_there_is_refused(fault, message):
    with pytest.raises(PlanError, match=message):
        simulate(TREE, faults=[fault], entries=ENTRIES)


def test_processes_that_never_wait_are_reported():
    spec = SupervisorSpec("root", children=[child("busy", "t:busy")])

    with pytest.raises(RestlessError, match="at 0 s"):
        simulate(spec, entries=ENTRIES, max_turns=2000)


def test_an_error_of_the_program_comes_out():
    async def app(node):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        simulate(app)


# Hypothesis


@settings(max_examples=max(25, settings.default.max_examples // 2))
@given(data=st.data(), seed=seeds())
def test_random_trees_under_random_faults_keep_the_invariants(data, seed):
    spec = data.draw(supervisor_specs())
    faults = data.draw(fault_plans(spec))
    check(simulate(spec, seed=seed, faults=faults, entries=PROGRAMS))


def test_a_planted_bug_is_found_and_shrunk():
    """A tree that cannot bear the second death of one child within a second."""
    spec = SupervisorSpec(
        "root", max_restarts=1, max_seconds=1, children=[child(c, "t:wait") for c in "abc"]
    )

    def bears_everything(trace):
        assert trace.of(Finished)[0].error is None, "the tree gave up"

    def fails(case):
        trace = simulate(spec, faults=case[0], seed=case[1], entries=ENTRIES)
        try:
            check(trace, bears_everything)
        except InvariantError:
            return True
        return False

    plans = fault_plans(spec, kinds=[KillAtStep])
    faults, seed = find(
        st.tuples(plans, seeds()), fails, settings=settings(max_examples=500, deadline=None)
    )

    assert seed == 0
    assert len(faults) == 1
    assert repr(faults) == "FaultPlan([KillAtStep('root/a')])"


def test_plans_of_strategies_print_as_code():
    for plan in (FaultPlan(), FaultPlan([KillAt("root", 1.0)])):
        assert eval(repr(plan)) == plan  # noqa: S307


def test_every_start_is_seen():
    trace = run(duration=9.5)

    assert [record.child for record in trace.of(ChildStarted)] == ["wait", "tick"]
    assert [record.topic for record in trace.of(Received)] == ["tick"] * 9
