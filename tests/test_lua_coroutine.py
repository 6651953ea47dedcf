"""Concurrent coroutines of one process, and waits that pass through the coroutines of Lua."""

from __future__ import annotations

import re

import pytest

from tests.lua_world import HOST, World, run
from tests.placement import not_on_jit

CLOSES = not_on_jit("there is no coroutine.close")

SPAWNING = {
    "it runs up to its first wait before spawn returns": (
        """local log = {}
        coroutine.spawn(function() log[1] = "before" time.sleep(1) log[3] = "after" end)
        log[2] = "spawner"
        time.sleep(2) return log""",
        ["before", "spawner", "after"],
    ),
    "what does not wait does not end its run, however often it asks the kernel": (
        """local ch, done = channel.new(500), false
        coroutine.spawn(function() for i = 1, 500 do ch:send(i) end done = true end)
        return done""",
        True,
    ),
    "it gets the arguments, nil among them": (
        """local got
        coroutine.spawn(function(...) got = { select("#", ...), (select(3, ...)) } end,
          nil, 2, 3, nil)
        return got""",
        [4, 3],
    ),
    "they run at the same time": (
        """local got, begun = channel.new(), time.now()
        for i = 1, 3 do coroutine.spawn(function() time.sleep("1s") got:send(i) end) end
        local all = { (got:receive()), (got:receive()), (got:receive()) }
        return { all, time.now():sub(begun):seconds() }""",
        [[1, 2, 3], 1.0],
    ),
    "a coroutine can spawn another, in order": (
        """local log = {}
        coroutine.spawn(function()
          log[1] = "outer" coroutine.spawn(function() log[2] = "inner" end) log[3] = "outer again"
        end)
        log[4] = "spawner"
        return log""",
        ["outer", "inner", "outer again", "spawner"],
    ),
    "a chain of spawns can be long": (
        """local function chain(n)
          if n > 0 then coroutine.spawn(function() chain(n - 1) end) end
        end
        chain(5000) return "done" """,
        "done",
    ),
}


@pytest.mark.parametrize(("body", "result"), SPAWNING.values(), ids=SPAWNING)
def test_spawn(body, result):
    assert run(body) == result


@pytest.mark.one_state("what happens elsewhere takes a turn of its state")
def test_a_coroutine_that_never_waits_takes_turns_with_other_processes():
    with World() as world:
        world.add_main("busy", "coroutine.spawn(function() while not stop do process.pid() "
                       "process.registry.lookup('x') end end)")  # fmt: skip
        world.add_main("other", 'print("other runs")')
        world.add_main(
            "start",
            f"""
          process.spawn("app:busy", "{HOST}") process.spawn("app:other", "{HOST}")""",
        )
        world.kernel.request(None, 99, "spawn", b"\x90", "app:start", HOST, False, False, False)
        texts = [
            e.text
            for _ in range(4)
            for e in world.kernel.step(0.0, 1000).effects
            if hasattr(e, "text")
        ]
        assert texts == ["other runs"]
        for process in world.kernel.processes():
            world.kernel.request(world.kernel.open_port(), 100, "terminate", None, process.pid)


@pytest.mark.parametrize("wait", ["", "time.sleep(1) "])
def test_an_error_in_a_coroutine_ends_the_whole_process(wait):
    with World() as world:
        fault = world.run(f"""
          coroutine.spawn(function() {wait}error("broken") end)
          time.sleep("1s") print("not reached")""")
        assert fault.message == "app/main.lua:2: broken"
        assert world.prints == []


def test_the_end_of_main_ends_its_coroutines():
    with World() as world:
        world.run('coroutine.spawn(function() time.sleep(1) print("not reached") end)')
        assert world.prints == []


