"""Error objects: what they carry, how they read as text, and what an end leaves of them."""

from __future__ import annotations

import pytest

from lua_api import Fault
from tests.lua_world import World, run
from tests.placement import not_on_jit

KINDS = {
    "NOT_FOUND": "NotFound",
    "ALREADY_EXISTS": "AlreadyExists",
    "INVALID": "Invalid",
    "PERMISSION_DENIED": "PermissionDenied",
    "UNAVAILABLE": "Unavailable",
    "INTERNAL": "Internal",
    "CANCELED": "Canceled",
    "CONFLICT": "Conflict",
    "TIMEOUT": "Timeout",
    "RATE_LIMITED": "RateLimited",
    "UNKNOWN": "",
}

FULL = """local full = errors.new{
  message = "no such book", kind = errors.NOT_FOUND, retryable = false, details = { id = 5 } }
local plain = errors.new("plain")
local wrapped = errors.wrap(errors.wrap(full, "inner"), "outer") """


def test_the_kinds_have_their_names_and_values():
    names = ", ".join(f"{name} = errors.{name}" for name in KINDS)
    assert run(f"return {{ {names} }}") == KINDS


EXPRESSIONS = {
    # what it carries
    "{ plain:message(), plain:kind(), plain:retryable() == nil, plain:details() == nil }":
        ["plain", "", True, True],
    "{ full:message(), full:kind(), full:retryable(), full:details().id }":
        ["no such book", "NotFound", False, 5],
    "{ errors.new{ kind = errors.TIMEOUT }:message(), errors.new{ retryable = true }:retryable() }":
        ["", True],
    # wrapping
    "{ wrapped:message(), wrapped:kind(), wrapped:retryable(), wrapped:details().id }":
        ["no such book", "NotFound", False, 5],
    "tostring(wrapped)": "outer: inner: no such book",
    "{ tostring(full), wrapped ~= full }": ["no such book", True],
    "{ wrapped:stack():find('outer: inner: no such book\\nstack traceback:', 1, true) }": [1, 43],
    "{ tostring(errors.wrap('text', 'while reading')), errors.wrap('text', 'x'):kind() }":
        ["while reading: text", ""],
    # kinds
    "{ errors.is(full, errors.NOT_FOUND), errors.is(full, errors.INVALID) }": [True, False],
    "{ errors.is(wrapped, errors.NOT_FOUND), errors.is(plain, errors.UNKNOWN) }": [True, True],
    "{ errors.is('NotFound', 'NotFound'), errors.is(nil, 'NotFound'), errors.is({}, '') }":
        [False, False, False],
    # as text
    "{ tostring(full), 'x: ' .. full, full .. ' y', full .. full, 1 .. full }":
        ["no such book", "x: no such book", "no such book y",
         "no such bookno such book", "1no such book"],
    "wrapped .. '!'": "outer: inner: no such book!",
    "{ full:find('such'), full:match('%a+$'), full:upper(), full:sub(1, 2), full:len() }":
        [4, "book", "NO SUCH BOOK", "no", 12],
    "{ (full:gsub('book', 'film')), full:byte(1), full:rep(2, '|'), full:reverse():sub(1, 2) }":
        ["no such film", 110, "no such book|no such book", "ko"],
    "{ string.find(full, 'such') }": [4, 7],
    "{ string.match(full, '(%a+) (%a+)') }": ["no", "such"],
    "(function() local t = {} for w in string.gmatch(full, '%a+') do t[#t+1]=w end return t end)()":
        ["no", "such", "book"],
    "{ string.gsub(full, 'book', 'film') }": ["no such film", 1],
    "{ string.gsub('error: ?', '?', full) }": ["error: no such book", 1],
    "{ string.gsub(full, '%a+', { book = 'film' }) }": ["no such film", 3],
    "{ string.upper(full), string.lower(full), string.len(full), string.sub(full, -4) }":
        ["NO SUCH BOOK", "no such book", 12, "book"],
    "{ string.reverse(plain), string.rep(plain, 2), string.byte(plain, 1, 2) }":
        ["nialp", "plainplain", 112, 108],
    "{ string.format('%s/%7s', full, plain), string.format(errors.new('%d%%'), 5) }":
        ["no such book/  plain", "5%"],
    "{ string.find('a plain text', plain) }": [3, 7],
    # equality
    "{ plain == errors.new('plain'), plain == full, plain == 'plain' }": [True, False, False],
    "{ plain == errors.new{ message = 'plain', kind = 'Invalid' } }": [False],
    # what is no error object
    "errors.call_stack('text') == nil": True,
}  # fmt: skip


