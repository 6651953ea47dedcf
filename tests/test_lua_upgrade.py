"""`process.upgrade` and `process.upgrades`: what a process keeps under new code, and what it does not."""

from __future__ import annotations

import pytest

from lua_api import Fault, ModuleRequired, ProcessUpgraded
from tests.lua_world import HOST, World, run

pytestmark = pytest.mark.wander

LOCALS = f"""
  local HOST = "{HOST}"
  local function spawn(name, ...) return process.spawn("app:" .. name, HOST, ...) end
"""
WAITS = "process.inbox():receive()"
# What an old version does that is to be upgraded after a second.
SOON = "time.sleep('1s') "


def test_it_does_not_return_and_hands_over_a_copy_under_the_same_pid():
    found = run(
        """
        local state = setmetatable({n = 1, list = {1, 2}}, {__index = {gone = true}})
        local ok = pcall(process.upgrade, "app:new", process.pid(), nil, state, nil)
        return "returned", ok
        """,
        new="""
        local pid, none, state = ...
        return {select("#", ...), pid == process.pid(), none == nil, state.n, #state.list,
                state.gone == nil, process.id()}
        """,
    )
    assert found == [4, True, True, 1, 2, True, "app:new"]


def test_without_an_entry_its_own_file_is_read_again():
    with World() as world:
        world.load("own", "return function(n) process.upgrade(nil, n + 1) end")
        world.add_file("own", "return function(n) return {n, process.id()} end")
        assert world.run(f"return process.exec('app:own', '{HOST}', 1)") == [2, "app:own"]


def test_what_the_node_has_loaded_meanwhile_is_taken_as_it_is():
    with World() as world:
        world.run(
            LOCALS + "process.registry.register('own', spawn('own'))",
            own="process.inbox():receive() process.upgrade()",
        )
        world.load("own", "return function() print('newer') end")
        world.add_file("own", "what stands here meanwhile is not even Lua")
        world.run("process.send('own', 'go')")
    assert world.prints == ["newer"]


def test_the_same_entry_with_a_new_state():
    found = run(
        "return process.exec('app:own', ...)",
        HOST,
        own="if ... == nil then process.upgrade(nil, 'again') end return ...",
    )
    assert found == "again"


def test_unread_messages_stay_in_order_whoever_listened_to_them():
    found = run(
        LOCALS
        + """
        local pid = spawn("old")
        for i = 1, 3 do
          process.send(pid, "b", "b" .. i)
          process.send(pid, "plain", "p" .. i)
          process.send(pid, "a", "a" .. i)
          process.send(pid, "heard", "h" .. i)
        end
        process.monitor(pid)
        return process.events():receive().result
        """,
        old="""
        process.listen("b") process.listen("a", {message = true}) process.listen("heard")
        time.sleep("1s")
        process.send(process.pid(), "first", 0)
        assert(process.inbox():receive():payload() == "p1")
        assert(process.listen("a"):receive():payload() == "a1")
        process.upgrade("app:new")
        """,
        new="""
        local heard, got = process.listen("heard"), {}
        for i = 1, 3 do got[i] = heard:receive() end
        local inbox = process.inbox()
        for i = 1, 8 do
          local msg = inbox:receive()
          assert(msg:from())
          got[#got + 1] = msg:topic() .. "=" .. msg:payload()
        end
        got[#got + 1] = channel.select{inbox:case_receive(), default = true}.default
        return got
        """,
    )
    assert found == [
        *["h1", "h2", "h3", "plain=p2", "plain=p3", "first=0"],
        *["a=a2", "a=a3", "b=b1", "b=b2", "b=b3", True],
    ]


def test_messages_that_come_while_the_new_code_loads_are_there_too():
    with World() as world:
        world.add_file("new", "return function() return process.listen('t'):receive() end")
        found = world.run(
            LOCALS
            + """
            local pid = spawn("old")
            process.monitor(pid)
            local sent = process.send(pid, "t", 1)
            time.sleep("1ms")
            return {sent, process.events():receive().result}
            """,
            old="process.listen('t') process.upgrade('app:new')",
        )
    assert found == [True, 1]