# Every way to wait for "v", with how to make it come.
WAITS = {
    "receive": "ch:receive()",
    "select": "channel.select{ ch:case_receive() }.value",
    "sleep": "time.sleep(5) and 'v'",
    "rendezvous": "back:send(1) and 'v'",
    "require": "require('mod')",
    "exec": f"process.exec('app:child', '{HOST}')",
}
AROUND = {
    "pcall": "select(2, pcall(function() return WAIT end))",
    "xpcall": "select(2, xpcall(function() return WAIT end, print))",
    "wrap": "coroutine.wrap(function() return WAIT end)()",
    "create": "select(2, coroutine.resume(coroutine.create(function() return WAIT end)))",
    "nested": """coroutine.wrap(function()
      return select(2, pcall(coroutine.wrap(function() return (WAIT) end)))
    end)()""",
    "metamethod": "setmetatable({}, { __index = function() return WAIT end }).key",
    "iterator": "(function() for v in function() return WAIT end do return v end end)()",
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_every_wait_works_through(around):
    with World() as world:
        world._files["mod"] = "time.sleep(1) return 'v'"
        for name, wait in WAITS.items():
            body = f"""
              local ch, back = channel.new(), channel.new()
              coroutine.spawn(function() time.sleep(1) ch:send("v") end)
              coroutine.spawn(function() time.sleep(1) back:receive() end)
              local others = 0
              coroutine.spawn(function() others = 1 end)
              local got = {around.replace("WAIT", wait)}
              return {{ got, others }}"""
            assert world.run(body, child="time.sleep(1) return 'v'") == ["v", 1], name


PASSING = {
    "its own yields and resumes go on as if it did not wait": (
        """local co = coroutine.create(function(a)
          time.sleep(1) local b = coroutine.yield(a + 1)
          time.sleep(1) local c = coroutine.yield(b + 1)
          time.sleep(1) return c + 1, "end"
        end)
        local log = {}
        for i, value in ipairs{ 10, 20, 30 } do log[i] = { coroutine.resume(co, value) } end
        log[4] = { coroutine.resume(co) }
        log[5] = coroutine.status(co)
        return log""",
        [[True, 11], [True, 21], [True, 31, "end"],
         [False, "cannot resume dead coroutine"], "dead"],
    ),
    "a generator that waits feeds a loop": (
        """local log = {}
        local function generate() for i = 1, 3 do time.sleep("1s") coroutine.yield(i) end end
        for v in coroutine.wrap(generate) do
          log[#log + 1] = v
        end
        return log""",
        [1, 2, 3],
    ),
    "an error after a wait goes to who resumed it": (
        """local co = coroutine.create(function() time.sleep(1) error("late", 0) end)
        local wrapped = coroutine.wrap(function() time.sleep(1) error({ code = 7 }) end)
        local ok, err = pcall(wrapped)
        return { { coroutine.resume(co) }, ok, err.code }""",
        [[False, "late"], False, 7],
    ),
    "while it waits it is active, and nobody else resumes it": (
        """local ch = channel.new()
        local co = coroutine.create(function() return (ch:receive()) end)
        local got = channel.new(1)
        coroutine.spawn(function() got:send{ coroutine.resume(co) } end)
        local status, resumed, why = coroutine.status(co), coroutine.resume(co, "wrong")
        ch:send("right")
        return { status, resumed, why, (got:receive()), coroutine.status(co) }""",
        ["normal", False, "cannot resume non-suspended coroutine", [True, "right"], "dead"],
    ),
    "nil and false can be yielded": (
        """local co = coroutine.create(function() coroutine.yield(nil, false) end)
        local ok, a, b = coroutine.resume(co)
        return { ok, a == nil, b, coroutine.status(co) }""",
        [True, True, False, "suspended"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "result"), PASSING.values(), ids=PASSING)
def test_coroutines_of_lua(body, result):
    assert run(body) == result


CLOSING = {
    "while it waits nobody else closes it": (
        """local ch, got = channel.new(), channel.new(1)
        local co = coroutine.create(function() return (ch:receive()) end)
        coroutine.spawn(function() got:send{ coroutine.resume(co) } end)
        local closed, refusal = pcall(coroutine.close, co)
        ch:send("right")
        return { closed, refusal, (got:receive()) }""",
        [False, "cannot close a normal coroutine", [True, "right"]],
    ),
    "a coroutine that suspended itself can be closed": (
        """local co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co)
        return { coroutine.close(co), coroutine.status(co) }""",
        [True, "dead"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "result"), CLOSING.values(), ids=CLOSING)
@CLOSES
def test_closing_a_coroutine(body, result):
    assert run(body) == result


@pytest.mark.parametrize(
    "call",
    [
        "table.sort({ 3, 2, 1 }, function(a, b) WAIT return a < b end)",
        'string.gsub("abc", "b", function() WAIT end)',
        '("abc"):gsub("b", function() WAIT end)',
        pytest.param(
            "tostring(setmetatable({}, { __tostring = function() WAIT return '' end }))",
            marks=not_on_jit("it can suspend in __tostring"),
        ),
    ],
)
@pytest.mark.parametrize("wait", ["time.sleep(1)", "channel.new():receive()"])
def test_where_lua_cannot_suspend_the_error_says_so(call, wait):
    body = call.replace("WAIT", wait)
    # LuaJIT says it in fewer words, and adds where.
    words = r"attempt to yield across (a )?C-call boundary$"
    assert re.search(words, run(body).message)
    ok, why = run(
        f"local ok, why = pcall(function() {body} end) time.sleep(1) return {{ ok, why }}"
    )
    assert not ok
    assert re.search(words, why)


@pytest.mark.lua("jit", why="other versions cannot suspend in __tostring")
def test_a_wait_passes_through_tostring():
    body = """
      local slow = setmetatable({}, { __tostring = function() time.sleep("1s") return "slow" end })
      local before = time.now()
      return { tostring(slow), time.now():sub(before):seconds() }"""
    assert run(body) == ["slow", 1]


FOREIGN = "local inner coroutine.spawn(function() inner = coroutine.running() time.sleep(1) end) "
REFUSED = "cannot resume a coroutine that the scheduler runs"


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (FOREIGN + "return { coroutine.resume(inner) }", [False, REFUSED]),
        ("return { coroutine.resume((coroutine.running())) }", [False, REFUSED]),
        (
            """local main = coroutine.running()
            return coroutine.wrap(function() return { coroutine.resume(main) } end)()""",
            [False, REFUSED],
        ),
        pytest.param(
            FOREIGN + "return { pcall(coroutine.close, inner) }",
            [False, "cannot close a coroutine that the scheduler runs"],
            marks=CLOSES,
        ),
        (
            "return { pcall(coroutine.yield) }",
            [False, "attempt to yield from outside a coroutine"],
        ),
        ("return select(2, coroutine.running())", True),
        (
            "return { coroutine.wrap(function() return select(2, coroutine.running()) end)() }",
            [False],
        ),
        ("return { coroutine.isyieldable() }", [False]),
        ("return coroutine.wrap(function() return coroutine.isyieldable() end)()", True),
    ],
)
def test_coroutines_that_the_scheduler_runs_are_its_own(body, result):
    assert run(body) == result


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("coroutine.spawn(5)", "bad argument #1 to 'spawn' (function expected, got number)"),
        ("coroutine.wrap(5)", "bad argument #1 to 'wrap' (function expected, got number)"),
        ("coroutine.create(5)", "bad argument #1 to 'create' (function expected, got number)"),
        ("coroutine.resume(5)", "bad argument #1 to 'resume' (coroutine expected, got number)"),
        ("coroutine.status(5)", "bad argument #1 to 'status' (coroutine expected, got number)"),
        pytest.param(
            "coroutine.close(5)",
            "bad argument #1 to 'close' (coroutine expected, got number)",
            marks=CLOSES,
        ),
        ("coroutine.yield(5)", "attempt to yield from outside a coroutine"),
    ],
)
def test_misuse_raises_at_the_line_of_the_caller(call, problem):
    assert run(f"\nlocal _ = {call}").message == f"app/main.lua:2: {problem}"


@pytest.mark.one_state("what happens elsewhere takes a turn of its state")
def test_a_spawn_that_does_not_wait_keeps_the_turn_of_its_process():
    with World() as world:
        world.run(
            f"""process.spawn("app:other", "{HOST}")
            coroutine.spawn(function() print("coroutine") end)
            print("main")""",
            other='print("other")',
        )
        assert world.prints == ["coroutine", "main", "other"]