@pytest.mark.parametrize(("expression", "result"), EXPRESSIONS.items())
def test_error_objects(expression, result):
    assert run(f"{FULL} return {expression}") == result


@not_on_jit("# ignores metamethods")
def test_the_length_of_an_error_is_that_of_its_message():
    assert run(f"{FULL} return #full") == 12


STACK = """
local function innermost()
  local err = errors.new("m")
  return err
end
local function outer()
  local err = innermost()
  return err
end
local err = outer()
"""


def test_the_stack_shows_where_it_was_made_and_only_code_of_users():
    stack = run(STACK + "return err:stack()")
    assert stack.splitlines() == [
        "m",
        "stack traceback:",
        "\tapp/main.lua:3: in upvalue 'innermost'",
        "\tapp/main.lua:7: in local 'outer'",
        "\tapp/main.lua:10: in function <app/main.lua:1>",
    ]


ERROR, MAIN = "[C]: in function 'error'", "app/main.lua:1: in function <app/main.lua:1>"

TRACEBACKS = {
    "function f() error('x') end f()": [ERROR, "app/main.lua:1: in function 'f'", MAIN],
    "local t = {} function t:m() t.x.y = 1 end t:m()": ["app/main.lua:1: in method 'm'", MAIN],
    "local function f() error('x') end do return f() end": [ERROR, MAIN],
    "table.sort({ 2, 1 }, function() error('x') end)":
        [ERROR, MAIN, "[C]: in function 'sort'", MAIN],
    "process.send(5, 5)": [MAIN],
    "local function f(n) return n > 0 and (f(n - 1) or 1) or error('x') end f(30)":
        [ERROR, *["app/main.lua:1: in upvalue 'f'"] * 22, "..."],
}  # fmt: skip


@pytest.mark.parametrize(("body", "frames"), TRACEBACKS.items())
@pytest.mark.lua("5.4", "5.5", why="LuaJIT describes functions in other words")
def test_the_traceback_of_a_crash_has_what_users_wrote_and_called(body, frames):
    assert run(body).stack.splitlines() == ["stack traceback:", *[f"\t{line}" for line in frames]]


def test_call_stack_gives_the_frames():
    assert run(STACK + "return errors.call_stack(errors.wrap(err, 'c'))") == {
        "thread": "main",
        "frames": [
            {"source": "app/main.lua", "line": 3, "name": "innermost"},
            {"source": "app/main.lua", "line": 7, "name": "outer"},
            {"source": "app/main.lua", "line": 10, "name": "app/main.lua:1"},
        ],
    }


MISUSE = {
    "errors.new()": "bad argument #1 to 'new' (string or table expected, got nil)",
    "errors.new{ mesage = 'm' }":
        "errors.new: unknown field 'mesage' (message, kind, retryable and details are known)",
    "errors.new{ message = 5 }": "errors.new: field 'message' must be a string, got number",
    "errors.new{ retryable = 1 }": "errors.new: field 'retryable' must be a boolean, got number",
    "errors.wrap(nil, 'c')": "bad argument #1 to 'wrap' (error or string expected, got nil)",
    "errors.wrap('m')": "bad argument #2 to 'wrap' (string expected, got nil)",
    "(function() local e = errors.new('m') e.extra = 1 end)()":
        "error objects cannot be changed (field 'extra')",
}  # fmt: skip


@pytest.mark.parametrize(("call", "problem"), MISUSE.items())
def test_misuse_raises_at_the_line_of_the_caller(call, problem):
    assert run(f"\nlocal _ = {call}").message == f"app/main.lua:2: {problem}"


