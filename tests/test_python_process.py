"""Python processes: a trio task held to the rules of Lua processes."""

from __future__ import annotations

import pytest
import trio

from supervise import (
    Cancel,
    Exit,
    LinkDown,
    NameTakenError,
    NoProcessError,
    ProcessEndedError,
    RequestError,
)
from supervise.testing import run_until_idle
from tests.programs import lua, node_of


async def test_lua_sends_to_it_by_name_in_order():
    async with node_of() as node, node.open_process("me") as me:
        pid = await node.spawn("t:count", "me", 50)
        messages = [await me.receive() for _ in range(50)]
        assert [message.payload for message in messages] == list(range(1, 51))
        assert {(message.topic, message.sender) for message in messages} == {("n", pid)}


async def test_a_listener_gets_its_topic_and_what_waited_until_it_is_ended():
    async with node_of() as node, node.open_process() as me:
        node.send(me.pid, "a", 1)
        node.send(me.pid, "b", 2)
        listener = me.listen("a")
        node.send(me.pid, "a", 3)
        assert [(await listener.receive()).payload for _ in range(2)] == [1, 3]
        me.unlisten(listener)
        with pytest.raises(trio.EndOfChannel):
            listener.receive_nowait()
        with pytest.raises(RequestError, match="not a topic listener"):
            me.unlisten(listener)
        node.send(me.pid, "a", 4)
        assert [(await me.receive()).payload for _ in range(2)] == [2, 4]
        with pytest.raises(trio.WouldBlock):
            me.inbox.receive_nowait()


async def test_receive_first_looks_in_the_order_given():
    async with node_of() as node, node.open_process() as me:
        one, two = me.listen("1"), me.listen("2")
        node.send(me.pid, "2", "b")
        node.send(me.pid, "1", "a")
        mailbox, item = await me.receive_first(one, two)
        assert (mailbox, item.payload) == (one, "a")
        mailbox, item = await me.receive_first(one, two)
        assert (mailbox, item.payload) == (two, "b")
        async with node.open_process() as other:
            with pytest.raises(ValueError, match="belongs to"):
                await me.receive_first(other.inbox)
        with pytest.raises(ValueError, match="at least one"):
            await me.receive_first()


async def test_it_monitors_and_is_monitored():
    async with node_of() as node, node.open_process("me") as me:
        pid = await me.spawn("t:fail", monitor=True)
        event = await me.events.receive()
        assert isinstance(event, Exit)
        assert (event.pid, event.error.message) == (pid, "t:fail:1: out of widgets")
        with pytest.raises(NoProcessError):
            me.monitor(pid)
        async with node.open_process("watched") as watched:
            watcher = await me.spawn("t:watch", "watched", monitor=True)
            await run_until_idle(node)
        seen = (await me.events.receive()).result
        assert watcher != me.pid
        assert (seen["kind"], seen["from"], "error" in seen) == ("EXIT", watched.pid, False)


async def test_the_failure_of_the_block_is_the_failure_of_the_process():
    async with node_of() as node, node.open_process() as me:
        with pytest.raises(ZeroDivisionError):
            async with node.open_process("fragile") as fragile:
                me.monitor("fragile")
                raise ZeroDivisionError("by zero")
        event = await me.events.receive()
        assert (event.pid, event.error.message) == (fragile.pid, "ZeroDivisionError: by zero")


async def test_a_link_ends_the_block_unless_it_traps():
    async with node_of() as node:
        with pytest.raises(ProcessEndedError, match="linked process failed"):
            async with node.open_process() as me:
                pid = await me.spawn("t:fail_when_told", link=True)
                me.send(pid, "x", 1)
                await me.receive()
        async with node.open_process() as me:
            me.set_trap_links(True)
            pid = await me.spawn("t:fail_when_told", link=True)
            me.send(pid, "x", 1)
            event = await me.events.receive()
            assert isinstance(event, LinkDown)
            assert event.pid == pid


async def test_lua_terminates_cancels_and_links_it():
    kill = lua("process.cancel('me', 'soon') process.terminate('me')")
    async with node_of(entries={"t:kill": kill}) as node:
        with pytest.raises(ProcessEndedError, match="process terminated") as raised:
            async with node.open_process("me"):
                await node.spawn("t:kill")
                await trio.sleep_forever()
        assert raised.value.terminated
        assert node.whereis("me") is None
        async with node.open_process("me") as me:
            me.set_trap_links(True)
            watcher = await node.spawn("t:linked", "me")
            node.cancel("me", "please")
            assert isinstance(await me.events.receive(), Cancel)
            node.terminate(watcher)
            down = await me.events.receive()
            assert isinstance(down, LinkDown)
            assert down.pid == watcher


async def test_a_taken_name_opens_nothing():
    async with node_of() as node, node.open_process("me"):
        with pytest.raises(NameTakenError):
            async with node.open_process("me"):
                pytest.fail("it opened")
        assert len(node.processes()) == 1


async def test_using_it_after_its_block_says_that_it_ended():
    async with node_of() as node:
        async with node.open_process() as me:
            pass
        with pytest.raises(ProcessEndedError, match="process has ended"):
            me.send("x", "y")
        with pytest.raises(ProcessEndedError, match="process has ended"):
            await me.receive()
        assert node.processes() == []
