"""What Lua processes can send each other. The copy itself has its own tests."""

from __future__ import annotations

import pytest

from lua_api import Fault, TermError, encode
from tests.lua_world import HOST, World, run
from tests.placement import not_on_jit
from tests.refusals import REFUSALS

# Compares two values deeply; objects by what they print.
SAME = """
  local sort_of = math.type or type
  local function same(a, b)
    if sort_of(a) ~= sort_of(b) or type(a) ~= type(b) then return false end
    if type(a) ~= "table" or getmetatable(a) ~= nil then
      return tostring(a) == tostring(b)
    end
    for k, v in pairs(a) do if not same(v, b[k]) then return false end end
    for k in pairs(b) do if a[k] == nil then return false end end
    return true
  end
"""

INTEGERS = not_on_jit("every number is a double")

SENDABLE = [
    "nil",
    "true",
    "false",
    "0",
    "2^53 - 1",
    pytest.param("math.maxinteger", marks=INTEGERS),
    pytest.param("math.mininteger", marks=INTEGERS),
    "1.0",
    "-0.0",
    "0.1",
    "math.huge",
    "0/0",
    "''",
    "'text'",
    r"'\0\255\xfe\n'",
    "('x'):rep(10000000)",
    "{}",
    "{1, 2, 3}",
    "{1, nil, 3, n = 3}",
    "{a = 1, [1] = 'x', [2.5] = 'y', [-1] = 'z', [false] = 'no'}",
    "{[-2^53 + 1] = 1, [math.huge] = 2}",
    pytest.param("{[math.mininteger] = 1, [math.huge] = 2}", marks=INTEGERS),
    "{{{{}}}}",
    "errors.new{message = 'm', kind = errors.TIMEOUT}",
    "{e = errors.wrap(errors.new('m'), 'c')}",
    "time.unix(5, 7)",
    "time.parse_duration('1h30m')",
    "{at = time.unix(0, 0):utc(), within = {time.parse_duration('5ms')}}",
    "(function() local t = {} for i = 1, 100000 do t[i] = i end return t end)()",
    "(function() local t = 1 for _ = 1, 498 do t = {t} end return t end)()",
]
EVERY_WAY = pytest.mark.parametrize("way", ["payload", "argument", "result"])
WAYS = {
    "payload": (
        "local q = process.spawn('app:q', HOST, process.pid()) local ok, err ="
        " process.send(q, 't', value) if not ok then process.terminate(q) return nil, err end"
        " return process.inbox():receive():payload()",
        "process.send(..., 't', process.inbox():receive():payload())",
    ),
    "argument": (
        "local ok, err = process.spawn('app:q', HOST, process.pid(), value)"
        " if not ok then return nil, err end return process.inbox():receive():payload()",
        "local to, value = ... process.send(to, 't', value)",
    ),
    "result": ("return process.exec('app:q', HOST)", None),
}


def round_trip(expression, way):
    """A Lua function that sends the value to another process, which sends it back."""
    there, q = WAYS[way]
    head = f"local HOST = '{HOST}' local function trip(value) {there} end "
    return head, q or f"return {expression}"


@EVERY_WAY
@pytest.mark.parametrize("expression", SENDABLE)
def test_what_can_be_sent_arrives_equal_and_of_the_same_types(expression, way):
    head, q = round_trip(expression, way)
    body = f"local value = {expression} local got, err = trip(value)"
    assert (
        run(SAME + head + body + " if err then error(err) end return same(value, got)", q=q) is True
    )


@EVERY_WAY
def test_the_receiver_gets_a_copy_without_metatables(way):
    expression = "setmetatable({1, {2}, t = {3}}, {__index = {hidden = 1}})"
    head, q = round_trip(expression, way)
    body = f"""
      local value = {expression}
      local got = trip(value)
      value[1], value[2][1], value.t[1] = 9, 9, 9
      return {{got[1], got[2][1], got.t[1], got.hidden == nil, getmetatable(got) == nil}}
    """
    assert run(head + body, q=q) == [1, 2, 3, True, True]


def test_two_receivers_share_nothing():
    body = f"""
      local value = {{list = {{1}}}}
      for i = 1, 2 do process.send(process.spawn("app:q", "{HOST}", process.pid()), "t", value) end
      value.list[1] = 99
      return {{process.inbox():receive():payload(), process.inbox():receive():payload()}}
    """
    q = """
      local value = process.inbox():receive():payload()
      value.list[1] = value.list[1] + 1
      time.sleep("1s")
      process.send(..., "t", value.list[1])
    """
    assert run(body, q=q) == [2, 2]