def test_the_bound_of_the_mailbox_still_counts_what_is_unread():
    with World(max_mailbox=2) as world:
        found = world.run(
            LOCALS
            + """
            local pid = spawn("old")
            process.send(pid, "t", 1) process.send(pid, "t", 2)
            time.sleep("2s")
            local ok, err = process.send(pid, "t", 3)
            process.send(pid, "t", 4)
            process.registry.register("new", pid)
            return {ok == nil and err:kind()}
            """,
            old="process.listen('t') " + SOON + "process.upgrade('app:new')",
            new="channel.new():receive()",
        )
    assert found == ["RateLimited"]


def test_names_links_monitors_and_options_are_kept():
    found = run(
        LOCALS
        + """
        process.set_options{trap_links = true}
        local pid = process.spawn_linked_monitored("app:old", HOST)
        time.sleep("1ms")
        local before = process.registry.lookup("me")
        time.sleep("2s")
        local after = process.registry.lookup("me")
        process.send(pid, "end", "now")
        local exit, down = process.events():receive(), process.events():receive()
        return {before == pid, after == pid, exit.kind, tostring(exit.error), down.kind,
                select(2, process.registry.lookup("me")):kind()}
        """,
        old="process.registry.register('me') process.set_options{trap_links = true} "
        + SOON
        + "process.upgrade('app:new')",
        new="assert(process.get_options().trap_links) error(process.inbox():receive():payload(), 0)",
    )
    assert found == [True, True, "EXIT", "now", "LINK_DOWN", "NotFound"]


def test_what_it_watches_and_events_it_has_not_read_are_kept():
    found = run(
        LOCALS
        + """
        local one, two = spawn("told", 1), spawn("told", 2)
        local pid = spawn("old", one, two)
        process.monitor(pid)
        time.sleep("1ms")
        process.cancel(pid, "please")
        time.sleep("1ms")
        process.send(one, "end")
        time.sleep("2s")
        process.send(two, "end")
        return process.events():receive().result
        """,
        told="process.inbox():receive() return ...",
        old="for i = 1, 2 do assert(process.monitor((select(i, ...)))) end process.events() "
        + SOON
        + "process.upgrade('app:new')",
        new="""
        local events, got = process.events(), {}
        for i = 1, 3 do
          local event = events:receive()
          got[i] = event.kind .. " " .. tostring(event.result or event.reason)
        end
        return got
        """,
    )
    assert found == ["CANCEL please", "EXIT 1", "EXIT 2"]


def test_nothing_of_the_old_code_goes_on():
    with World() as world:
        found = world.run(
            LOCALS
            + """
            leak = true
            string_leak = require("time")
            local woken = channel.new()
            coroutine.spawn(function() woken:receive() print("woken") end)
            coroutine.spawn(function() time.sleep("2s") print("slept") end)
            coroutine.spawn(function() process.inbox():receive() print("received") end)
            coroutine.spawn(function() process.exec("app:later", HOST) print("executed") end)
            coroutine.spawn(function() process.events():receive() print("event") end)
            time.ticker("1s") time.after("1s") time.timer("1s")
            process.upgrade("app:new")
            """,
            later="time.sleep('3s')",
            new="""
            process.send(process.pid(), "t")
            time.sleep("10s")
            return {leak == nil, string_leak == nil, process.inbox():receive():topic()}
            """,
        )
        assert world.statistics().timers == 0
    assert (found, world.prints) == ([True, True, "t"], [])


@pytest.mark.parametrize(
    "wait", ["time.sleep('1s')", "process.inbox():receive()", "process.exec('app:later', HOST)"]
)
def test_any_coroutine_may_call_it_whatever_the_others_wait_for(wait):
    found = run(
        LOCALS
        + f"""
        coroutine.spawn(function()
          time.sleep("10ms")
          coroutine.wrap(function() pcall(process.upgrade, "app:new", "state") end)()
        end)
        {wait}
        return "old"
        """,
        later="time.sleep('1s')",
        new="local got = {...} time.sleep('5s') return got",
    )
    assert found == ["state"]


def test_a_coroutine_may_call_it_before_it_has_waited():
    found = run(
        "coroutine.spawn(function() process.upgrade('app:new') end) return 'old'",
        new="time.sleep('1s') return 'new'",
    )
    assert found == "new"


