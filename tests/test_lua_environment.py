"""What is there for a Lua process, what is not, and that no process can change it for another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lua_api import Fault
from lua_api._runtime import lupa_module
from tests import placement
from tests.lua_world import HOST, World, run
from tests.placement import not_on_jit

PRESENT = """process channel time errors coroutine string table math utf8 os print require assert
error
getmetatable setmetatable ipairs pairs next pcall xpcall rawequal rawget rawlen rawset select
tonumber tostring type load _VERSION _G coroutine.spawn os.time os.date os.clock os.difftime"""

ABSENT = """io package debug dofile loadfile collectgarbage python string.dump
os.execute os.exit os.remove os.rename os.tmpname os.getenv"""

LIBRARIES = [
    "process",
    "process.event",
    "process.registry",
    "channel",
    "time",
    "errors",
    "coroutine",
    "string",
    "table",
    "math",
    "utf8",
    "os",
]


def missing(paths):
    checks = "".join(
        f'if {path} == nil then missing[#missing + 1] = "{path}" end ' for path in paths
    )
    return run(f"local missing = {{}} {checks} return table.concat(missing, ' ')")


# What the version of Lua itself does not have.
WITHOUT = {"jit": "utf8 rawlen"}


def test_what_a_process_can_use_is_there():
    assert missing(PRESENT.split()) == WITHOUT.get(placement.now.lua, "")


@pytest.mark.lua("5.4", "5.5", why="LuaJIT has the globals of Lua 5.1")
def test_of_the_globals_of_lua_those_are_there_that_the_readme_lists():
    readme = Path(__file__).parent.parent / "README.md"
    found = re.search(
        r"Of the globals of Lua it has (.*?)\bno other", readme.read_text(), re.DOTALL
    )
    listed = set(re.findall(r"`(\w+)`", found[1]))
    everything = set(lupa_module(placement.now.lua).LuaRuntime().globals())
    assert listed < everything
    assert set(missing(sorted(everything)).split()) == everything - listed


def test_what_reaches_outside_is_not_there():
    assert missing(ABSENT.split()) == " ".join(ABSENT.split())


@not_on_jit("pairs ignores metamethods, and so sees nothing of a library")
def test_nothing_of_python_can_be_reached_from_a_library():
    body = f"""
      local odd = {{}}
      for _, library in ipairs({{ {", ".join(LIBRARIES)} }}) do
        local size = 0
        for name, value in pairs(library) do
          size = size + 1
          if type(value) == "userdata" then odd[#odd + 1] = name end
        end
        assert(size > 0)
      end
      return #odd"""
    assert run(body) == 0


def test_the_language_is_that_of_the_host():
    version = {"jit": "5.1"}.get(placement.now.lua, placement.now.lua)
    assert run("return _VERSION") == f"Lua {version}"


CHANGES = [
    ("LIB.new_field = 1", "app/main.lua:1: cannot change 'LIB.new_field'"),
    pytest.param(
        "for key in pairs(LIB) do LIB[key] = 1 end",
        "app/main.lua:1: cannot change 'LIB.",
        marks=not_on_jit("pairs ignores metamethods, and so sees nothing of a library"),
    ),
    ("rawset(LIB, 'x', 1)", "app/main.lua:1: cannot change a protected table"),
    ("setmetatable(LIB, {})", "cannot change a protected metatable"),
    ("table.insert(LIB, 1)", "read-only"),
    ("table.move({1}, 1, 1, 1, LIB)", "read-only"),
]


@pytest.mark.parametrize(("change", "refusal"), CHANGES)
def test_api_tables_are_read_only(change, refusal):
    without = WITHOUT.get(placement.now.lua, "").split()
    with World() as world:
        for library in sorted({*LIBRARIES} - {*without}):
            fault = world.run(change.replace("LIB", library))
            assert isinstance(fault, Fault)
            assert refusal.replace("LIB", library) in fault.message


def test_metatables_of_api_tables_globals_and_strings_are_out_of_reach():
    body = 'return {getmetatable(process), getmetatable(_G), getmetatable("")}'
    assert run(body) == [False, False, False]


def test_a_process_changes_nothing_another_one_sees():
    first = """
      shared, print, string = "mine", 1, { upper = 2 }
      rawset(_G, "tostring", 3)
      _G.math = nil
      pcall(function() getmetatable("").__index.upper = 4 end)
      pcall(function() string.upper = 5 end)
      pcall(function() ("").upper = 6 end)
      return { type(print), type(string.upper), type(tostring) }"""
    second = """
      local own = {}
      for name in pairs(_G) do own[#own + 1] = name end
      return { shared == nil, type(print), type(tostring), type(math), string.upper("a"),
               ("b"):upper(), table.concat(own) }"""
    with World() as world:
        assert world.run(first) == ["number", "number", "number"]
        assert world.run(second) == [True, "function", "function", "table", "A", "B", ""]


def test_each_process_draws_its_own_random_numbers():
    draw = "local t = {} for i = 1, 20 do t[i] = math.random(1000) end return t"
    with World() as world, World() as disturbed:
        world.run("return 1")
        disturbed.run("math.randomseed(5) return math.random()")
        assert world.run(draw) == disturbed.run(draw)


def test_a_seed_repeats_the_numbers_and_processes_differ_without_one():
    draw = "math.randomseed(...) return { math.random(1000000), math.random(1000000) }"
    with World() as world:
        assert world.run(draw, 7) == world.run(draw, 7) != world.run(draw, 8)
        unseeded = "return { math.random(1000000), math.random(1000000) }"
        assert world.run(unseeded) != world.run(unseeded)


@pytest.mark.parametrize(
    ("call", "low", "high"),
    [("math.random()", 0, 1), ("math.random(6)", 1, 6), ("math.random(-2, 2)", -2, 2)],
)
def test_random_numbers_fill_their_interval(call, low, high):
    numbers = run(f"local t = {{}} for i = 1, 300 do t[i] = {call} end return t")
    assert all(low <= number <= high for number in numbers)
    if isinstance(numbers[0], int):
        assert set(numbers) == set(range(low, high + 1))
    else:
        assert max(numbers) < 1
        assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("5, 1", "bad argument #2 to 'random' (interval is empty)"),
        ("1.5", "bad argument #1 to 'random' (number has no integer representation)"),
        ("1, 1/0", "bad argument #2 to 'random' (number has no integer representation)"),
        ("'x'", "bad argument #1 to 'random' (number expected, got string)"),
        pytest.param(
            "math.mininteger, math.maxinteger",
            "interval too large",
            marks=not_on_jit("every number is a double"),
        ),
    ],
)
def test_a_random_number_that_cannot_be_drawn_is_refused(arguments, problem):
    fault = run(f"local n = math.random({arguments})")
    assert fault.message.startswith("app/main.lua:1: ")
    assert problem in fault.message


