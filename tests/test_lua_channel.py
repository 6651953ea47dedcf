"""Channels: what each call gives, who is served first, and what closing does."""

from __future__ import annotations

import pytest

from lua_api import Fault
from tests.lua_world import World, run

GO = "local function go(f) coroutine.spawn(f) end local log = {} "

# (body, result); `go` starts a coroutine, `log` is an empty list.
BEHAVIOUR = {
    "a rendezvous hands the value from the sender to the receiver": (
        """local ch = channel.new()
        go(function() log[1] = ch:send("v") end)
        local blocked = log[1] == nil
        local v, ok = ch:receive()
        time.sleep(1)
        return { blocked, v, ok, log[1] }""",
        [True, "v", True, True],
    ),
    "a receiver that waits gets what is sent": (
        """local ch = channel.new()
        go(function() log[1], log[2] = ch:receive() end)
        local sent = ch:send("v")
        time.sleep(1)
        return { sent, log[1], log[2] }""",
        [True, "v", True],
    ),
    "a buffer takes as many values as it has room for": (
        """local ch = channel.new(2)
        go(function() for i = 1, 3 do ch:send(i) log[#log + 1] = i end end)
        local before = #log
        return { before, ch:receive(), (ch:receive()), (ch:receive()) }""",
        [2, 1, 2, 3],
    ),
    "a value can be nil or false": (
        """local ch = channel.new(2)
        ch:send(nil) ch:send(false)
        local a, a_ok = ch:receive() local b, b_ok = ch:receive()
        return { a == nil, a_ok, b, b_ok }""",
        [True, True, False, True],
    ),
    "values pass by reference": (
        """local ch, t = channel.new(1), {}
        ch:send(t) return ch:receive() == t""",
        True,
    ),
    "buffered values survive close, then it is closed again and again": (
        """local ch = channel.new(2)
        ch:send(1) ch:send(2) ch:close()
        for i = 1, 4 do local v, ok = ch:receive() log[i] = tostring(v) .. tostring(ok) end
        return log""",
        ["1true", "2true", "nilfalse", "nilfalse"],
    ),
    "close wakes every receiver": (
        """local ch = channel.new()
        for i = 1, 3 do go(function() local v, ok = ch:receive() log[i] = { v == nil, ok } end) end
        ch:close() time.sleep(1) return log""",
        [[True, False]] * 3,
    ),
    "close refuses every sender that waits": (
        """local ch = channel.new()
        for i = 1, 2 do
          go(function() local sent, err = ch:send(i) log[i] = { sent == nil, err:kind() } end)
        end
        ch:close() time.sleep(1)
        log[3] = { ch:receive() == nil }
        return log""",
        [[True, "Canceled"], [True, "Canceled"], [True]],
    ),
    "a second close does nothing": (
        "local ch = channel.new() ch:close() ch:close() return { select(2, ch:receive()) }",
        [False],
    ),
    "senders that wait move up in order as there is room": (
        """local ch = channel.new(1)
        for i = 1, 4 do go(function() ch:send(i) end) end
        for i = 1, 4 do log[i] = ch:receive() end
        return log""",
        [1, 2, 3, 4],
    ),
    "receivers are served first come, first served": (
        """local ch = channel.new()
        for i = 1, 3 do go(function() local v = ch:receive() log[v] = i end) end
        for v = 1, 3 do ch:send(v) end
        time.sleep(1) return log""",
        [1, 2, 3],
    ),
    "a receive and a select that wait are served in the order in which they came": (
        """local ch, other = channel.new(), channel.new()
        go(function() log[ch:receive()] = "receive" end)
        go(function()
          local r = channel.select{ other:case_receive(), ch:case_receive() }
          log[r.value] = "select"
        end)
        go(function() log[ch:receive()] = "last" end)
        for v = 1, 3 do ch:send(v) end
        time.sleep(1) return log""",
        ["receive", "select", "last"],
    ),
    "a select that was served waits on no other channel any more": (
        """local a, b = channel.new(), channel.new()
        go(function() channel.select{ a:case_receive(), b:case_receive() } end)
        a:send(1)
        return channel.select{ b:case_send(2), default = true }.default""",
        True,
    ),
    "select takes the first ready case in list order": (
        """local a, b, c = channel.new(1), channel.new(1), channel.new(1)
        b:send("b") c:send("c")
        local cases = { a:case_receive(), c:case_receive(), b:case_receive(), default = true }
        for i = 1, 3 do local r = channel.select(cases) log[i] = r.value or r.default end
        return log""",
        ["c", "b", True],
    ),
    "select names the channel, the value and that it is open": (
        """local ch = channel.new(1) ch:send(5)
        local r = channel.select{ ch:case_receive() }
        return { r.channel == ch, r.value, r.ok, r.default == nil }""",
        [True, 5, True, True],
    ),
    "select waits until a case is ready": (
        """local a, b = channel.new(), channel.new()
        go(function() time.sleep("1s") b:send("late") end)
        local r = channel.select{ a:case_receive(), b:case_receive() }
        return { r.channel == b, r.value, r.ok }""",
        [True, "late", True],
    ),
    "select sends to a receiver that waits": (
        """local a, b = channel.new(), channel.new()
        go(function() log[1] = b:receive() end)
        local r = channel.select{ a:case_receive(), b:case_send("v") }
        time.sleep(1)
        return { r.channel == b, r.value == nil, r.ok, log[1] }""",
        [True, True, True, "v"],
    ),
    "select sends into a free place of a buffer, not into a full one": (
        """local ch = channel.new(1)
        local cases = { ch:case_send("v"), default = true }
        local first, second = channel.select(cases), channel.select(cases)
        return { first.ok, first.default == nil, second.default, (ch:receive()) }""",
        [True, True, True, "v"],
    ),
    "a select that waits to send hands over its value": (
        """local ch = channel.new()
        go(function()
          local r = channel.select{ ch:case_send("v") } log[1] = { r.channel == ch, r.ok }
        end)
        local v, ok = ch:receive()
        time.sleep(1) return { v, ok, log[1] }""",
        ["v", True, [True, True]],
    ),
    "the default is taken when nothing is ready": (
        """local r = channel.select{ channel.new():case_receive(), default = true }
        return { r.default, r.ok, r.channel == nil, r.value == nil }""",
        [True, True, True, True],
    ),
    "a closed channel is ready and beats the default": (
        """local ch = channel.new() ch:close()
        local r = channel.select{ ch:case_receive(), default = true }
        local s = channel.select{ ch:case_send(1), default = true }
        return { r.ok, r.channel == ch, r.value == nil, s.ok, s.channel == ch }""",
        [False, True, True, False, True],
    ),
    "closing wakes a select that waits to receive or to send": (
        """local ch = channel.new()
        go(function() log[1] = channel.select{ ch:case_receive() }.ok end)
        ch:close()
        local other = channel.new()
        go(function() log[2] = channel.select{ other:case_send(1) }.ok end)
        other:close()
        time.sleep(1) return log""",
        [False, False],
    ),
    "a select with only a default takes it": (
        "return channel.select{ default = true }.default",
        True,
    ),
    "cases can be used again and again": (
        """local ch = channel.new(3)
        local send, receive = ch:case_send("v"), ch:case_receive()
        for _ = 1, 3 do channel.select{ send } end
        for i = 1, 3 do log[i] = channel.select{ receive }.value end
        return log""",
        ["v", "v", "v"],
    ),
    "a select keeps its cases when the list changes while it waits": (
        """local a, b = channel.new(), channel.new()
        local cases = { a:case_receive() }
        go(function() time.sleep(1) cases[1] = b:case_send(1) a:send("v") end)
        local r = channel.select(cases)
        return { r.channel == a, r.value }""",
        [True, "v"],
    ),
    "channels are keys and differ from each other": (
        """local a, b = channel.new(), channel.new()
        local names = { [a] = "a", [b] = "b" }
        return { a == a, a == b, names[a], names[b] }""",
        [True, False, "a", "b"],
    ),
    "two cases of one channel in a select are served once": (
        """local ch = channel.new()
        go(function() log[1] = channel.select{ ch:case_receive(), ch:case_receive() }.value end)
        ch:send(1)
        return { log[1] == nil, channel.select{ ch:case_send(2), default = true }.default }""",
        [True, True],
    ),
    "a select does not send to itself": (
        """local ch = channel.new()
        go(function() log[1] = channel.select{ ch:case_send("mine"), ch:case_receive() }.value end)
        ch:send("other") time.sleep(1) return log[1]""",
        "other",
    ),
}


