"""The node: what Python does with Lua processes, and that nothing is lost or left behind."""

from __future__ import annotations

import gc
import weakref

import pytest
import trio
import trio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from supervise import (
    Entry,
    Exit,
    HostSpec,
    LinePrinted,
    MailboxFullError,
    NameRegistered,
    NameReleased,
    NameTakenError,
    NodeClosedError,
    NoProcessError,
    ProcessEndedError,
    ProcessExited,
    ProcessExitedError,
    ProcessSpawned,
    ProcessStarted,
    RequestError,
    SourceError,
    SpawnError,
    SpecError,
    SuperviseError,
    TermError,
    open_node,
)
from supervise._open import print_line
from supervise.testing.payloads import INT64, exact, text_or_bytes
from tests.placement import not_on_jit
from tests.programs import ENTRIES, lua, node_of

PLAIN = st.one_of(
    st.booleans(), INT64, st.floats(allow_nan=False), st.text(), st.binary().map(text_or_bytes)
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.text(max_size=5), st.none() | inner, max_size=3)
    ),
    max_leaves=8,
)


def arrived(value):
    """A key whose value is None is, to Lua, a key that is not there."""
    if isinstance(value, dict):
        return {key: arrived(item) for key, item in value.items() if item is not None}
    return [arrived(item) for item in value] if isinstance(value, list) else value