@pytest.mark.parametrize(
    "name", ["process", "channel", "time", "errors", "coroutine", "string", "table", "math", "os"]
)
def test_require_of_an_api_module_gives_the_global(name):
    assert run(f'return require("{name}") == {name}') is True


def add_module(world, name, text):
    world._files[name] = text


def test_a_module_is_loaded_once_per_process_and_anew_in_another():
    with World() as world:
        add_module(world, "app.counter", 'print("loads", ...) return { count = 0 }')
        main = """
          local counter = require("app.counter")
          counter.count = counter.count + 1
          return { require("app.counter") == counter, counter.count }"""
        assert world.run(main) == [True, 1]
        assert world.run(main) == [True, 1]
        assert world.prints == ["loads\tapp.counter"] * 2


@pytest.mark.parametrize("known", [False, True])
def test_coroutines_that_require_a_module_at_once_share_one_load(known):
    with World() as world:
        add_module(world, "slow", 'print("loads") time.sleep("1s") return {}')
        if known:
            world.run('require("slow")')
            world.prints.clear()
        main = """
          local got = channel.new(3)
          for _ = 1, 3 do coroutine.spawn(function() got:send(require("slow")) end) end
          local a, b, c = got:receive(), got:receive(), got:receive()
          return a == b and b == c"""
        assert world.run(main) is True
        assert world.prints == ["loads"]