@pytest.mark.parametrize(("body", "result"), BEHAVIOUR.values(), ids=BEHAVIOUR)
def test_channels(body, result):
    assert run(GO + body) == result


MISUSE = {
    "channel.new('x')": "bad argument #1 to 'new' (number expected, got string)",
    "channel.new(-1)": "bad argument #1 to 'new' (a whole number >= 0 expected, got -1)",
    "channel.new(1.5)": "bad argument #1 to 'new' (a whole number >= 0 expected, got 1.5)",
    "closed:send(1)": "send on closed channel",
    "ch.send(5)": "bad argument #1 to 'send' (channel expected, got number)",
    "ch.receive()": "bad argument #1 to 'receive' (channel expected, got nil)",
    "ch.close({})": "bad argument #1 to 'close' (channel expected, got table)",
    "ch.case_receive(5)": "bad argument #1 to 'case_receive' (channel expected, got number)",
    "ch.case_send(5)": "bad argument #1 to 'case_send' (channel expected, got number)",
    "channel.select(5)": "bad argument #1 to 'select' (table expected, got number)",
    "channel.select{}": "select: no cases and no default: it would wait forever",
    "channel.select{ ch:case_receive(), ch }": "select: entry 2 is not a case"
    " (use ch:case_receive() or ch:case_send(value)), got channel",
    "channel.select{ 5, default = true }": "select: entry 1 is not a case"
    " (use ch:case_receive() or ch:case_send(value)), got number",
    "process.inbox():send(1)": "send: only the kernel sends on this channel",
    "process.inbox():case_send(1)": "case_send: only the kernel sends on this channel",
    "time.after('1s'):send(1)": "send: only the kernel sends on this channel",
    "process.inbox():close()": "close: the inbox and the events of a process stay open",
}


