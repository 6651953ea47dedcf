"""How Lua processes start, ask and watch each other."""

from __future__ import annotations

import pytest

from lua_api import Fault, ProcessStarted
from tests.lua_world import EPOCH, HOST, World, run
from tests.placement import not_on_jit

pytestmark = pytest.mark.wander

LOCALS = f"""
  local HOST = "{HOST}"
  local function spawn(name, ...) return process.spawn("app:" .. name, HOST, ...) end
  local function poll(ch)
    local got = channel.select{{ch:case_receive(), default = true}}
    if got.channel then return got.value end
    return false
  end
"""
SPAWNS = ["spawn", "spawn_monitored", "spawn_linked", "spawn_linked_monitored"]
EVERY_SPAWN = pytest.mark.parametrize("spawn", SPAWNS)
WAITS = "process.inbox():receive()"


@EVERY_SPAWN
def test_a_child_gets_its_arguments_and_waits_for_what_was_sent_at_once(spawn):
    body = f"""
      local pid = process.{spawn}("app:child", HOST, process.pid(), 1, nil, {{a = 2}}, nil)
      for i = 1, 3 do process.send(pid, "t", i) end
      return {{pid = pid, got = process.inbox():receive():payload()}}
    """
    child = """
      local parent = ...
      local inbox, n = process.inbox(), select("#", ...)
      local _, one, none, table, last = ...
      local got = {process.pid(), n, one, none == nil, table.a, last == nil}
      for i = 1, 3 do got[#got + 1] = inbox:receive():payload() end
      process.send(parent, "got", got)
    """
    found = run(LOCALS + body, child=child)
    assert isinstance(found, dict), found
    assert found["got"] == [found["pid"], 5, 1, True, 2, True, 1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ("'app:nowhere', HOST", "NotFound", '"app:nowhere"'),
        ("'app:main', 'app:nohost'", "NotFound", '"app:nohost"'),
        ("'app:main', 'python'", "NotFound", '"python"'),
        ("", "Invalid", "entry"),
        ("nil, HOST", "Invalid", "entry"),
        ("'app:main'", "Invalid", "host"),
        ("'app:main', HOST, 1, {a = print}", "Invalid", "argument[2].a: function cannot be sent"),
        ("'app:main', HOST, coroutine.create(print)", "Invalid", "argument[1]: coroutine"),
    ],
)
def test_every_spawn_refuses_what_cannot_be_started(arguments, kind, words):
    body = f"""
      local found = {{}}
      for i, name in ipairs{{"spawn", "spawn_monitored", "spawn_linked",
                             "spawn_linked_monitored", "exec"}} do
        local pid, err = process[name]({arguments})
        assert(pid == nil and err:find({words!r}, 1, true), err)
        found[i] = err:kind()
      end
      return found
    """
    assert run(LOCALS + body) == [kind] * 5


def test_a_full_host_refuses_and_takes_one_more_when_one_has_ended():
    with World(max_processes=3) as world:
        found = world.run(
            LOCALS
            + """
            local a, b = spawn("child"), spawn("child")
            local none, err = spawn("child")
            local none2, err2 = process.exec("app:child", HOST)
            process.terminate(a)
            return {none == nil, err:kind(), err:find(HOST, 1, true) ~= nil, none2 == nil,
                    err2:kind(), spawn("child") ~= nil}
            """,
            child=WAITS,
        )
    assert found == [True, "RateLimited", True, True, "RateLimited", True]


