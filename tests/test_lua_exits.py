"""How a Lua process ends, and what those who watch it get to see."""

from __future__ import annotations

import pytest

from lua_api import Fault, ProcessExited
from tests import placement
from tests.lua_world import EPOCH, HOST, World, run
from tests.placement import not_on_jit

pytestmark = pytest.mark.wander

HUGE = 1_000_000

# How Q ends: (name, what its main does, result, error as text; None is a normal end).
NORMAL = [
    ("nothing", "return", None),
    ("nil", "return nil", None),
    ("nil, nil", "return nil, nil", None),
    ("a value", "return {1, {a = 'x'}}", [1, {"a": "x"}]),
    ("false", "return false", False),
    ("a second result that is no error", "return 5, {}", 5),
    ("cancel, then a return", "process.events():receive() return 'asked'", "asked"),
]
FAILURES = [
    ("nil, text", "return nil, 'why'", "why"),
    ("false, text", "return false, 'why'", "why"),
    ("value, text", "return 5, 'why'", "why"),
    ("value, error object", "return 5, errors.new('why')", "why"),
    ("text", "\nerror('m')", "app/q.lua:2: m"),
    ("text without a place", "error('m', 0)", "m"),
    ("error object", "error(errors.new{message = 'm', kind = errors.CONFLICT})", "m"),
    ("wrapped error", "error(errors.wrap(errors.new('m'), 'while reading'))", "while reading: m"),
    ("table", "error({code = 5, list = {'a'}})", '{code = 5, list = {[1] = "a"}}'),
    ("hostile table", "error(setmetatable({1}, {__tostring = error}))", "{[1] = 1}"),
    ("nil", "error(nil)", "nil"),
    ("boolean", "error(false)", "false"),
    ("number", "error(42)", "42"),
    ("bytes", r"error('\255\0', 0)", "\udcff\0"),
    ("huge text", f"error(('x'):rep({HUGE}), 0)", "x" * HUGE),
    ("nil value", "local x\n\n  x.y = 1", "app/q.lua:3: attempt to index a nil value (local 'x')"),
    ("coroutine", "coroutine.spawn(function() error('c', 0) end) time.sleep('1h')", "c"),
    (
        "later in a coroutine",
        "coroutine.spawn(function() time.sleep('1ms') error('c', 0) end)"
        " pcall(function() process.inbox():receive() end)",
        "c",
    ),
    ("raised again", "local ok, e = pcall(error, 'm', 0) error(e, 0)", "m"),
    (
        "closed channel",
        "local c = channel.new() c:close()\nc:send(1)",
        "app/q.lua:2: send on closed",
    ),
    (
        "recursion of coroutines",
        "local function f() coroutine.spawn(f) end f()",
        "stack overflow (more than 10000 coroutines",
    ),
    ("a result that cannot be sent", "return {cb = print}", "result.cb: function cannot be sent"),
    ("a cyclic result", "local t = {} t.t = t return t", "result.t: table that contains itself"),
    ("terminate", "process.inbox():receive()", "process terminated"),
    ("terminate itself", "process.terminate(process.pid())", "process terminated"),
    (
        "a cascade",
        "process.spawn_linked('app:bomb', 'app:processes') process.inbox():receive()",
        "linked process failed",
    ),
]
ENDS = [(f"normal: {name}", body, result, None) for name, body, result in NORMAL]
ENDS += [(f"failure: {name}", body, None, error) for name, body, error in FAILURES]

# P watches Q, tells who runs it what it saw, and ends if a link ends it.
WATCHER = f"""
  local parent, how, trap = ...
  process.set_options{{trap_links = trap}}
  local q = process[how]("app:q", "{HOST}")
  process.cancel(q)
  if how == "spawn" then process.monitor(q) process.link(q) end
  time.sleep("1s")
  process.terminate(q)
  local seen = {{}}
  while true do
    local got = channel.select{{process.events():case_receive(), default = true}}
    if not got.channel then return {{q = q, seen = seen}} end
    seen[#seen + 1] = got.value
  end
"""


@pytest.fixture(scope="module")
def world():
    with World() as world:
        yield world


def watched(world, body, how, *, trap):
    """What P saw of Q, or the error that ended P."""
    main = f"return process.exec('app:p', '{HOST}', process.pid(), ...)"
    world.exits.clear()
    return world.run(main, how, trap, p=WATCHER, q=body, bomb="error('boom')")


def text_of(fault):
    return ": ".join([*reversed(fault.context), fault.message])


