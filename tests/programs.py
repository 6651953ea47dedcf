"""Tiny Lua programs, and a node that knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervise import Entry
from supervise.testing import open_test_node
from tests import placement

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from supervise import Node

PROGRAMS = {
    # Sends every payload back under the same topic.
    "t:echo": """
        local inbox = process.inbox()
        while true do
          local msg = inbox:receive()
          if msg:from() then process.send(msg:from(), msg:topic(), msg:payload()) end
        end""",
    # Waits for ever and reads nothing.
    "t:wait": "channel.new():receive()",
    # Reads one message and ends with its payload.
    "t:once": "return process.inbox():receive():payload()",
    # Sends `count` numbers to `dest`.
    "t:count": """
        local dest, count = ...
        for i = 1, count do process.send(dest, "n", i) end""",
    "t:add": "local a, b = ... return a + b",
    "t:fail": "error('out of widgets')",
    "t:fail_when_told": "process.inbox():receive() error('as told')",
    "t:full": "return nil, errors.new({message = 'no room', kind = errors.CONFLICT})",
    "t:print": "print(...)",
    # Ends with the reason of the first CANCEL.
    "t:obey": "return process.events():receive().reason",
    "t:sleep": "time.sleep(...) return 'awake'",
    # Never waits for anything but its turn.
    "t:busy": "while true do process.send(process.pid(), 'n') process.inbox():receive() end",
    # Does what it is told to: payload is the name of a function of `process`, then its arguments.
    "t:puppet": """
        local inbox = process.inbox()
        while true do
          local msg = inbox:receive()
          local call = msg:payload()
          local value, err = process[call[1]]((table.unpack or unpack)(call, 2))
          process.send(msg:from(), "done", {value = value, error = err and tostring(err)})
        end""",
    # Watches `dest` and ends with what it saw.
    "t:watch": """
        local dest = ...
        assert(process.monitor(dest))
        process.started()
        local event = process.events():receive()
        return {kind = event.kind, from = event.from, error = event.error and tostring(event.error),
                result = event.result}""",
    "t:linked": """
        process.set_options({trap_links = true})
        assert(process.link(...))
        local event = process.events():receive()
        return {kind = event.kind, from = event.from, error = tostring(event.error)}""",
}
ENTRIES = {
    name: Entry(text=f"return {{ main = function(...) {body}\nend }}")
    for name, body in PROGRAMS.items()
}


def node_of(**options: Any) -> AbstractAsyncContextManager[Node]:
    """A node with the programs, checked for leaks; what they print is dropped."""
    options.setdefault("output", lambda _pid, _text: None)
    options.setdefault("hosts", [placement.now.host()])
    return open_test_node(entries={**ENTRIES, **options.pop("entries", {})}, **options)


def lua(body: str) -> Entry:
    """An entry whose main has this body."""
    return Entry(text=f"return {{ main = function(...) {body}\nend }}")