BROKEN = [
    ("return {", "app/broken.lua:1: "),
    ("local x = 1\nlocal = 2\nreturn {}", "app/broken.lua:2: "),
    ("end end", "app/broken.lua:1: "),
    ("local x = 1\nerror('no luck')", "app/broken.lua:2: no luck"),
    ("\n\nlocal y = nil + 1", "app/broken.lua:3: attempt"),
    ("error({code = 5})", "{code = 5}"),
    ("local t = {}\nreturn t", "app/broken.lua:2: main is missing"),
    ("local t = {}\nreturn t\n", "app/broken.lua:2: main is missing"),
    ("return { main = 5 }", "app/broken.lua:1: main is missing"),
    ("return 5", "app/broken.lua:1: main is missing"),
    ("", "app/broken.lua:1: main is missing"),
    ("process.terminate(process.pid())\nreturn {}", "process terminated"),
    ("coroutine.spawn(function() error('inside') end)\nreturn {}", "app/broken.lua:1: inside"),
    ("\27Lua", "app/broken.lua:"),
]


@pytest.mark.parametrize(("text", "words"), BROKEN)
def test_a_file_that_cannot_be_loaded_is_reported_by_every_spawn(text, words):
    body = """
      local texts, names = {}, {"spawn", "spawn_monitored", "spawn_linked", "exec"}
      for i, name in ipairs(names) do
        local pid, err = process[name]("app:broken", HOST)
        texts[i] = pid == nil and tostring(err)
      end
      assert(not poll(process.events()))
      return texts
    """
    with World() as world:
        world.add_file("broken", text)
        found = world.run(LOCALS + body)
        assert world.statistics().processes == 0
    assert isinstance(found, list), found
    assert len(set(found)) == 1
    assert len(found) == 4
    # What the compiler calls bytecode has no line.
    assert found[0].startswith(words) or "bytecode" in words or "\27" in text


def test_a_file_is_read_again_after_it_was_faulty():
    with World() as world:
        world.add_file("child", "return {")
        body = LOCALS + "return (spawn('child')) ~= nil"
        assert world.run(body) is False
        world.add_file("child", "return { main = function() end }")
        assert world.run(body) is True


def test_a_module_may_be_a_function():
    with World() as world:
        world.add_file("child", "return function(x) return x + 1 end")
        assert world.run(LOCALS + "return process.exec('app:child', HOST, 4)") == 5


@pytest.mark.parametrize("spawn", ["spawn_monitored", "spawn_linked_monitored"])
@pytest.mark.parametrize(
    ("child", "result", "error"),
    [
        ("return 7", 7, None),
        ("return nil, 'why'", None, "why"),
        ("error('why', 0)", None, "why"),
        ("process.terminate(process.pid())", None, "process terminated"),
    ],
)
def test_the_end_of_a_monitored_child_that_ends_at_once_is_never_lost(spawn, child, result, error):
    body = f"""
      process.set_options{{trap_links = true}}
      local pid = process.{spawn}("app:child", HOST)
      time.sleep("1s")
      local event = process.events():receive()
      return {{mine = event.from == pid, kind = event.kind, result = event.result,
               error = event.error and tostring(event.error), at = event.at}}
    """
    expected = {"mine": True, "kind": "EXIT", "result": result, "error": error, "at": EPOCH}
    found = run(LOCALS + body, child=child)
    assert found == {key: value for key, value in expected.items() if value is not None}


@pytest.mark.parametrize("spawn", ["spawn_linked", "spawn_linked_monitored"])
def test_a_linked_child_that_fails_at_once_takes_its_parent_along(spawn):
    found = run(LOCALS + f"process.{spawn}('app:child', HOST) {WAITS}", child="error('why', 0)")
    assert isinstance(found, Fault)
    assert found.message == "linked process failed"


@pytest.mark.parametrize(
    ("spawn", "events"),
    [
        ("spawn", []),
        ("spawn_monitored", ["EXIT"]),
        ("spawn_linked", ["LINK_DOWN"]),
        ("spawn_linked_monitored", ["EXIT", "LINK_DOWN"]),
    ],
)
def test_each_spawn_attaches_what_its_name_says(spawn, events):
    body = f"""
      process.set_options{{trap_links = true}}
      process.{spawn}("app:child", HOST)
      time.sleep("1s")
      local seen, event = {{}}, poll(process.events())
      while event do
        seen[#seen + 1], event = event.kind, poll(process.events())
      end
      return seen
    """
    assert run(LOCALS + body, child="error('why')") == (events or {})