@pytest.mark.parametrize("trap", [True, False])
@pytest.mark.parametrize("how", ["spawn_monitored", "spawn_linked", "spawn_linked_monitored"])
@pytest.mark.parametrize(("name", "body", "result", "error"), ENDS, ids=[end[0] for end in ENDS])
def test_what_a_watcher_sees_of_an_end(world, name, body, result, error, how, trap):
    found = watched(world, body, how, trap=trap)
    if error is not None and "linked" in how and not trap:
        assert isinstance(found, Fault)
        assert (found.message, found.kind) == ("linked process failed", "Canceled")
        return
    assert isinstance(found, dict), found
    seen = found["seen"] or []
    kinds = ["EXIT"] * ("monitored" in how) + ["LINK_DOWN"] * (
        error is not None and "linked" in how
    )
    assert [event["kind"] for event in seen] == kinds
    for event in seen:
        assert event["from"] == found["q"]
        assert event.get("result") == result
        assert ("result" in event) is (result is not None)
        assert event["at"] == pytest.approx(EPOCH + world.seconds, abs=2)
        if error is None:
            assert "error" not in event
        else:
            assert isinstance(event["error"], Fault)
            assert text_of(event["error"]).startswith(error)
            assert len(text_of(event["error"])) < len(error) + 80


@pytest.mark.parametrize(("name", "body", "result", "error"), ENDS, ids=[end[0] for end in ENDS])
def test_python_sees_the_same_end(world, name, body, result, error):
    watched(world, body, "spawn_monitored", trap=True)
    [end] = [end for end in world.exits if end.entry == "app:q"]
    assert isinstance(end, ProcessExited)
    assert end.result == result
    assert (end.result is None) is (result is None)
    assert (end.error is None) is (error is None)
    if end.error is not None:
        assert text_of(end.error).startswith(error)


def test_deep_recursion_ends_the_process_with_its_line():
    found = run("\nlocal function f() return 1 + f() end f()")
    assert isinstance(found, Fault)
    assert found.message == "app/main.lua:2: stack overflow"


def test_a_stack_that_is_full_to_the_last_slot_harms_nobody():
    """With one of these nothing is left of it, not even what it takes to look at it."""
    for slots in range(5, 8):
        used = "".join(f"local x{n} = {n} " for n in range(slots))
        found = run(f"{used}\nlocal function f() return 1 + f() end f()")
        assert isinstance(found, Fault)
        assert found.message == "app/main.lua:2: stack overflow"


def test_an_error_object_keeps_its_parts():
    q = """
      local e = errors.new{message = "m", kind = errors.TIMEOUT, retryable = true, details = {a = {1}}}
      error(errors.wrap(e, "c"))
    """
    body = f"""
      process.spawn_monitored("app:q", "{HOST}")
      local e = process.events():receive().error
      return {{e:kind(), e:message(), e:retryable(), e:details().a[1], tostring(e),
               e:stack():find("app/q.lua:2", 1, true) ~= nil}}
    """
    assert run(body, q=q) == ["Timeout", "m", True, 1, "c: m", True]


def test_details_may_be_false_or_as_deep_as_any_payload():
    deep = "(function() local t = 1 for _ = 1, 498 do t = {t} end return t end)()"
    body = f"""
      process.spawn_monitored("app:q", "{HOST}", ...)
      return process.events():receive().error:details()
    """
    assert run(body, q="error(errors.new{message = 'm', details = false})") is False
    found = run(body, q=f"error(errors.new{{message = 'm', details = {deep}}})")
    levels = 0
    while isinstance(found, list):
        [found] = found
        levels += 1
    assert (levels, found) == (498, 1)


def test_a_result_may_be_as_deep_as_any_payload():
    deepest = "local t = 1 for _ = 1, 500 do t = {t} end return t"
    found = run(f"local v, e = process.exec('app:q', '{HOST}') return e or v", q=deepest)
    levels = 0
    while isinstance(found, list):
        [found] = found
        levels += 1
    assert (levels, found) == (500, 1)
    assert isinstance(run("local t = 1 for _ = 1, 501 do t = {t} end return t"), Fault)