FAILURES = """
  select(2, process.send("nobody", "t"))
  select(2, process.send(process.pid(), "@t"))
  select(2, process.spawn())
  select(2, process.registry.lookup("nobody"))
  select(2, process.set_options{ x = 1 })
  select(2, process.unlisten(channel.new()))
  select(2, time.sleep("soon"))
  select(2, time.after(0))
  select(2, time.load_location(""))
  select(2, time.load_location("No/Such"))
  select(2, time.parse_duration("soon"))
  select(2, time.parse(time.RFC3339, "soon"))
""".strip().splitlines()


def test_every_error_of_the_api_is_an_error_object():
    lines = "\n".join(f"check({failure.strip()})" for failure in FAILURES)
    kinds = run(f"""
      local kinds = {{}}
      local function check(err) kinds[#kinds + 1] = err:kind() assert(#err:message() > 0) end
      {lines}
      return kinds""")
    assert set(kinds) == {"NotFound", "Invalid"}
    assert len(kinds) == len(FAILURES)


RAISED = {
    "error(full)": Fault("no such book", "NotFound", retryable=False, details={"id": 5}),
    "error(wrapped)": Fault(
        "no such book", "NotFound", retryable=False, details={"id": 5}, context=("inner", "outer")
    ),
    "return nil, full": Fault("no such book", "NotFound", retryable=False, details={"id": 5}),
    "error(select(2, process.send('nobody', 't')))": Fault('name not found: "nobody"', "NotFound"),
    "local _, err = pcall(error, plain) error(err)": Fault("plain"),
    # whatever a process did to it
    "plain._message = 5 error(plain)": Fault("invalid error object"),
    "plain._kind = {} error(plain)": Fault("plain"),
    "full._retryable, full._details = 5, print error(full)": Fault("no such book", "NotFound"),
    "wrapped._context[2] = setmetatable({}, { __tostring = error }) error(wrapped)": Fault(
        "no such book", "NotFound", retryable=False, details={"id": 5}, context=("inner",)
    ),
    "setmetatable(wrapped._context, { __len = error }) error(wrapped)": Fault(
        "no such book", "NotFound", retryable=False, details={"id": 5}, context=("inner", "outer")
    ),
}


@pytest.mark.parametrize(("body", "fault"), RAISED.items())
def test_an_error_object_that_ends_a_process_keeps_what_it_carries(body, fault):
    ended = run(f"{FULL} {body}")
    assert isinstance(ended, Fault)
    assert ended.stack is None or "lua_api" not in ended.stack
    stack = ended.stack
    assert ended == Fault(
        fault.message, fault.kind, fault.retryable, fault.details, stack, fault.context
    )


def test_a_broken_error_object_in_a_result_arrives_as_one():
    assert run("local e = errors.new('m') e._kind = 5 return { e }") == [
        Fault("m", stack="stack traceback:\n\tapp/main.lua:1: in function <app/main.lua:1>")
    ]


def test_errors_keep_what_they_carry_on_the_way_to_another_process():
    with World() as world:
        body = f"""{FULL}
          process.send(process.pid(), "t", wrapped)
          local got = process.inbox():receive():payload()
          return {{ tostring(got), got:kind(), got:retryable(), got:details().id,
                    rawequal(got, wrapped),
                    errors.is(got, errors.NOT_FOUND), got:stack() == wrapped:stack() }}"""
        assert world.run(body) == [
            "outer: inner: no such book", "NotFound", False, 5, False, True, True,
        ]  # fmt: skip


def test_error_objects_go_through_pcall_and_coroutines_as_they_are():
    body = """
      local err = errors.new("m")
      local _, caught = pcall(error, err)
      local _, resumed = coroutine.resume(coroutine.create(function() error(err) end))
      local _, handled = xpcall(function() error(err) end, function(e) return e end)
      return rawequal(caught, err) and rawequal(resumed, err) and rawequal(handled, err)"""
    assert run(body) is True
