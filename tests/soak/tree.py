"""The tree that is soaked, and its children in Python."""

from __future__ import annotations

import trio

from supervise import (
    Backoff,
    ChildSpec,
    DynamicSupervisorSpec,
    HostSpec,
    Restart,
    Strategy,
    SupervisorSpec,
    current_process,
    lua,
    task,
)

# A thread that is stuck for this long, in seconds, is given up.
MAX_BLOCK = 0.3

HOSTS = [
    HostSpec("inline"),
    HostSpec("crew", workers=2, max_block=MAX_BLOCK),
    HostSpec("guests", isolation="private"),
    HostSpec("cells", isolation="private", workers=1, max_block=MAX_BLOCK),
    HostSpec("capped", workers=1, max_memory=8_000_000, max_block=MAX_BLOCK),
    HostSpec("narrow", workers=1, max_mailbox=200, max_block=MAX_BLOCK),
    HostSpec("jit", lua="jit"),
]

# Long enough for several restarts in a row, and short enough to be over when there is a rest.
MAX_SECONDS = 2.0


async def clerk():
    """Answers, or ends as it is told; tidies up in the end."""
    try:
        async for message in current_process().inbox:
            match message.topic:
                case "echo" if message.sender:
                    current_process().send(message.sender, "echo", message.payload)
                case "crash":
                    raise RuntimeError("crash")
                case "done":
                    return
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.001)


def worker(name, host, **fields):
    """A child that takes part in upgrades."""
    return ChildSpec(name, lua("soak:worker", host=host), name=name, **fields)


def plain(name, host, **fields):
    """A child that does not."""
    return ChildSpec(name, lua("soak:plain", host=host), name=name, **fields)


def supervisor(name, strategy, *children, max_restarts=20, **fields):
    """A supervisor below another one."""
    spec = SupervisorSpec(
        name,
        name=name,
        strategy=strategy,
        max_restarts=max_restarts,
        max_seconds=MAX_SECONDS,
        children=children,
    )
    return ChildSpec(name, spec, **fields)


POOL = DynamicSupervisorSpec(
    "pool", name="pool", max_restarts=50, max_seconds=MAX_SECONDS, max_children=60
)

TREE = SupervisorSpec(
    "soak",
    max_restarts=1_000_000,
    max_seconds=MAX_SECONDS,
    children=[
        supervisor(
            "office",
            Strategy.ONE_FOR_ONE,
            worker("ann", "inline"),
            plain("bob", "inline"),
            worker("cay", "inline", restart=Restart.TRANSIENT),
            ChildSpec("clerk", task(clerk), name="clerk"),
        ),
        supervisor(
            "line",
            Strategy.REST_FOR_ONE,
            worker("dan", "crew"),
            ChildSpec("porter", task(clerk), name="porter"),
            supervisor(
                "desk",
                Strategy.ONE_FOR_ALL,
                worker("eve", "crew"),
                worker("fay", "cells"),
                plain("gus", "inline"),
                max_restarts=5,
            ),
            plain("hal", "crew"),
        ),
        supervisor(
            "yard",
            Strategy.ONE_FOR_ONE,
            worker("ida", "guests", backoff=Backoff(initial=0.02, maximum=0.3)),
            plain("jim", "guests"),
            worker("kay", "capped"),
            worker("lee", "jit", backoff=Backoff(initial=0.01, maximum=0.1)),
            ChildSpec("sink", lua("soak:sink", host="narrow"), name="sink"),
        ),
        ChildSpec("pool", POOL),
    ],
)


def lines(supervisor_spec, depth=0):
    """The tree when it is whole, one child a line."""
    yield "  " * depth + supervisor_spec.id
    for child in getattr(supervisor_spec, "children", ()):
        if child.is_supervisor:
            yield from lines(child.start, depth + 1)
        else:
            yield "  " * (depth + 1) + child.id


WHOLE = "\n".join(lines(TREE))

SUPERVISORS = ("office", "line", "desk", "yard", "pool")
WORKERS = ("ann", "cay", "dan", "eve", "fay", "ida", "kay", "lee")
PLAIN = ("bob", "gus", "hal", "jim")
PYTHON = ("clerk", "porter")
CHILDREN = (*WORKERS, *PLAIN, *PYTHON, "sink")