def drain(events):
    seen = []
    while True:
        try:
            seen.append(events.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return seen


# Spawn and exec


async def test_a_spawned_process_gets_its_arguments_and_runs():
    async with node_of() as node, node.open_process("me") as me:
        await node.spawn("t:count", "me", 2)
        assert [(await me.receive()).payload for _ in range(2)] == [1, 2]


async def test_exec_returns_the_first_result_of_main():
    async with node_of() as node:
        assert await node.exec("t:add", 20, 22) == 42


@pytest.mark.parametrize(
    ("entry", "kind", "words"),
    [
        ("t:fail", "", "out of widgets"),
        ("t:full", "Conflict", "no room"),
    ],
)
async def test_exec_raises_the_error_of_the_process(entry, kind, words):
    async with node_of() as node:
        with pytest.raises(ProcessExitedError, match=words) as caught:
            await node.exec(entry)
        assert caught.value.dest == entry
        assert caught.value.fault.kind == kind


@pytest.mark.parametrize(
    ("entry", "host", "words"),
    [
        ("no.such:entry", None, r'entry not found: "no.such:entry" \(this node has no source'),
        ("nonsense", None, 'invalid entry "nonsense"'),
        ("../../etc:passwd", None, "invalid entry"),
        ("t:add", "nowhere", 'host not found: "nowhere"'),
        ("bad:syntax", None, "bad:syntax:1: "),
        ("bad:raises", None, "bad:raises:1: not today"),
        ("bad:empty", None, "main is missing"),
        ("bad:other", None, "run is missing"),
        ("a" * 300 + ":b", None, "not found"),
        ("\udcff:x", None, "invalid entry"),
    ],
)
async def test_what_cannot_start_raises_a_spawn_error_that_says_why(entry, host, words, tmp_path):
    bad = {
        "bad:syntax": "return {",
        "bad:raises": 'error("not today")',
        "bad:empty": "return {}",
    }
    entries = {name: Entry(text=text) for name, text in bad.items()}
    entries["bad:other"] = Entry(text="return {}", main="run")
    roots = [tmp_path] if len(entry) > 100 else []
    async with node_of(source=roots, entries=entries) as node:
        for start in (node.spawn, node.exec):
            with pytest.raises(SpawnError, match=words) as caught:
                await start(entry, host=host)
            assert caught.value.entry == entry
        assert node.processes() == []
        assert await node.exec("t:add", 1, 1) == 2


async def test_an_argument_that_cannot_cross_is_named_and_nothing_starts():
    async with node_of() as node:
        with pytest.raises(TermError, match=r"args\[1\]\['x'\]"):
            await node.spawn("t:add", 1, {"x": object()})
        assert node.processes() == []


async def test_the_host_must_be_said_where_there_are_several():
    async with node_of(hosts=[HostSpec("a"), HostSpec("b")]) as node:
        with pytest.raises(ValueError, match=r"say which host: this node has 2 \(a, b\)"):
            await node.spawn("t:wait")
        await node.spawn("t:wait", host="b")
        (process,) = node.processes()
        assert (process.host, process.pid.startswith("{b|")) == ("b", True)


async def test_a_full_host_refuses_and_takes_again_when_there_is_room():
    async with node_of(hosts=[HostSpec("small", max_processes=2)]) as node:
        first, _ = await node.spawn("t:wait"), await node.spawn("t:wait")
        with pytest.raises(SpawnError, match="host small is full") as caught:
            await node.spawn("t:wait")
        assert caught.value.fault.kind == "RateLimited"
        node.terminate(first)
        await node.spawn("t:wait")


async def test_a_full_mailbox_refuses_at_the_sender_and_loses_nothing():
    async with node_of(hosts=[HostSpec("small", max_mailbox=3)]) as node:
        pid = await node.spawn("t:wait")
        for number in range(3):
            node.send(pid, "n", number)
        with pytest.raises(MailboxFullError, match="holds its max_mailbox of 3") as caught:
            node.send(pid, "n", 3)
        assert caught.value.dest == pid
        with pytest.raises(MailboxFullError):
            await node.call(pid, "n", 3)
        assert node.processes()[0].mailbox == 3
        node.cancel(pid)  # events are never refused


async def test_two_hosts_of_one_name_are_refused():
    with pytest.raises(SpecError, match="a: is the name of another host too"):
        async with open_node(hosts=[HostSpec("a"), HostSpec("a")]):
            pytest.fail("it opened")


async def test_faulty_hosts_and_roots_are_refused_before_anything_starts(tmp_path):
    with pytest.raises(SpecError, match=r"a\.max_processes"):
        async with open_node(hosts=[HostSpec("a", max_processes=0)]):
            pytest.fail("it opened")
    with pytest.raises(SourceError, match="is not a folder"):
        async with open_node(tmp_path / "missing"):
            pytest.fail("it opened")


# Messages


async def test_messages_to_one_process_keep_their_order():
    async with node_of(
        entries={
            "t:gather": lua("""
        local seen, inbox = {}, process.inbox()
        for i = 1, 100 do seen[i] = inbox:receive():payload() end
        return seen""")
        }
    ) as node:
        pid = await node.spawn("t:gather")
        for number in range(100):
            node.send(pid, "n", number)
        assert (await node.wait_exit(pid)).result == list(range(100))


async def test_a_message_of_the_node_has_no_sender():
    async with node_of(entries={"t:from": lua("return process.inbox():receive():from()")}) as node:
        pid = await node.spawn("t:from")
        node.send(pid, "x")
        assert (await node.wait_exit(pid)).result is None


async def test_a_call_returns_the_reply():
    async with node_of() as node:
        pid = await node.spawn("t:echo")
        assert await node.call(pid, "greet", {"n": 1}) == {"n": 1}
        assert [process.pid for process in node.processes()] == [pid]


async def test_a_call_to_a_process_that_fails_raises_its_error():
    async with node_of() as node:
        node.register("shop", await node.spawn("t:fail_when_told"))
        with pytest.raises(ProcessExitedError, match=r"^shop: t:fail_when_told:1: as told"):
            await node.call("shop", "x")


async def test_a_call_to_a_process_that_ends_without_a_reply_says_so():
    async with node_of() as node:
        pid = await node.spawn("t:once")
        with pytest.raises(ProcessExitedError, match="ended normally before it replied") as caught:
            await node.call(pid, "x", 1)
        assert caught.value.fault is None


async def test_a_call_is_given_up_with_a_cancel_scope_and_leaves_nothing(autojump_clock):
    async with node_of() as node:
        pid = await node.spawn("t:wait")
        before = node.statistics().processes
        with trio.move_on_after(5):
            await node.call(pid, "x")
        assert autojump_clock.current_time() == pytest.approx(5)
        assert node.statistics().processes == before


async def test_a_reply_that_comes_too_late_is_refused_at_its_sender():
    late = lua("""
        local from = process.inbox():receive():from()
        time.sleep("1m")
        local sent, err = process.send(from, "reply", 1)
        return tostring(err)""")
    async with node_of(entries={"t:late": late}) as node:
        pid = await node.spawn("t:late")
        with trio.move_on_after(1):
            await node.call(pid, "x")
        assert "not found" in (await node.wait_exit(pid)).result


UNKNOWN = ["nobody", "{app:processes|0x99999}"]


@pytest.mark.parametrize("dest", UNKNOWN)
async def test_nobody_is_a_clear_error_everywhere(dest):
    async with node_of() as node:
        for act in (
            lambda: node.send(dest, "x"),
            lambda: node.terminate(dest),
            lambda: node.cancel(dest),
        ):
            with pytest.raises(NoProcessError) as caught:
                act()
            assert caught.value.dest == dest
            assert dest in str(caught.value)
        for wait in (node.call(dest, "x"), node.wait_exit(dest)):
            with pytest.raises(NoProcessError):
                await wait


async def test_a_destination_that_is_none_is_never_taken_for_success():
    dest = None
    async with node_of() as node:
        for act in (
            lambda: node.send(dest, "x"),
            lambda: node.terminate(dest),
            lambda: node.cancel(dest),
            lambda: node.register("x", dest),
        ):
            with pytest.raises(TypeError, match="must be a str"):
                act()
        for wait in (node.call(dest, "x"), node.wait_exit(dest)):
            with pytest.raises(TypeError, match="must be a str"):
                await wait


@pytest.mark.parametrize("topic", ["", "@", "@exit"])
async def test_reserved_topics_are_refused(topic):
    async with node_of() as node:
        pid = await node.spawn("t:wait")
        with pytest.raises(RequestError, match="invalid topic") as caught:
            node.send(pid, topic)
        assert caught.value.fault.kind == "Invalid"
        with pytest.raises(RequestError, match="invalid topic"):
            await node.call(pid, topic)
        assert node.processes()[0].mailbox == 0


@settings(max_examples=40, deadline=None)
@not_on_jit("a whole float crosses as an integer")
@given(st.lists(VALUES, min_size=1, max_size=4))
async def test_what_crosses_to_a_live_process_and_back_is_the_same(values):
    async with node_of() as node, node.open_process() as me:
        pid = await node.spawn("t:echo")
        for value in values:
            me.send(pid, "x", value)
        returned = [(await me.receive()).payload for _ in values]
        called = [await node.call(pid, "x", value) for value in values]
    expected = [exact(arrived(value)) for value in values]
    assert list(map(exact, returned)) == expected
    assert list(map(exact, called)) == expected


async def test_ten_megabytes_cross():
    async with node_of() as node:
        data = b"\xff" * 10_000_000
        assert await node.call(await node.spawn("t:echo"), "x", data) == data


# Ends


@pytest.mark.in_hub("terminated elsewhere, it ends when its state gets to it")
async def test_terminate_ends_a_process_by_force():
    async with node_of() as node:
        pid = await node.spawn("t:wait")
        node.terminate(pid)
        with pytest.raises(NoProcessError):
            node.send(pid, "x")


async def test_cancel_asks_and_says_why():
    async with node_of() as node:
        obedient, deaf = await node.spawn("t:obey"), await node.spawn("t:wait")
        node.cancel(obedient, "closing time")
        node.cancel(deaf, "closing time")
        assert (await node.wait_exit(obedient)).result == "closing time"
        assert [process.pid for process in node.processes()] == [deaf]


async def test_who_is_asked_to_end_cannot_hurt_the_node():
    rude = lua("""
        local from = process.events():receive().from
        local _, link = process.link(from)
        local _, send = process.send(from, "x")
        local _, kill = process.terminate(from)
        return {tostring(link), tostring(send), tostring(kill)}""")
    async with node_of(entries={"t:rude": rude}) as node:
        pid = await node.spawn("t:rude")
        node.cancel(pid)
        end = await node.wait_exit(pid)
        assert all("not" in text for text in end.result)
        assert await node.exec("t:add", 1, 2) == 3


@pytest.mark.parametrize("by_name", [True, False])
async def test_wait_exit_tells_the_pid_the_result_and_the_time(by_name):
    async with node_of() as node:
        pid = await node.spawn("t:once")
        node.register("worker", pid)
        ends = []

        async def wait():
            ends.append(await node.wait_exit("worker" if by_name else pid))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            started = node.statistics()
            assert started.processes == 1
            await trio.sleep(100)
            node.send(pid, "x", [1, 2])
        assert ends == [Exit(pid, [1, 2], None, ends[0].at)] * 3


async def test_wait_exit_gives_the_error_of_a_failure():
    async with node_of() as node:
        pid = await node.spawn("t:fail_when_told")
        node.send(pid, "x")
        end = await node.wait_exit(pid)
        assert end.result is None
        assert end.error.message == "t:fail_when_told:1: as told"


async def test_wait_exit_given_up_leaves_the_process_alone():
    async with node_of() as node:
        pid = await node.spawn("t:once")
        with trio.move_on_after(1):
            await node.wait_exit(pid)
        node.send(pid, "x", 5)
        assert (await node.wait_exit(pid)).result == 5


@pytest.mark.in_hub("terminated elsewhere, it ends when its state gets to it")
async def test_cancelling_exec_terminates_the_process():
    async with node_of() as node:
        with trio.move_on_after(1):
            await node.exec("t:wait")
        assert node.processes() == []


# Names


async def test_names_stand_for_processes():
    async with node_of() as node:
        pid = await node.spawn("t:echo")
        assert node.whereis("echo") is None
        node.register("echo", pid)
        node.register("echo", pid)
        assert node.whereis("echo") == pid
        assert await node.call("echo", "x", 1) == 1
        assert node.statistics().names == 1
        assert node.unregister("echo") is True
        assert node.unregister("echo") is False
        assert node.whereis("echo") is None


@pytest.mark.in_hub("terminated elsewhere, it ends when its state gets to it")
async def test_a_name_that_is_held_is_refused():
    async with node_of() as node:
        first, second = await node.spawn("t:wait"), await node.spawn("t:wait")
        node.register("one", first)
        with pytest.raises(NameTakenError, match="already registered by") as caught:
            node.register("one", second)
        assert caught.value.name == "one"
        node.terminate(first)
        node.register("one", second)


@pytest.mark.parametrize("name", ["", "@x", "{a|1}"])
async def test_names_that_would_be_something_else_are_refused(name):
    async with node_of() as node:
        with pytest.raises(RequestError, match="invalid name"):
            node.register(name, await node.spawn("t:wait"))


async def test_wait_registered_waits_for_the_name(autojump_clock):
    async with node_of() as node:
        pid = await node.spawn("t:wait")

        async def register_later():
            await trio.sleep(30)
            node.register("other", pid)
            node.register("late", pid)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(register_later)
            assert await node.wait_registered("late") == pid
        assert autojump_clock.current_time() == pytest.approx(30)
        assert await node.wait_registered("late") == pid


# What can be seen


async def test_subscribers_see_the_life_of_a_process_in_order():
    shown = lua("""
        print("a", 1, nil)
        process.registry.register("shown")
        process.started({ready = true})
        error("enough")""")
    async with node_of(entries={"t:shown": shown}) as node:
        with node.subscribe() as one, node.subscribe() as other:
            pid = await node.spawn("t:shown")
            await wait_all_tasks_blocked()
            events = drain(one)
            assert drain(other) == events
        spawned, printed, registered, started, released, exited = events
        assert (spawned.pid, spawned.entry, spawned.host) == (pid, "t:shown", "app:processes")
        assert isinstance(spawned, ProcessSpawned)
        assert printed == LinePrinted(pid, "a\t1\tnil")
        assert registered == NameRegistered("shown", pid)
        assert started == ProcessStarted(pid, {"ready": True})
        assert released == NameReleased("shown", pid)
        assert isinstance(exited, ProcessExited)
        assert exited.error.message == "t:shown:5: enough"
        assert "t:shown:5" in exited.error.stack


async def test_an_exited_event_tells_result_and_uptime():
    async with node_of() as node:
        await trio.sleep(7)
        with node.subscribe() as events:
            await node.exec("t:sleep", "2s")
            *_, exited = drain(events)
        assert (exited.result, exited.error) == ("awake", None)
        assert exited.uptime == pytest.approx(2)


async def test_a_subscription_ends_with_its_block():
    async with node_of() as node:
        with node.subscribe() as events:
            pass
        with pytest.raises(trio.ClosedResourceError):
            events.receive_nowait()
        await node.exec("t:add", 1, 2)


async def test_a_subscriber_that_closes_its_end_disturbs_nobody():
    async with node_of() as node:
        with node.subscribe() as gone, node.subscribe() as events:
            gone.close()
            assert await node.exec("t:add", 1, 2) == 3
            assert len(drain(events)) == 2


async def test_text_that_is_not_utf8_reaches_subscribers_and_output_as_text(capsys):
    raw = lua(r"""
        print("\xff")
        process.registry.register("\xfe")
        error("\xfd", 0)""")
    lines = []
    entries = {"t:raw": raw}
    async with node_of(entries=entries, output=lambda *line: lines.append(line)) as node:
        with node.subscribe() as events:
            pid = await node.spawn("t:raw")
            await wait_all_tasks_blocked()
            _, printed, registered, released, exited = drain(events)
    assert printed == LinePrinted(pid, "\udcff")
    assert lines == [(pid, "\udcff")]
    assert (registered.name, released.name) == ("\udcfe", "\udcfe")
    assert exited.error.message == "\udcfd"
    print_line(pid, "\udcff")
    assert capsys.readouterr().out == f"{pid} \N{REPLACEMENT CHARACTER}\n"


@pytest.mark.parametrize(
    "ask",
    [
        r'process.spawn("\xff:x", "app:processes")',
        r'process.spawn(("x"):rep(300) .. ":x", "app:processes")',
        r'pcall(require, "\xff")',
        r'pcall(require, ("x"):rep(300))',
        r'time.load_location("\xff")',
        r'process.spawn("nul\0:x", "app:processes")',
    ],
)
async def test_what_a_process_asks_for_cannot_break_the_node(ask, tmp_path):
    entries = {"t:ask": lua(f"local value, err = {ask} return tostring(err)")}
    async with node_of(source=tmp_path, entries=entries) as node:
        await node.exec("t:ask")
        assert await node.exec("t:add", 1, 2) == 3


async def test_processes_are_listed_with_state_mailbox_uptime_and_names():
    async with node_of() as node:
        waiting = await node.spawn("t:wait")
        node.register("b", waiting)
        node.register("a", waiting)
        for _ in range(3):
            node.send(waiting, "x")
        await trio.sleep(10)
        async with node.open_process("me") as me:
            busy = await node.spawn("t:busy")
            listed = node.processes()
            assert [(p.pid, p.entry, p.host) for p in listed] == [
                (waiting, "t:wait", "app:processes"),
                (me.pid, "python", "python"),
                (busy, "t:busy", "app:processes"),
            ]
            assert [p.state for p in listed] == ["waiting", "python", "ready"]
            assert [p.mailbox for p in listed[:2]] == [3, 0]
            assert [p.names for p in listed] == [("b", "a"), ("me",), ()]
            assert [p.uptime for p in listed] == [pytest.approx(10), 0, 0]
            node.terminate(busy)
        await trio.sleep(5)
        assert node.processes()[0].uptime == pytest.approx(15)


@pytest.mark.in_hub("terminated elsewhere, it ends when its state gets to it")
async def test_statistics_count_what_is_there():
    async with node_of() as node:
        empty = node.statistics()
        assert (empty.processes, empty.names, empty.timers) == (0, 0, 0)
        pid = await node.spawn("t:sleep", "1h")
        node.register("sleeper", pid)
        await wait_all_tasks_blocked(0.0)
        full = node.statistics()
        assert (full.processes, full.names, full.timers) == (1, 1, 1)
        assert full.lua_bytes > 100_000
        node.terminate(pid)
        after = node.statistics()
        assert (after.processes, after.names, after.timers) == (0, 0, 0)


# Side by side, and the end of the block


async def test_nodes_live_side_by_side_and_know_nothing_of_each_other():
    async with node_of() as one, node_of() as other:
        one.register("echo", await one.spawn("t:echo"))
        assert other.whereis("echo") is None
        other.register("echo", await other.spawn("t:once"))
        other.send("echo", "x", "from the other")
        assert await one.call("echo", "x", 1) == 1
        assert len(one.processes()) == 1
        assert (await one.exec("t:add", 1, 2), await other.exec("t:add", 3, 4)) == (3, 7)


async def test_a_node_goes_without_disturbing_the_other():
    async with node_of() as one:
        pid = await one.spawn("t:echo")
        async with node_of() as other:
            await other.spawn("t:echo")
        assert await one.call(pid, "x", 1) == 1


async def test_leaving_the_block_leaves_nothing_behind():
    tasks = trio.lowlevel.current_statistics().tasks_living
    async with node_of() as node:
        for _ in range(10):
            await node.spawn("t:wait")
            await node.spawn("t:sleep", "1h")
        kernel = weakref.ref(node.driver.kernel())
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    del node
    gc.collect()
    assert kernel() is None


async def test_a_node_whose_block_was_left_refuses_everything():
    async with node_of() as node:
        pid = await node.spawn("t:echo")
    for act in (
        lambda: node.send(pid, "x"),
        lambda: node.terminate(pid),
        lambda: node.whereis("x"),
        node.processes,
        node.statistics,
        lambda: node.subscribe().__enter__(),
    ):
        with pytest.raises(NodeClosedError, match="block has ended"):
            act()
    for wait in (node.spawn("t:add"), node.exec("t:add"), node.call(pid, "x")):
        with pytest.raises(NodeClosedError):
            await wait


async def test_whoever_waits_outside_the_block_is_told_that_it_ended():
    seen = []

    async def wait(on):
        try:
            await on
        except SuperviseError as exc:
            seen.append(type(exc))

    async def keep_a_process(node):
        async with node.open_process():
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        async with open_node(entries=ENTRIES) as node:
            pid = await node.spawn("t:wait")
            for on in (
                node.call(pid, "x"),
                node.exec("t:wait"),
                node.wait_exit(pid),
                node.wait_registered("never"),
                keep_a_process(node),
            ):
                nursery.start_soon(wait, on)
            await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()
        assert seen == [NodeClosedError] * 5


class OwnError(Exception):
    pass


@pytest.mark.parametrize(
    "error",
    [
        OwnError("mine"),
        KeyboardInterrupt(),
        SystemExit(3),
        ExceptionGroup("mine", [OwnError("a"), ExceptionGroup("b", [OwnError("c")])]),
        BaseExceptionGroup("mine", [KeyboardInterrupt()]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_the_error_of_the_body_comes_out_as_itself(error):
    with pytest.raises(type(error)) as caught:
        async with node_of() as node:
            await node.spawn("t:wait")
            raise error
    assert caught.value is error
    assert error.__cause__ is None


async def test_cancellation_from_outside_passes_through():
    with trio.CancelScope() as scope:
        async with node_of() as node:
            await node.spawn("t:busy")
            scope.cancel()
            await node.exec("t:wait")
            pytest.fail("it went on")
    assert scope.cancelled_caught


async def test_an_output_that_fails_ends_the_node_with_its_error():
    def broken(_pid, _text):
        raise OwnError("the pipe is broken")

    with pytest.raises(OwnError):
        async with node_of(output=broken) as node:
            assert await node.exec("t:print", "x") is None
            await trio.sleep_forever()


# Cancellation at any await: either before or after, and never a lost message


async def count_awaits(body):
    """How many times `body` gives way to trio before it is done."""
    awaits = 0

    class Counter(trio.abc.Instrument):
        def before_task_step(self, task):
            nonlocal awaits
            awaits += task is me

    me = trio.lowlevel.current_task()
    counter = Counter()
    trio.lowlevel.add_instrument(counter)
    try:
        await body()
    finally:
        trio.lowlevel.remove_instrument(counter)
    return awaits


async def test_a_receive_that_is_cancelled_while_the_message_is_on_its_way_leaves_it():
    """Sent and cancelled in one turn: the kernel has handed the message over already."""
    async with node_of() as node, node.open_process() as me:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(me.receive)
            await wait_all_tasks_blocked()
            node.send(me.pid, "x", "precious")
            nursery.cancel_scope.cancel()
        assert me.inbox.receive_nowait().payload == "precious"


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(st.sampled_from(["send", "cancel", "turn", "wait"]), max_size=20),
    receivers=st.integers(1, 3),
)
async def test_no_message_is_lost_whenever_receivers_are_cancelled(steps, receivers):
    async with node_of() as node, node.open_process() as me, trio.open_nursery() as nursery:
        got, sent, scopes = [], 0, []

        async def receive():
            while True:
                with trio.CancelScope() as scope:
                    scopes.append(scope)
                    got.append((await me.receive()).payload)
                await trio.lowlevel.checkpoint()

        for _ in range(receivers):
            nursery.start_soon(receive)
        for step in steps:
            if step == "send":
                node.send(me.pid, "x", sent)
                sent += 1
            elif step == "cancel":
                for scope in scopes:
                    scope.cancel()
            elif step == "turn":
                await trio.lowlevel.checkpoint()
            else:
                await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert sorted(got) == list(range(sent))


async def test_a_call_cancelled_at_any_await_leaves_no_process_and_no_lost_request():
    async with node_of() as node:
        pid = await node.spawn("t:echo")
        awaits = await count_awaits(lambda: node.call(pid, "x", 1))
        assert awaits >= 1
        for turns in range(awaits + 2):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.call, pid, "x", turns)
                for _ in range(turns):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            await wait_all_tasks_blocked()
            (left,) = node.processes()
            assert (left.pid, left.mailbox) == (pid, 0)


@pytest.mark.parametrize("verb", ["spawn", "exec"])
async def test_a_start_cancelled_at_any_await_leaves_a_process_only_if_it_returned_its_pid(verb):
    async with node_of() as node:
        for turns in range(5):
            pids = []

            async def start(pids=pids):
                pids.append(await getattr(node, verb)("t:wait"))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(start)
                for _ in range(turns):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            await wait_all_tasks_blocked()
            assert [process.pid for process in node.processes()] == pids
            for pid in pids:
                node.terminate(pid)


async def test_what_was_cancelled_before_it_began_has_done_nothing():
    async with node_of() as node:
        pid = await node.spawn("t:wait")
        with trio.CancelScope() as scope:
            scope.cancel()
            await node.call(pid, "x")
        with trio.CancelScope() as scope:
            scope.cancel()
            await node.spawn("t:wait")
        (left,) = node.processes()
        assert (left.pid, left.mailbox) == (pid, 0)


async def test_everything_that_waits_is_a_checkpoint():
    async with node_of() as node:
        pid = await node.spawn("t:echo")
        node.register("echo", pid)
        for wait in (
            lambda: node.spawn("t:add", 1, 2),
            lambda: node.exec("t:add", 1, 2),
            lambda: node.call(pid, "x", 1),
            lambda: node.wait_registered("echo"),
        ):
            with trio.testing.assert_checkpoints():
                await wait()


CALLS = {
    # Passes each call on to the process it was started with.
    "c:desk": lua("""
        local clerk = ...
        local inbox = process.inbox()
        while true do
          local msg = inbox:receive()
          process.send(clerk, "n", {from = msg:from(), n = msg:payload()})
        end"""),
    "c:clerk": lua("""
        local inbox = process.inbox()
        while true do
          local request = inbox:receive():payload()
          process.send(request.from, "n", request.n + 1)
        end"""),
    # Replies to the first call once more when the second one comes; ends with what it was told then.
    "c:twice": lua("""
        local inbox = process.inbox()
        local first = inbox:receive()
        process.send(first:from(), "n", 1)
        local second = inbox:receive()
        local late = {process.send(first:from(), "n", 2)}
        process.send(second:from(), "n", 3)
        return {refused = tostring(late[2]), first = first:from(), second = second:from()}"""),
    "c:eager": lua("""
        local from = process.inbox():receive():from()
        return {process.send(from, "n", 1), (process.send(from, "n", 2)) == nil}"""),
    # Ends the port of the call instead of replying.
    "c:rude": lua("process.terminate(process.inbox():receive():from())"),
}


async def test_a_call_may_be_answered_by_another_process():
    async with open_node(entries=CALLS) as node:
        desk = await node.spawn("c:desk", await node.spawn("c:clerk"))
        assert await node.call(desk, "n", 41) == 42


async def test_a_second_reply_is_refused_and_no_two_calls_share_a_pid():
    async with open_node(entries=CALLS) as node, node.open_process() as me:
        twice = await node.spawn("c:twice")
        me.monitor(twice)
        assert [await node.call(twice, "n"), await node.call(twice, "n")] == [1, 3]
        end = await me.events.receive()
        assert end.result["first"] != end.result["second"]
        assert end.result["refused"] == f"process not found: {end.result['first']}"
        assert node.statistics().processes == 1


async def test_a_call_takes_one_reply_even_if_two_are_sent_in_one_go():
    async with open_node(entries=CALLS) as node, node.open_process() as me:
        eager = await me.spawn("c:eager", monitor=True)
        assert await node.call(eager, "n") == 1
        assert (await me.events.receive()).result == [True, True]


async def test_a_call_whose_port_is_ended_is_answered_with_that():
    async with open_node(entries=CALLS) as node:
        rude = await node.spawn("c:rude")
        with pytest.raises(ProcessEndedError, match="process has ended"):
            await node.call(rude, "n")
        assert node.statistics().processes == 0