@pytest.mark.parametrize("way", ["exit", "error"])
def test_every_watcher_gets_its_own_copy_of_an_end(way):
    body = f"""
      local q = process.spawn("app:q", "{HOST}")
      for i = 1, 2 do process.spawn("app:w", "{HOST}", process.pid(), q) end
      return {{process.inbox():receive():payload(), process.inbox():receive():payload()}}
    """
    w = """
      local top, q = ...
      process.monitor(q)
      local event = process.events():receive()
      local list = event.result or event.error:details()
      list[1] = list[1] + 1
      time.sleep("1s")
      process.send(top, "t", list[1])
    """
    end = "return {1}" if way == "exit" else "error(errors.new{message = 'm', details = {1}})"
    assert run(body, q=f"time.sleep('1s') {end}", w=w) == [2, 2]


# What the API has beside what is refused within any Lua: (expression, path below the root, noun)
REFUSED = [
    ("print", "", "function"),
    ("{items = {1, 2, {cb = print}}}", ".items[3].cb", "function"),
    ("coroutine.create(print)", "", "coroutine"),
    ("{coroutine.running()}", "[1]", "coroutine"),
    ("channel.new()", "", "channel"),
    ("{ch = process.inbox()}", ".ch", "channel"),
    ("{case = process.inbox():case_receive()}", ".case", "channel case"),
    ("{timer = time.timer('1s')}", ".timer", "timer"),
    ("(function() local t = {} t.self = t return t end)()", ".self", "table that contains itself"),
    ("errors.new{message = 'm', details = {print}}", ".details[1]", "function"),
]


@EVERY_WAY
@pytest.mark.parametrize(("expression", "path", "noun"), REFUSED)
def test_what_cannot_be_sent_is_refused_with_its_path_at_the_sender(expression, path, noun, way):
    head, q = round_trip(expression, way)
    body = f"""
      local got, err = trip({expression if way != "result" else ""})
      return {{got == nil, err:kind(), tostring(err)}}
    """
    root = {"payload": "payload", "argument": "argument[2]", "result": "result"}[way]
    if way == "result" and expression.startswith("errors"):
        # The end of a process is told even so.
        assert run(head + body, q=q)[2] == f"result{path}: {noun} cannot be sent"
    else:
        expected = [True, "Invalid", f"{root}{path}: {noun} cannot be sent"]
        assert run(head + body, q=q) == expected


def test_nothing_is_sent_when_the_value_is_refused():
    body = """
      process.send(process.pid(), "t", {1, {print}})
      process.send(process.pid(), "t", 1, print)
      return channel.select{process.inbox():case_receive(), default = true}.default
    """
    assert run(body) is True


PLAIN = [
    (expression, message)
    for expression, message in REFUSALS
    if not any(name in expression for name in ("io.", "Channel", "Error", "Time", "Duration"))
]


@pytest.mark.parametrize(("expression", "message"), PLAIN)
def test_the_rule_is_the_same_whether_lua_or_python_receives(expression, message):
    with World() as world:
        port = world.kernel.open_port()
        found = world.run(
            f"""
            local value, texts = {expression}, {{}}
            for i, pid in ipairs{{process.pid(), ...}} do
              local ok, err = process.send(pid, "t", value)
              texts[i] = ok == nil and tostring(err)
            end
            return texts
            """,
            port,
        )
    assert found == [message, message]


@pytest.mark.parametrize("value", ["1", "{}", "print"])
@pytest.mark.parametrize("topic", ["@t", ""])
def test_a_reserved_topic_is_told_before_the_value_is_looked_at(topic, value):
    body = f"""
      local ok, err = process.send(process.pid(), "{topic}", {value})
      return {{ok == nil, err:kind(), err:find("topic", 1, true) ~= nil}}
    """
    assert run(body) == [True, "Invalid", True] or value == "print"


def test_any_bytes_are_a_topic_a_reason_and_an_error():
    body = rf"""
      local every = {{}}
      for i = 0, 255 do every[i + 1] = string.char(i) end
      every = table.concat(every)
      process.send(process.pid(), every, every)
      local msg = process.inbox():receive()
      process.spawn_monitored("app:q", "{HOST}", every)
      local err = process.events():receive().error
      process.cancel(process.pid(), every)
      return {{msg:topic() == every, msg:payload() == every, err:message() == every,
               process.events():receive().reason == every}}
    """
    assert run(body, q="error(..., 0)") == [True] * 4


def test_what_python_cannot_send_is_refused_before_it_reaches_lua():
    with pytest.raises(TermError, match="payload"):
        encode({"f": print})


def test_a_process_that_sends_what_it_cannot_goes_on():
    found = run("for i = 1, 1000 do process.send(process.pid(), 't', print) end return 'on'")
    assert found == "on"
    assert isinstance(run("return print"), Fault)
