"""What a Lua process knows of itself, its messages, its mailbox and its topics."""

from __future__ import annotations

import pytest

from lua_api import Fault
from tests.lua_world import HOST, World, run
from tests.placement import not_on_jit

pytestmark = pytest.mark.wander

SPAWN = f"local function spawn(name, ...) return process.spawn('app:' .. name, '{HOST}', ...) end "

# Sends what it is sent back to its sender, under the topic it came with.
ECHO = """
  local inbox = process.inbox()
  while true do
    local msg = inbox:receive()
    process.send(msg:from(), msg:topic(), msg:payload())
  end
"""


def refused(call: str, **others: str) -> tuple[str, str]:
    """The kind and the text of the error that `call` returns beside nil or false."""
    found = run(
        f"{SPAWN} local ok, err = {call} assert(not ok) return {{err:kind(), tostring(err)}}",
        **others,
    )
    assert isinstance(found, list), found
    return found[0], found[1]


@pytest.mark.one_state("pids tell where a process lives")
def test_a_pid_is_a_text_that_stays_the_same():
    body = "local a = process.pid() time.sleep('1s') return {a, a == process.pid()}"
    assert run(body) == ["{app:processes|0x00002}", True]


def test_pids_are_never_used_again():
    body = """
      local seen, n = {}, 0
      for i = 1, 50 do
        local pid = spawn("brief")
        assert(not seen[pid])
        seen[pid], n = true, n + 1
        time.sleep("1s")
      end
      return n
    """
    assert run(SPAWN + body, brief="return 1") == 50


def test_the_id_is_the_entry():
    assert run("return process.id()") == "app:main"


@pytest.mark.parametrize("dest", ["pid", '"the echo"'])
def test_a_message_goes_to_a_pid_or_a_name_and_knows_where_it_comes_from(dest):
    body = f"""
      local pid = spawn("echo")
      process.registry.register("the echo", pid)
      local sent = process.send({dest}, "ping", "x")
      local msg = process.inbox():receive()
      return {{sent, msg:topic(), msg:payload(), msg:from() == pid}}
    """
    assert run(SPAWN + body, echo=ECHO) == [True, "ping", "x", True]


def test_a_message_is_in_the_mailbox_when_send_returns():
    body = """
      process.send(process.pid(), "t", 7)
      local got = channel.select{process.inbox():case_receive(), default = true}
      return {got.ok, got.value:payload(), got.value:from() == process.pid()}
    """
    assert run(body) == [True, 7, True]


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        ("process.send('{app:processes|0x99999}', 't')", "NotFound", "0x99999}"),
        ("process.send('{nonsense|}', 't')", "NotFound", "{nonsense|}"),
        ("process.send('', 't')", "NotFound", '""'),
        ("process.send('nobody', 't')", "NotFound", '"nobody"'),
        ("process.send(process.pid(), '@t', 1)", "Invalid", '"@t"'),
        ("process.send(process.pid(), '@t', {})", "Invalid", '"@t"'),
        ("process.send(process.pid(), '', 1)", "Invalid", '""'),
        ("process.send(process.pid(), 't', {a = print})", "Invalid", "payload.a: function"),
        ("process.send(process.pid(), 't', 1, print)", "Invalid", "payload[2]: function"),
        ("process.listen('')", "Invalid", '""'),
        ("process.listen('@t')", "Invalid", '"@t"'),
    ],
)
def test_what_cannot_be_sent_or_listened_to_is_refused(call, kind, words):
    found, text = refused(call)
    assert found == kind
    assert words in text
    assert kind != "NotFound" or "not found" in text


def test_a_send_to_a_process_that_has_ended_is_refused():
    body = """
      local pid = spawn("brief")
      time.sleep("1s")
      local sent, err = process.send(pid, "t")
      return {sent == nil, err:kind(), err:find("not found", 1, true) ~= nil}
    """
    assert run(SPAWN + body, brief="return 1") == [True, "NotFound", True]


@pytest.mark.parametrize(
    ("values", "payload"),
    [
        ("", None),
        (", nil", None),
        (", false", False),
        (", {1}", [1]),
        (", 1, 'b', {}", [1, "b", {}]),
        (", 1, nil, 3", {1: 1, 3: 3}),
    ],
)
def test_no_value_is_nil_one_is_itself_and_several_are_an_array(values, payload):
    body = f"""
      local raw = process.listen("raw")
      process.send(process.pid(), "raw"{values})
      process.send(process.pid(), "inbox"{values})
      local value, ok = raw:receive()
      return {{raw = value, ok = ok, inbox = process.inbox():receive():payload()}}
    """
    expected = {"raw": payload, "ok": True, "inbox": payload}
    assert run(body) == {key: value for key, value in expected.items() if value is not None}