def test_a_linked_child_follows_a_parent_that_ends_while_it_spawns():
    with World() as world:
        world.add_file(
            "child",
            "process.send('ender', 'now') time.sleep('1s')"
            " return { main = function() process.inbox():receive() end }",
        )
        world.run(
            LOCALS
            + """
            process.registry.register("ender")
            local parent = spawn("parent")
            process.inbox():receive()
            process.terminate(parent)
            """,
            parent=LOCALS + "process.spawn_linked('app:child', HOST)",
        )
        assert world.statistics().processes == 0


@pytest.mark.parametrize(
    ("child", "result"),
    [
        ("return ...", "given"),
        ("return", None),
        ("return nil", None),
        ("return false", False),
        ("return {1, {a = 2}}, 5", [1, {"a": 2}]),
        ("time.sleep('1h') return 'late'", "late"),
    ],
)
def test_exec_gives_the_first_result(child, result):
    body = "local v, err = process.exec('app:child', HOST, 'given') return {v = v, err = err}"
    expected = {} if result is None else {"v": result}
    assert run(LOCALS + body, child=child) == expected


@pytest.mark.parametrize(
    ("child", "kind", "text"),
    [
        ("return nil, 'why'", "", "why"),
        ("error('why')", "", "app/child.lua:1: why"),
        ("error(errors.new{message = 'why', kind = errors.TIMEOUT})", "Timeout", "why"),
        ("process.terminate(process.pid())", "Canceled", "process terminated"),
    ],
)
def test_exec_gives_the_error_of_the_child(child, kind, text):
    body = """
      local v, err = process.exec("app:child", HOST)
      return {v == nil, err:kind(), tostring(err)}
    """
    assert run(LOCALS + body, child=child) == [True, kind, text]


def test_exec_suspends_only_its_own_coroutine():
    body = """
      local done = channel.new(2)
      coroutine.spawn(function() done:send(process.exec("app:child", HOST)) end)
      done:send("first")
      return {(done:receive()), (done:receive())}
    """
    assert run(LOCALS + body, child="time.sleep('1s') return 'second'") == ["first", "second"]


# Asking and forcing


@pytest.mark.parametrize("dest", ["pid", "'child'"])
def test_cancel_asks_with_an_event(dest):
    body = f"""
      local pid = process.spawn_monitored("app:child", HOST)
      process.registry.register("child", pid)
      local asked = process.cancel({dest}, "enough")
      process.cancel(pid)
      return {{asked, process.pid(), process.events():receive().result}}
    """
    child = """
      local a, b = process.events():receive(), process.events():receive()
      return {a.kind, a.from, a.reason, a.at, b.reason}
    """
    found = run(LOCALS + body, child=child)
    assert isinstance(found, list), found
    asked, pid, result = found
    assert asked is True
    assert result == ["CANCEL", pid, "enough", EPOCH, ""]


def test_cancel_is_harmless_to_who_reads_no_events():
    body = """
      local pid = process.spawn_monitored("app:child", HOST)
      process.cancel(pid)
      return process.events():receive().result
    """
    assert run(LOCALS + body, child="time.sleep('1s') return 'done'") == "done"


@pytest.mark.parametrize(
    "child",
    [
        "while true do process.send(process.pid(), 't') process.inbox():receive() end",
        "process.inbox():receive()",
        "time.sleep('1h')",
        "pcall(process.inbox().receive, process.inbox()) process.send('main', 'alive')",
        "coroutine.wrap(function() time.sleep('1s') end)() process.send('main', 'alive')",
        "channel.new():send(1)",
        "process.exec('app:child2', 'app:processes')",
    ],
)
@pytest.mark.parametrize("dest", ["pid", "'child'"])
def test_terminate_forces_and_no_more_lua_runs(child, dest):
    body = f"""
      process.registry.register("main")
      local pid = process.spawn_monitored("app:child", HOST)
      process.registry.register("child", pid)
      time.sleep("10ms")
      local done = process.terminate({dest})
      local event = process.events():receive()
      time.sleep("2h")
      return {{done, tostring(event.error), event.error:kind(), process.terminate(pid) == nil,
               poll(process.inbox())}}
    """
    expected = [True, "process terminated", "Canceled", True, False]
    assert run(LOCALS + body, child=child, child2="time.sleep('1h')") == expected