@pytest.mark.parametrize(("text", "value"), [("", True), ("return false", False), ("return 7", 7)])
def test_what_a_module_returns_is_what_require_gives(text, value):
    with World() as world:
        add_module(world, "m", text)
        assert world.run('return { require("m"), require("m") }') == [value, value]


def test_modules_see_the_globals_of_their_process():
    with World() as world:
        add_module(world, "m", "seen = mine return seen")
        assert world.run('mine = 5 return { require("m"), seen }') == [5, 5]


def test_an_unknown_module_raises_at_the_line_that_requires_it():
    fault = run('\nlocal m = require("no.such")')
    assert fault.message == 'app/main.lua:2: module not found: "no.such"'


def test_a_module_with_a_syntax_error_raises_and_names_the_place():
    with World() as world:
        add_module(world, "bad", "local x = 1\nlocal = 2")
        fault = world.run('local m = require("bad")')
    assert "error loading module 'bad': bad.lua:2: " in fault.message


def test_a_module_that_raises_is_tried_again_by_the_next_require():
    with World() as world:
        add_module(world, "m", 'if not ready then error("not ready") end return "there"')
        main = """
          local ok, why = pcall(require, "m")
          ready = true
          return { ok, why, require("m") }"""
        assert world.run(main) == [False, "m.lua:1: not ready", "there"]


def test_who_waits_for_a_module_that_fails_loads_it_anew():
    with World() as world:
        add_module(
            world, "m", 'time.sleep(1) tries = (tries or 0) + 1 return tries > 1 or error("x")'
        )
        main = """
          local got = channel.new(1)
          coroutine.spawn(function() pcall(require, "m") end)
          coroutine.spawn(function() got:send(require("m")) end)
          return { got:receive(), tries }"""
        assert world.run(main) == [True, 2]


LOOPS = {
    "of one": {"a": 'return require("a")'},
    "of two": {"a": 'local b = require("b")', "b": 'local a = require("a")'},
    "of two coroutines": {
        "a": 'time.sleep(1) local b = require("b")',
        "b": 'time.sleep(1) local a = require("a")',
    },
}


@pytest.mark.parametrize("modules", LOOPS.values(), ids=LOOPS)
def test_a_loop_of_requires_raises(modules):
    with World() as world:
        for name, text in modules.items():
            add_module(world, name, text)
        fault = world.run("""
          local done = channel.new()
          coroutine.spawn(function() require("a") done:send(true) end)
          coroutine.spawn(function() require("b") done:send(true) end)
          done:receive()""")
    assert "is required while it is being loaded (a loop of requires)" in fault.message


@pytest.mark.parametrize(
    ("chunk", "result"),
    [
        ('load("return 1 + 1")()', 2),
        ('load("return x", "n", "t", { x = 3 })()', 3),
        (
            """(function()
              local parts = { "return ", "4" }
              return load(function() return table.remove(parts, 1) end)()
            end)()""",
            4,
        ),
        ('(function() mine = 5 return load("return mine")() end)()', 5),
        ('select(2, load("return 1 + +", "=name"))', "name:1: unexpected symbol near '+'"),
    ],
)  # fmt: skip
def test_load_takes_text_and_gives_it_the_globals_of_the_process(chunk, result):
    assert run(f"return ({chunk})") == result


@pytest.mark.parametrize("mode", ["b", "t", "bt"])
def test_load_takes_no_bytecode(mode):
    loaded, why = run(
        rf'local fn, why = load("\27Lua", "=b", "{mode}") return {{ fn == nil, why }}'
    )
    assert loaded is True
    # The first is Lua's, the second LuaJIT's.
    assert why in {
        "attempt to load a binary chunk (mode is 't')",
        "attempt to load chunk with wrong mode",
    }