@pytest.mark.parametrize(("call", "problem"), MISUSE.items())
def test_misuse_raises_at_the_line_of_the_caller(call, problem):
    head = "local ch, closed = channel.new(), channel.new() closed:close()\n"
    assert run(f"{head}local _ = {call}").message == f"app/main.lua:2: {problem}"


def test_a_case_made_for_receiving_cannot_be_turned_into_a_send_to_the_kernel():
    fault = run("local case = process.inbox():case_receive() case[2] = true channel.select{ case }")
    assert "only the kernel sends on this channel" in fault.message


def test_channels_have_no_fields_that_can_be_set():
    fault = run("channel.new().x = 1")
    assert fault.message == "app/main.lua:1: channels have no fields that can be set"


def test_a_channel_stays_within_its_process():
    body = """
      local sent, err = process.send(process.pid(), "t", { ch = channel.new() })
      local case_sent, case_err = process.send(process.pid(), "t", channel.new():case_receive())
      return { sent == nil, err:kind(), err:message(), case_sent == nil, case_err:message() }"""
    assert run(body) == [
        True, "Invalid", "payload.ch: channel cannot be sent",
        True, "payload: channel case cannot be sent",
    ]  # fmt: skip


def test_a_blocked_channel_does_not_block_the_process():
    with World() as world:
        world.run(GO + 'go(function() channel.new():receive() end) print("on") time.sleep(1)')
        assert world.prints == ["on"]


def test_an_uncaught_send_on_a_closed_channel_ends_the_process():
    fault = run("local ch = channel.new() ch:close() ch:send(1)")
    assert isinstance(fault, Fault)
    assert "send on closed channel" in fault.message