def test_a_listener_gets_message_objects_only_if_it_asks():
    body = """
      local raw, objects = process.listen("raw"), process.listen("objects", {message = true})
      local off = process.listen("off", {message = false})
      for _, topic in ipairs({"raw", "objects", "off"}) do process.send(process.pid(), topic, 5) end
      local msg, ok = objects:receive()
      return {raw:receive(), ok, msg:topic(), msg:payload(), msg:from() == process.pid(),
              (off:receive())}
    """
    assert run(body) == [5, True, "objects", 5, True, 5]


def test_the_same_topic_gives_the_same_channel_which_can_be_switched_to_messages():
    body = """
      local ch = process.listen("t")
      process.send(process.pid(), "t", 1)
      local same = process.listen("t") == ch
      local switched = process.listen("t", {message = true}) == ch
      process.listen("t")
      process.send(process.pid(), "t", 2)
      local a, b = ch:receive(), ch:receive()
      return {same, switched, a:payload(), b:payload(), b:topic()}
    """
    assert run(body) == [True, True, 1, 2, "t"]


@pytest.mark.parametrize("name", ["inbox", "events"])
def test_the_inbox_and_the_events_are_always_the_same_channels(name):
    assert run(f"return process.{name}() == process.{name}()") is True


def test_the_inbox_gets_what_has_no_listener_and_topics_match_exactly():
    body = """
      local ch = process.listen("a.*")
      for _, topic in ipairs({"a.b", "a.*", "a", "A.*"}) do process.send(process.pid(), topic, topic) end
      local seen = {(ch:receive())}
      for i = 1, 3 do seen[#seen + 1] = process.inbox():receive():topic() end
      return seen
    """
    assert run(body) == ["a.*", "a.b", "a", "A.*"]


def test_a_topic_with_a_listener_never_goes_to_the_inbox():
    body = """
      process.listen("t")
      process.send(process.pid(), "t", 1)
      return channel.select{process.inbox():case_receive(), default = true}.default
    """
    assert run(body) is True


def test_what_came_before_listen_goes_to_the_listener_in_order():
    body = """
      local me, inbox = process.pid(), process.inbox()
      for i = 1, 6 do process.send(me, i % 2 == 0 and "even" or "odd", i) end
      local first = inbox:receive():payload()
      local even = process.listen("even")
      process.send(me, "even", 8)
      local seen = {first}
      for i = 1, 4 do seen[#seen + 1] = (even:receive()) end
      for i = 1, 2 do seen[#seen + 1] = inbox:receive():payload() end
      return seen
    """
    assert run(body) == [1, 2, 4, 6, 8, 3, 5]


def test_events_never_are_user_messages():
    body = """
      for _, topic in ipairs({"EXIT", "events", "CANCEL"}) do process.send(process.pid(), topic, 1) end
      return channel.select{process.events():case_receive(), default = true}.default
    """
    assert run(body) is True


def test_unlisten_closes_the_channel_and_later_messages_go_to_the_inbox():
    body = """
      local ch = process.listen("t")
      process.send(process.pid(), "t", 1)
      local done = process.unlisten(ch)
      process.send(process.pid(), "t", 2)
      local value, ok = ch:receive()
      local none, closed = ch:receive()
      return {done, value, ok, none == nil, closed, process.inbox():receive():payload(),
              process.listen("t") ~= ch}
    """
    assert run(body) == [True, 1, True, True, False, 2, True]


def test_unlisten_wakes_who_waits_for_the_topic():
    body = """
      local ch, woken = process.listen("t"), channel.new(1)
      coroutine.spawn(function() local _, ok = ch:receive() woken:send(ok) end)
      process.unlisten(ch)
      return (woken:receive())
    """
    assert run(body) is False


@pytest.mark.parametrize(
    "ch",
    [
        "(function() local ch = process.listen('t') process.unlisten(ch) return ch end)()",
        "channel.new(1)",
        "process.inbox()",
        "process.events()",
        "time.after('1s')",
    ],
)
def test_unlisten_refuses_a_second_call_and_channels_that_are_no_listeners(ch):
    assert run(f"return (process.unlisten({ch}))") is False
    assert refused(f"process.unlisten({ch})")[0] == "Invalid"


@pytest.mark.one_state("pids tell where a process lives")
def test_the_parts_of_a_message_can_be_printed_as_fields():
    payloads = ['"text"', "5", "nil", "false", "{1}"]
    with World() as world:
        world.run(
            f"""
            local list = {{n = 5, {", ".join(payloads)}}}
            for i = 1, 5 do
              process.send(process.pid(), "job", list[i])
              local msg = process.inbox():receive()
              print(msg.topic, msg.payload, msg.from)
            end
            """
        )
        pid = "{app:processes|0x00002}"
        assert world.prints[:4] == [f"job\t{shown}\t{pid}" for shown in ("text", 5, "nil", "false")]
        assert world.prints[4].startswith("job\ttable: ")