def test_the_origin_of_a_cascade_is_named_all_along_it():
    """A chain of linked processes: the last one fails, the first one traps."""
    body = f"""
      process.set_options{{trap_links = true}}
      process.spawn_linked("app:chain", "{HOST}", 3, process.pid())
      local bomb = process.inbox():receive():payload()
      local event = process.events():receive()
      local details = event.error:details()
      return {{event.kind, tostring(event.error), details.origin == bomb, details.error}}
    """
    chain = f"""
      local n, top = ...
      if n == 0 then
        process.send(top, "bomb", process.pid())
        time.sleep("1s")
        error(errors.new{{message = "boom", details = {{origin = "somebody else"}}}})
      end
      process.spawn_linked("app:chain", "{HOST}", n - 1, top)
      process.inbox():receive()
    """
    assert run(body, chain=chain) == ["LINK_DOWN", "linked process failed", True, "boom"]


@pytest.mark.parametrize(
    "busy",
    [
        "time.sleep('1h')",
        "process.inbox():receive()",
        "while true do process.send(process.pid(), 't') process.inbox():receive() end",
        "channel.new():send(1)",
        "pcall(time.sleep, '1h')",
        "coroutine.spawn(function() time.sleep('1h') end) time.sleep('1h')",
        "while true do process.spawn('app:brief', 'app:processes') end",
    ],
)
def test_a_link_ends_a_process_whatever_it_does(busy):
    body = f"""
      local p = process.spawn_monitored("app:p", "{HOST}")
      process.spawn("app:q", "{HOST}", p)
      return tostring(process.events():receive().error)
    """
    q = "process.link((...)) time.sleep('10ms') error('x')"
    assert run(body, p=busy, q=q, brief="") == "linked process failed"


def test_trap_links_is_looked_at_when_the_failure_comes():
    body = f"""
      local q = process.spawn_linked("app:q", "{HOST}")
      process.set_options{{trap_links = true}}
      process.send(q, "fail")
      return process.events():receive().kind
    """
    q = "process.inbox():receive() error('x')"
    assert run(body, q=q) == "LINK_DOWN"
    swapped = body.replace(
        "process.send(q", "process.set_options{trap_links = false} process.send(q"
    )
    found = run(swapped, q=q)
    assert isinstance(found, Fault)
    assert found.message == "linked process failed"


def test_a_normal_end_leaves_no_link_behind():
    body = f"""
      process.spawn_linked("app:q", "{HOST}")
      time.sleep("1s")
      return "alive"
    """
    assert run(body, q="return 5") == "alive"


def test_a_large_group_of_linked_processes_ends_once_each():
    body = f"""
      local pids = {{}}
      for i = 1, 12 do
        pids[i] = process.spawn_monitored("app:member", "{HOST}")
        for j = 1, i - 1 do process.send(pids[i], "link", pids[j]) end
      end
      time.sleep("1s")
      process.terminate(pids[5])
      local ended = {{}}
      for _ = 1, 12 do
        local event = process.events():receive()
        assert(not ended[event.from])
        ended[event.from] = tostring(event.error)
      end
      local texts = {{}}
      for i = 1, 12 do texts[i] = ended[pids[i]] end
      assert(channel.select{{process.events():case_receive(), default = true}}.default)
      return texts
    """
    member = "while true do process.link(process.inbox():receive():payload()) end"
    expected = ["linked process failed"] * 12
    expected[4] = "process terminated"
    assert run(body, member=member) == expected


# The order at an end


def test_the_order_at_an_end_is_messages_names_exit_link_down():
    """When EXIT is seen, sends fail, the name is free, and what was sent before is in the mailbox."""
    body = f"""
      process.set_options{{trap_links = true}}
      local q = process.spawn_linked_monitored("app:q", "{HOST}", process.pid())
      local first = process.events():receive()
      local sent, err = process.send(q, "t")
      local names = {{process.registry.register("q"), process.registry.register("q2")}}
      local last, got = nil, channel.select{{process.inbox():case_receive(), default = true}}
      while got.channel do
        last = got.value:payload()
        got = channel.select{{process.inbox():case_receive(), default = true}}
      end
      return {{first.kind, sent == nil, err:kind(), names[1], names[2], last,
               process.events():receive().kind}}
    """
    q = """
      process.registry.register("q") process.registry.register("q2")
      for i = 1, 200 do process.send(..., "t", i) end
      error("x")
    """
    assert run(body, q=q) == ["EXIT", True, "NotFound", True, True, 200, "LINK_DOWN"]