def test_new_code_can_do_all_that_a_process_does():
    found = run(
        "process.upgrade('app:new')",
        new="""
        local done = channel.new()
        coroutine.spawn(function() time.sleep("1ms") done:send(select(2, coroutine.running())) end)
        assert(select(2, coroutine.running()))
        local main = coroutine.running()
        assert(not coroutine.resume(main))
        assert(_G.process == process)
        mine = 1
        assert(_G.mine == 1)
        return (done:receive())
        """,
    )
    assert found is True


def test_modules_are_loaded_again():
    with World() as world:
        world.add_file("unused", "")
        world.load_module(
            "count", "local n = 0 return { next = function() n = n + 1 return n end }"
        )
        found = world.run(
            "require('count').next() process.upgrade('app:new', require('count').next())",
            new="return {..., require('count').next()}",
        )
    assert found == [2, 1]


FAULTS = [
    ("return {", "app/new.lua:1: "),
    ("local x = 1\nerror('no luck')", "app/new.lua:2: no luck"),
    ("local t = {}\nreturn t", "app/new.lua:2: main is missing"),
    ("\nrequire('nowhere')", 'app/new.lua:2: module not found: "nowhere"'),
    (None, 'entry not found: "app:new"'),
    ("process.upgrade('app:main')", "app/new.lua:"),
]


@pytest.mark.parametrize(("text", "words"), FAULTS)
def test_an_upgrade_that_fails_ends_the_process(text, words):
    with World() as world:
        if text is not None:
            world.add_file("new", text)
        found = world.run(
            LOCALS
            + """
            local pid = process.spawn_monitored("app:old", HOST)
            local event = process.events():receive()
            return {event.from == pid, tostring(event.error), process.registry.lookup("old") == nil}
            """,
            old="process.registry.register('old') pcall(process.upgrade, 'app:new') print('goes on')",
        )
    assert world.prints == []
    assert isinstance(found, list), found
    assert found[0] is True
    assert found[2] is True
    assert found[1].startswith(words) or "still being loaded" in found[1]


def test_a_file_that_is_still_being_loaded_cannot_upgrade():
    with World() as world:
        world.add_file("child", "process.upgrade('app:main') return { main = print }")
        found = world.run(LOCALS + "return tostring(select(2, spawn('child')))")
    assert isinstance(found, str)
    assert "still being loaded; call it from main" in found


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("process.upgrade(nil, 1, {f = print})", "argument[2].f: function cannot be sent"),
        ("process.upgrade(5)", "bad argument #1 to 'upgrade' (string expected, got number)"),
    ],
)
def test_what_cannot_be_handed_over_raises_and_changes_nothing(call, words):
    found = run(f"local ok, err = pcall(function() {call} end) return {{ok, tostring(err)}}")
    assert isinstance(found, list), found
    assert found[0] is False
    assert words in found[1]


@pytest.mark.one_state("terminated elsewhere, it ends when its state gets to it")
def test_a_process_that_ends_while_the_new_code_is_looked_for_runs_none_of_it():
    with World() as world:
        world.add_file("new", "print('runs') return { main = print }")
        world.run(
            LOCALS
            + """
            local pid = spawn("old")
            process.send(pid, "go")
            process.registry.lookup("x")
            coroutine.spawn(function() process.inbox():receive() process.terminate(pid) end)
            process.send(process.pid(), "end it")
            time.sleep("1s")
            """,
            old="process.inbox():receive() process.upgrade('app:new')",
        )
        assert [str(exit_.error) for exit_ in world.exits] == ["process terminated", "None"]
    assert world.prints == []


def test_it_is_reported_and_is_no_exit():
    with World() as world:
        seen: list[ProcessUpgraded] = []
        on_effect = world._on_effect
        world._on_effect = lambda effect, kernel: (  # type: ignore[method-assign]
            seen.append(effect)
            if isinstance(effect, ProcessUpgraded)
            else on_effect(effect, kernel)
        )
        found = world.run("process.upgrade('app:new')", new="return process.pid()")
    assert seen == [ProcessUpgraded(found, "app:new")]
    assert [(exit_.pid, exit_.entry) for exit_ in world.exits] == [(found, "app:new")]