def test_a_field_of_a_message_is_used_like_its_value():
    body = """
      process.send(process.pid(), "job", {id = 3, list = {1, 2}, empty = nil})
      local msg = process.inbox():receive()
      process.send(process.pid(), "n", 4)
      local n = process.inbox():receive()
      return {msg.payload.id, #msg.payload.list, msg.topic .. "!", "<" .. msg.topic, msg.topic:upper(),
              n.payload + 1, 2 * n.payload, -n.payload, n.payload == n.payload, n.payload < n.payload,
              msg.payload.empty == nil}
    """
    assert run(body) == [3, 2, "job!", "<job", "JOB", 5, 8, -4, True, False, True]


@not_on_jit("# and pairs ignore metamethods")
def test_a_field_of_a_message_has_the_length_and_the_keys_of_its_value():
    body = """
      process.send(process.pid(), "job", {id = 3, list = {1, 2}})
      local msg = process.inbox():receive()
      local keys = 0
      for _ in pairs(msg.payload) do keys = keys + 1 end
      return {keys, #msg.topic}
    """
    assert run(body) == [2, 3]


@pytest.mark.parametrize("value", ["nil", "false", "0", '"s"', "{a = {1}}"])
def test_a_field_of_a_message_is_sent_on_as_its_value(value):
    body = f"""
      local me, inbox = process.pid(), process.inbox()
      process.send(me, "t", {value})
      local msg = inbox:receive()
      process.send(me, "t", msg.payload)
      process.send(me, "t", {{msg.payload, kept = true}})
      local expected = {value}
      local function same(a)
        return type(a) == "table" and type(expected) == "table" and a.a[1] == 1 or a == expected
      end
      local alone, inside = inbox:receive():payload(), inbox:receive():payload()
      return {{same(alone), same(inside[1]), inside.kept}}
    """
    assert run(body) == [True, True, True]


def test_a_message_cannot_be_changed():
    body = """
      process.send(process.pid(), "t", 1)
      local msg = process.inbox():receive()
      local a, b = pcall(function() msg.topic = "u" end), pcall(rawset, msg, 1, "u")
      return {a, b, msg:topic()}
    """
    assert run(body) == [False, False, "t"]


def test_messages_from_one_sender_keep_their_order_and_none_is_lost_or_doubled():
    body = """
      local me, inbox, last = process.pid(), process.inbox(), {}
      for i = 1, 5 do spawn("sender", me) end
      for i = 1, 5 * 300 do
        local msg = inbox:receive()
        local from = msg:from()
        assert(msg:payload() == (last[from] or 0) + 1)
        last[from] = msg:payload()
        if i % 7 == 0 then time.sleep("1ms") end
      end
      return channel.select{inbox:case_receive(), default = true}.default
    """
    sender = "local to = ... for i = 1, 300 do process.send(to, 't', i) end"
    assert run(SPAWN + body, sender=sender) is True


@pytest.mark.parametrize("ch", ["process.inbox()", "process.events()", "process.listen('t')"])
def test_every_channel_of_the_mailbox_can_be_polled(ch):
    body = f"""
      local got = channel.select{{({ch}):case_receive(), default = true}}
      return {{got.default, got.ok}}
    """
    assert run(body) == [True, True]


def test_a_full_mailbox_refuses_at_the_sender_and_changes_nothing():
    with World(max_mailbox=1000) as world:
        found = world.run(
            SPAWN
            + """
            local pid = spawn("deaf")
            process.monitor(pid)
            local sent, refusals, last = 0, 0, nil
            for i = 1, 3000 do
              local ok, err = process.send(pid, i % 3 == 0 and "heard" or "t", i)
              if ok then sent = sent + 1 else refusals, last = refusals + 1, err end
            end
            process.cancel(pid)
            local event = process.events():receive()
            return {sent, refusals, last:kind(), last:find(pid, 1, true) ~= nil,
                    last:find("1000", 1, true) ~= nil, event.result}
            """,
            deaf="""
            local heard = process.listen("heard")
            local kind = process.events():receive().kind
            local inbox, n = process.inbox(), 0
            local function drain(ch)
              while channel.select{ch:case_receive(), default = true}.channel do n = n + 1 end
            end
            drain(inbox) drain(heard)
            return {kind, n, process.send(process.pid(), "t", 1)}
            """,
        )
    assert found == [1000, 2000, "RateLimited", True, True, ["CANCEL", 1000, True]]


