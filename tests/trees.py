"""Lua and Python children for trees, and a node that knows them."""

from __future__ import annotations

import trio

from supervise import ChildSpec, Event, SupervisorSpec, current_process
from supervise import lua as lua_start
from tests.programs import lua, node_of

CHILDREN = {
    # Ends as the first message says: its payload is the error, false for a normal end.
    "s:told": lua("local why = process.inbox():receive():payload() if why then error(why, 0) end"),
    "s:crash": lua("error('at once', 0)"),
    "s:end": lua("return 1"),
    # Started only when told.
    "s:ready": lua(
        "local msg = process.inbox():receive() process.started(msg:payload()) "
        "process.events():receive()"
    ),
    "s:unready": lua("return 1"),
    "s:never": lua("channel.new():receive()"),
    # Hears that it is to end, and takes as long as it was told.
    "s:slow": lua("process.events():receive() time.sleep(...)"),
    "s:fails_late": lua("process.events():receive() error('while stopping', 0)"),
    "s:deaf": lua("process.events() channel.new():receive()"),
    "s:stubborn": lua(
        "local events = process.events() "
        "while true do pcall(function() events:receive() error('no') end) end"
    ),
    # Catches whatever it can, and reads no events.
    "s:pcall": lua("while true do pcall(time.sleep, '1s') end"),
    # Has a helper of its own, linked to it.
    "s:helped": lua("process.spawn_linked('t:wait', 'app:processes') channel.new():receive()"),
    # Asks late whether it is to end.
    "s:late_ear": lua("process.registry.lookup('x') return process.events():receive().reason"),
}


def trees_node(**options):
    """A node that knows the children."""
    return node_of(entries={**CHILDREN, **options.pop("entries", {})}, **options)


def child(id_, entry="t:wait", *args, **fields):
    """A Lua child registered under its id."""
    fields.setdefault("name", id_)
    return ChildSpec(id_, lua_start(entry, *args), **fields)


def root(*children, **fields):
    """The root of a tree."""
    return SupervisorSpec(fields.pop("id", "root"), children=children, **fields)


def drain(events):
    """The supervision events that wait."""
    seen = []
    while True:
        try:
            event = events.receive_nowait()
        except (trio.WouldBlock, trio.EndOfChannel):
            return seen
        if isinstance(event, Event):
            seen.append(event)


def steps(events):
    """Supervision events as words: `start a`, `up a`, `stop a`, `down a killed`, `end root`."""
    words = {
        "ChildStarting": "start {0.child}",
        "ChildStarted": "up {0.child}",
        "ChildStartFailed": "failed {0.child}",
        "ChildStopping": "stop {0.child}",
        "ChildExited": "down {0.child} {0.reason.kind.value}",
        "SupervisorExited": "end {0.supervisor}",
    }
    return [
        words[type(event).__name__].format(event)
        for event in drain(events)
        if type(event).__name__ in words
    ]


def state(supervisor, id_):
    """Where a child stands."""
    row = supervisor.which_children().get(id_)
    return None if row is None else row.state.value


async def forever():
    """A Python child that waits for its cancellation."""
    await trio.sleep_forever()


async def told():
    """A Python child that ends as its first message says, like `s:told`."""
    message = await current_process().receive()
    if message.payload:
        raise RuntimeError(message.payload)