def test_print_writes_tostring_of_its_arguments_separated_by_tabs():
    with World() as world:
        world.run("""
          print("a", 1, 1.5, nil, true, nil)
          print()
          print(setmetatable({}, { __tostring = function() return "shown" end }))
          print(errors.new("bad"), time.parse_duration("90s"))""")
        assert world.prints == ["a\t1\t1.5\tnil\ttrue\tnil", "", "shown", "bad\t1m30s"]


def test_print_works_where_lua_cannot_suspend():
    with World() as world:
        world.run('table.sort({ 2, 1 }, function(a, b) print("cmp") return a < b end) print("end")')
        assert world.prints[0] == "cmp"
        assert world.prints[-1] == "end"


def test_a_finalizer_is_refused():
    fault = run("setmetatable({}, { __gc = function() end })")
    assert fault.message == "app/main.lua:1: setmetatable: __gc is not available to a process"
    assert run("return getmetatable(setmetatable({}, { __index = { x = 1 } })).__index.x") == 1


def test_the_time_of_os_is_the_time_of_the_node():
    body = """
      local before, clock = os.time(), os.clock()
      time.sleep("90s")
      return { before, os.time() - before, os.clock() - clock, os.difftime(os.time(), before),
               os.date("!%Y-%m-%d %H:%M:%S"), os.date("!%H", 3600),
               os.time() == time.now():unix() }"""
    assert run(body) == [1_700_000_000, 90, 90, 90, "2023-11-14 22:14:50", "01", True]


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ('string.rep("x", {})', "(number expected, got table)"),
        ("string.rep({}, 2)", "bad argument #1 to 'rep' (string expected, got table)"),
        ("string.find('x', {})", "bad argument #2 to 'find' (string expected, got table)"),
        ('string.find("x", "[")', "malformed pattern (missing ']')"),
        ('string.format("%d", "x")', "(number expected, got string)"),
        ('string.gsub("x", "%", "y")', "malformed pattern (ends with '%')"),
        ('string.gsub("x", "x", error)', "x"),
        ('("x"):rep({})', "bad argument #2 to 'rep' (number expected, got table)"),
        ("string.upper(nil)", "bad argument #1 to 'upper' (string expected, got nil)"),
        pytest.param(
            'os.date("%Ez")',
            "invalid conversion specifier",
            marks=not_on_jit("the C library has what it does not know"),
        ),
        ("os.time({ month = 1, day = 1 })", "field 'year' missing in date table"),
        ('load("", {})', "bad argument #2 to 'load' (string expected, got table)"),
        ("load(5)", "bad argument #1 to 'load' (string expected, got number)"),
        ("require(5)", "bad argument #1 to 'require' (string expected, got number)"),
        ("rawset(5, 1, 1)", "bad argument #1 to 'rawset' (table expected, got number)"),
    ],
)
def test_misuse_of_a_library_raises_at_the_line_of_the_caller(call, problem):
    fault = run(f"\nlocal _ = {call}")
    assert fault.message.endswith(problem) or problem in fault.message
    if "error" not in call:
        assert fault.message.startswith("app/main.lua:2: ")


def test_an_error_raised_in_a_gsub_callback_stays_as_it_is():
    assert (
        run('string.gsub("x", "x", function() error("boom") end)').message == "app/main.lua:1: boom"
    )


def test_numbers_are_text_for_the_string_functions_as_in_lua():
    assert run("return { string.rep(5, 2), string.len(12.5), string.find(123, 2) }") == [
        "55",
        4,
        2,
        2,
    ]


def test_the_entry_is_what_its_chunk_gets():
    with World() as world:
        world.add_file("shown", "print(...) return function() return 1 end")
        assert world.run(f'return process.exec("app:shown", "{HOST}")') == 1
        assert world.prints == ["app:shown"]