def test_what_was_received_makes_room_in_a_full_mailbox():
    with World(max_mailbox=2) as world:
        found = world.run(
            """
            local me, ch, seen = process.pid(), process.listen("t"), {}
            local function send(topic) seen[#seen + 1] = process.send(me, topic, 1) == true end
            send("t") send("u") send("t")
            ch:receive() send("v") send("v")
            process.inbox():receive() send("t") send("t")
            process.unlisten(ch) send("u") send("u")
            return seen
            """
        )
    assert found == [True, True, False, True, False, True, False, True, False]


# Every argument of every function, with a value of a wrong type.

WRONG = [
    ("send(nil, 't')", 1, "send", "string", "nil"),
    ("send()", 1, "send", "string", "nil"),
    ("send(5, 't')", 1, "send", "string", "number"),
    ("send({}, 't')", 1, "send", "string", "table"),
    ("send(process.pid(), nil)", 2, "send", "string", "nil"),
    ("send(process.pid(), 5, 1)", 2, "send", "string", "number"),
    ("send(process.pid(), {}, {})", 2, "send", "string", "table"),
    (
        "send(process.pid(), setmetatable({}, {__tostring = error}), 1)",
        2,
        "send",
        "string",
        "table",
    ),
    ("send(process.pid(), print, {})", 2, "send", "string", "function"),
    ("listen()", 1, "listen", "string", "nil"),
    ("listen(1)", 1, "listen", "string", "number"),
    ("listen('t', true)", 2, "listen", "table", "boolean"),
    ("listen('t', {message = 1})", 2, "listen", "option 'message' as boolean", "number"),
    ("unlisten()", 1, "unlisten", "channel", "nil"),
    ("unlisten('t')", 1, "unlisten", "channel", "string"),
    ("unlisten({})", 1, "unlisten", "channel", "table"),
    *[
        (f"{name}({arguments})", n, name, "string", got)
        for name in (
            "spawn",
            "spawn_monitored",
            "spawn_linked",
            "spawn_linked_monitored",
            "exec",
        )
        for arguments, n, got in [("5, 'h'", 1, "number"), ("'app:main', {}", 2, "table")]
    ],
    *[
        (f"{name}({argument})", 1, name, "string", got)
        for name in ("cancel", "terminate", "monitor", "unmonitor", "link", "unlink")
        for argument, got in [("", "nil"), ("7", "number"), ("{}", "table"), ("true", "boolean")]
    ],
    ("cancel(process.pid(), 5)", 2, "cancel", "string", "number"),
    ("set_options()", 1, "set_options", "table", "nil"),
    ("set_options('trap_links')", 1, "set_options", "table", "string"),
    ("registry.register()", 1, "register", "string", "nil"),
    ("registry.register(1)", 1, "register", "string", "number"),
    ("registry.register('n', 1)", 2, "register", "string", "number"),
    ("registry.register('n', nil, 1)", 3, "register", "string", "number"),
    ("registry.lookup()", 1, "lookup", "string", "nil"),
    ("registry.lookup({})", 1, "lookup", "string", "table"),
    ("registry.unregister()", 1, "unregister", "string", "nil"),
    ("registry.unregister('n', false)", 2, "unregister", "string", "boolean"),
]


@pytest.fixture(scope="module")
def shared_world():
    with World() as world:
        yield world


@pytest.mark.parametrize(("call", "n", "name", "expected", "got"), WRONG)
def test_a_wrong_argument_raises_at_the_line_of_the_caller(
    shared_world, call, n, name, expected, got
):
    found = shared_world.run(f"local x\n  x = process.{call}\nreturn 'not reached'")
    assert isinstance(found, Fault)
    message = f"bad argument #{n} to '{name}' ({expected} expected, got {got})"
    assert found.message == f"app/main.lua:2: {message}"


def test_a_wrong_argument_can_be_caught_and_the_process_goes_on(shared_world):
    body = """
      local ok, message = pcall(process.send, nil, "t")
      process.send(process.pid(), "t", 1)
      return {ok, message, process.inbox():receive():payload()}
    """
    message = "bad argument #1 to 'send' (string expected, got nil)"
    assert shared_world.run(body) == [False, message, 1]


def test_whom_a_message_is_for_is_looked_at_before_the_message():
    assert run("""
      local found = {}
      for i, call in ipairs({{"nobody", "@reserved", 1}, {"nobody", "t", print}, {process.pid(), "@reserved", print},
        {process.pid(), "t", print}}) do
        found[i] = tostring(select(2, process.send(call[1], call[2], call[3]))):match("^%S+ %S+")
      end
      return found""") == ["name not", "name not", "invalid topic", "payload: function"]