@pytest.mark.parametrize(
    "closing",
    [
        "",
        pytest.param(
            "local done <close> = setmetatable({}, {__close = function() print('closed') end})",
            marks=not_on_jit("there is no <close>"),
        ),
    ],
)
def test_a_process_that_terminates_itself_does_not_go_on(closing):
    with World() as world:
        found = world.run(closing + " pcall(process.terminate, process.pid()) print('still here')")
        assert isinstance(found, Fault)
        assert found.message == "process terminated"
        assert world.prints == []


@pytest.mark.parametrize("name", ["monitor", "link", "terminate", "cancel"])
@pytest.mark.parametrize("dest", ["dead", "'nobody'", "'{app:processes|0x99999}'", "''"])
def test_watching_and_ending_what_is_not_there_is_refused(name, dest):
    body = f"""
      local dead = spawn("child")
      time.sleep("1s")
      local ok, err = process.{name}({dest})
      return {{ok == nil, err:kind(), err:find({dest}, 1, true) ~= nil, tostring(err)}}
    """
    found = run(LOCALS + body, child="return 1")
    assert isinstance(found, list), found
    assert found[:3] == [True, "NotFound", True]
    assert found[3].startswith("pid not registered: ") or name in ("terminate", "cancel")


@pytest.mark.parametrize("dest", ["pid", "'child'"])
def test_monitor_gives_one_exit_until_it_is_taken_back(dest):
    body = f"""
      local pid = spawn("child")
      process.registry.register("child", pid)
      local first = process.monitor({dest})
      local twice, err = process.monitor(pid)
      local undone = process.unmonitor({dest})
      local again = process.unmonitor({dest})
      local anew = process.monitor(pid)
      process.send(pid, "end")
      time.sleep("1s")
      local event = poll(process.events())
      return {{first, twice == nil, err:kind(), undone, again, anew, event.from == pid, event.result,
               poll(process.events()), process.unmonitor(pid), process.unmonitor("nobody")}}
    """
    expected = [True, True, "AlreadyExists", True, True, True, True, 5, False, True, True]
    assert run(LOCALS + body, child=f"{WAITS} return 5") == expected


@pytest.mark.one_state("what happens elsewhere takes a turn of its state")
def test_an_unmonitored_process_ends_without_an_event():
    body = """
      local pid = process.spawn_monitored("app:child", HOST)
      process.unmonitor(pid)
      time.sleep("1s")
      return poll(process.events())
    """
    assert run(LOCALS + body, child="return 5") is False