def test_a_link_still_ends_an_upgraded_process():
    found = run(
        LOCALS
        + """
        local pid = process.spawn_monitored("app:old", HOST)
        local other = process.spawn("app:linked", HOST, pid)
        return tostring(process.events():receive().error)
        """,
        old="process.upgrade('app:new')",
        new="channel.new():receive()",
        linked="assert(process.link(...)) time.sleep('1s') error('down')",
    )
    assert found == "linked process failed"


# Newer code


def test_who_has_called_upgrades_is_told_of_newer_code_and_who_has_not_is_not():
    with World() as world:
        world.run(
            LOCALS + "spawn('part') spawn('part') spawn('deaf')",
            part="local entry = process.upgrades():receive() print(entry) process.upgrade(entry, 7)",
            deaf="process.events() process.inbox():receive()",
        )
        assert world.ask_to_upgrade() == []
        world.add_main("part", "print('new', ...)")
        world.add_main("deaf", WAITS)
        told = world.ask_to_upgrade()
        assert sorted((row.entry, row.asked, row.ticket) for row in told) == [
            ("app:deaf", False, None),
            ("app:part", True, None),
            ("app:part", True, None),
        ]
        world.settle()
        assert world.prints == ["app:part", "new\t7"] * 2
        assert [row.entry for row in world.ask_to_upgrade()] == ["app:deaf"]


def test_newer_code_is_told_once_until_it_is_looked_at_and_to_the_entry_asked_for_only():
    with World() as world:
        body = "local news = process.upgrades() process.inbox():receive() while true do print(news:receive()) end"
        world.run(
            LOCALS + "process.registry.register('1', spawn('one')) spawn('two')", one=body, two=body
        )
        world.add_main("one", body)
        world.add_main("two", body)
        for _ in range(3):
            assert [row.entry for row in world.ask_to_upgrade("app:one")] == ["app:one"]
        world.run("process.send('1', 'go')")
        assert world.prints == ["app:one\ttrue"]


def test_who_asks_late_is_told_at_once():
    with World() as world:
        world.run(
            LOCALS + "process.registry.register('x', spawn('late'))",
            late=("process.inbox():receive() print(process.upgrades():receive())"),
        )
        world.add_main("late", WAITS)
        assert [row.asked for row in world.ask_to_upgrade()] == [False]
        world.run("process.send('x', 'go')")
        assert world.prints == ["app:late\ttrue"]


def test_a_newer_module_outdates_whoever_has_loaded_it():
    with World() as world:
        world.load_module("lib", "return 1")
        world.run(
            LOCALS + "spawn('user') spawn('other')",
            user="require('lib') process.inbox():receive()",
            other=WAITS,
        )
        assert world.required == [ModuleRequired("app:user", "lib")]
        assert world.ask_to_upgrade() == []
        world.load_module("lib", "return 2")
        assert [row.entry for row in world.ask_to_upgrade()] == ["app:user"]


@pytest.mark.parametrize(
    "call", ["process.upgrades():close()", "process.unlisten(process.upgrades())"]
)
def test_the_channel_of_upgrades_is_the_processes_own(call):
    found = run(f"local ok = pcall(function() assert({call}) end) return ok")
    assert found is False
    assert run("return process.upgrades() == process.upgrades()") is True


def test_faulty_newer_code_is_not_kept():
    with World() as world:
        world.run(LOCALS + "spawn('part')", part="process.upgrades() process.inbox():receive()")
        assert world.load("part", "return {") is not None
        assert world.ask_to_upgrade() == []


def test_the_error_names_the_file_and_the_line_of_the_new_version():
    with World() as world:
        world.add_file("own", "\nreturn {{")
        world.add_main("main", "process.upgrade('app:own')")
        found = world.run("process.upgrade('app:own')")
    assert isinstance(found, Fault)
    assert found.message.startswith("app/own.lua:2: ")


@pytest.mark.one_state("steps the hub alone")
def test_who_has_not_run_yet_is_not_asked():
    with World() as world:
        port = world.kernel.open_port()
        world.add_main("new", WAITS)
        world.kernel.request(port, 99, "spawn", b"\x90", "app:new", HOST, False, False, False)
        world.kernel.step(0.0, 1)
        world.add_main("new", WAITS)
        assert [row.asked for row in world.ask_to_upgrade()] == [False]