@pytest.mark.one_state("what happens elsewhere takes a turn of its state")
def test_exit_goes_to_every_watcher_before_link_down_goes_to_anybody():
    """A listener per process writes down the order in which events reach it."""
    body = f"""
      local log = process.listen("log")
      local q = process.spawn("app:q", "{HOST}")
      process.spawn("app:w", "{HOST}", process.pid(), q, "link")
      process.spawn("app:w", "{HOST}", process.pid(), q, "monitor")
      process.spawn("app:w", "{HOST}", process.pid(), q, "link")
      process.spawn("app:w", "{HOST}", process.pid(), q, "monitor")
      time.sleep("1s")
      process.terminate(q)
      return {{log:receive(), (log:receive()), (log:receive()), (log:receive())}}
    """
    body = body.replace("{log:receive(),", "{(log:receive()),")
    w = """
      local top, q, how = ...
      process.set_options{trap_links = true}
      process[how](q)
      process.send(top, "log", process.events():receive().kind)
    """
    expected = ["EXIT", "EXIT", "LINK_DOWN", "LINK_DOWN"]
    assert run(body, q="process.inbox():receive()", w=w) == expected


def test_trapped_events_wait_until_they_are_read():
    body = f"""
      process.set_options{{trap_links = true}}
      for i = 1, 3 do process.spawn_linked("app:q", "{HOST}", i) end
      time.sleep("1h")
      local seen = {{}}
      for i = 1, 3 do seen[i] = tostring(process.events():receive().error) end
      return seen
    """
    assert run(body, q="error('e' .. ..., 0)") == ["e1", "e2", "e3"]


def test_events_are_not_dropped_by_a_full_mailbox():
    with World(max_mailbox=1) as world:
        found = world.run(
            f"""
            process.send(process.pid(), "t")
            for i = 1, 20 do process.spawn_monitored("app:q", "{HOST}") end
            time.sleep("1s")
            for i = 1, 20 do process.events():receive() end
            return process.send(process.pid(), "t") == nil
            """,
            q="return 1",
        )
    assert found is True


@pytest.mark.parametrize(
    "closing",
    [
        "",
        pytest.param(
            "local closing <close> = setmetatable({}, {__close = function() print('closed') end})",
            marks=not_on_jit("there is no <close>"),
        ),
    ],
)
def test_what_a_process_owned_is_dropped_without_running_more_of_it(closing):
    with World() as world:
        found = world.run(
            """
            coroutine.spawn(function() time.sleep("1s") print("slept") end)
            coroutine.spawn(function() process.inbox():receive() print("received") end)
            coroutine.spawn(function() process.events():receive() print("event") end)
            local tick = time.ticker("1ms")
            coroutine.spawn(function() while tick:channel():receive() do print("tick") end end)
            """
            + closing
            + """
            process.monitor(process.pid())
            process.registry.register("me")
            process.terminate(process.pid())
            """
        )
        assert isinstance(found, Fault)
        assert world.prints == []
        assert (world.statistics().timers, world.statistics().names) == (0, 0)


def test_an_error_caught_by_pcall_ends_nothing():
    body = """
      local ok, err = pcall(function() time.sleep("1ms") error("x", 0) end)
      local ok2, err2 = pcall(function() return channel.new():send(1, error("y", 0)) end)
      local deep, message = pcall(function() local function f() return 1 + f() end f() end)
      return {ok, err, ok2, err2, deep, message:find("stack overflow") ~= nil}
    """
    assert run(body) == [False, "x", False, "y", False, True]


OWNS = """
  events = process.events()
  local ch, topic = channel.new(), process.listen("t")
  coroutine.spawn(function() ch:receive() end)
  coroutine.spawn(function() topic:receive() end)
  process.unlisten(process.listen("u"))
  timer = time.timer("1h")
"""


def lua_bytes(world):
    for kernel in world.kernels.values():
        kernel.collect_garbage()
    return sum(kernel.statistics().lua_bytes for kernel in world.kernels.values())


@pytest.mark.parametrize("owned", ["", OWNS], ids=["nothing", "channels"])
def test_no_memory_is_left_over_by_processes_that_ended(owned):
    ends = ["return 1", "error('x')", "process.terminate(process.pid())"]
    with World() as world:
        for name, end in enumerate(ends):
            named = "process.registry.register(process.pid() .. 'n') "
            world.add_main(f"q{name}", named + owned + end)
        body = f"""
          for i = 1, {placement.fewer(300)} do
            process.spawn_monitored("app:q" .. i % 3, "{HOST}", ("x"):rep(1000))
            process.events():receive()
          end
        """
        world.run(body)
        before = lua_bytes(world)
        for _ in range(5):
            world.run(body)
        world.exits.clear()
        assert lua_bytes(world) - before < 50_000