@pytest.mark.parametrize(
    ("before", "linked"),
    [
        ("process.link(pid)", True),
        ("process.link('child')", True),
        ("process.link(pid) process.link(pid)", True),
        ("process.link(pid) process.unlink(pid)", False),
        ("process.link(pid) process.unlink('child') process.unlink(pid)", False),
        ("process.send(pid, 'link', process.pid()) time.sleep(1)", True),
        ("process.send(pid, 'link', process.pid()) time.sleep(1) process.unlink(pid)", False),
        ("process.link(pid) process.send(pid, 'unlink', process.pid()) time.sleep(1)", False),
    ],
)
@pytest.mark.parametrize("failing", ["parent", "child"])
def test_links_are_symmetric_and_idempotent(before, linked, failing):
    """The one that fails takes the other along, whoever made or took back the link."""
    parent = f"""
      local pid = ...
      process.registry.register("child", pid)
      {before}
      if "{failing}" == "child" then process.send(pid, "fail") else error("x") end
      time.sleep("1s")
    """
    child = """
      while true do
        local msg = process.inbox():receive()
        if msg:topic() == "fail" then error("x") end
        assert(process[msg:topic()](msg:payload()))
      end
    """
    body = """
      local child = process.spawn_monitored("app:child", HOST)
      local parent = process.spawn_monitored("app:parent", HOST, child)
      local texts = {}
      for _ = 1, 2 do
        local got = channel.select{process.events():case_receive(), time.after("3s"):case_receive()}
        if type(got.value) == "table" and got.value.from then
          texts[got.value.from == child and "child" or "parent"] = tostring(got.value.error)
        end
      end
      return texts
    """
    found = run(LOCALS + body, child=child, parent=parent)
    assert isinstance(found, dict), found
    other = "child" if failing == "parent" else "parent"
    assert found[failing].endswith(": x")
    survived = None if other == "child" else "nil"
    assert found.get(other) == ("linked process failed" if linked else survived)


@pytest.mark.parametrize("name", ["unlink", "unmonitor"])
def test_taking_back_what_never_was_is_fine(name):
    body = f"""
      local pid = spawn("child")
      return {{process.{name}(pid), process.{name}("nobody"), process.{name}(process.pid())}}
    """
    assert run(LOCALS + body, child=WAITS) == [True, True, True]


def test_a_process_linked_to_itself_ends_as_usual():
    assert run("process.link(process.pid()) return 1") == 1


def test_options_are_a_fresh_table_and_links_are_not_trapped_at_first():
    body = """
      local options = process.get_options()
      options.trap_links, options.other = true, 1
      local now = process.get_options()
      return {now.trap_links, now.other == nil, now ~= options}
    """
    assert run(body) == [False, True, True]


@pytest.mark.parametrize(
    ("options", "trapped"),
    [
        ("{trap_links = true}", True),
        ("{trap_links = false}", False),
        ("{}", None),
        ("{trap_links = 1}", None),
        ("{trap_links = 'true'}", None),
        ("{trap_link = true}", None),
        ("{trap_links = true, other = 1}", None),
        ("{trap_links = false, [1] = true}", None),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_options_are_set_all_or_none(options, trapped, before):
    body = f"""
      local before = ...
      process.set_options{{trap_links = before}}
      local ok, err = process.set_options({options})
      return {{ok, ok and "" or err:kind(), process.get_options().trap_links}}
    """
    refused = trapped is None and options != "{}"
    after = before if trapped is None else trapped
    assert run(body, before) == ([False, "Invalid", after] if refused else [True, "", after])


@pytest.mark.one_state("pids tell where a process lives")
def test_started_reports_readiness_and_a_value():
    with World() as world:
        started = []
        on_effect = world._on_effect
        world._on_effect = lambda effect, kernel: (
            started.append(effect),
            on_effect(effect, kernel),
        )
        found = world.run(
            """
            local ok, err = process.started({ready = print})
            return {process.started({port = 5}), process.started(), ok == nil, err:kind(), tostring(err)}
            """
        )
        pid = "{app:processes|0x00002}"
        reports = [effect for effect in started if isinstance(effect, ProcessStarted)]
    refused = [True, "Invalid", "value.ready: function cannot be sent"]
    assert found == [True, True, *refused]
    assert reports == [ProcessStarted(pid, {"port": 5}), ProcessStarted(pid, None)]


def test_the_kinds_of_events_are_three_constants():
    body = """
      local e = process.event
      local changed = pcall(function() e.EXIT = "other" end)
      return {type(e.EXIT), type(e.LINK_DOWN), type(e.CANCEL), e.EXIT ~= e.LINK_DOWN,
              e.EXIT ~= e.CANCEL, e.LINK_DOWN ~= e.CANCEL, changed}
    """
    assert run(body) == ["string", "string", "string", True, True, True, False]
