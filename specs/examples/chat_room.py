"""A chat room: one Lua process a user, under a dynamic supervisor; one of them crashes.

The screen is a child, too, in Python: what the users see leaves the tree there.
"""

from __future__ import annotations

import trio

from specs.examples import SOURCE
from supervise import (
    ChildSpec,
    DynamicSupervisorSpec,
    Restart,
    Strategy,
    SupervisorSpec,
    current_process,
    lua,
    open_node,
    task,
)

SCRIPT = [
    ("ann", "hello"),
    ("bob", "hi ann"),
    ("bob", "/repeat two ha"),  # this one crashes his process
    ("ann", "are you back?"),
    ("bob", "/repeat 2 ha"),
    ("bob", "/quit"),
]


async def screen() -> None:
    """Show what each user hears."""
    async for message in current_process().inbox:
        seen = message.payload
        assert isinstance(seen, dict)  # noqa: S101 - the users send nothing else
        print(f"  [{seen['user']}'s screen] {seen['text']}")


CHAT = SupervisorSpec(
    "chat",
    # Users need the room, and the room the screen: each is restarted with what it needs.
    strategy=Strategy.REST_FOR_ONE,
    children=[
        ChildSpec("screen", task(screen), name="screen"),
        ChildSpec("room", lua("app.chat:room"), name="room"),
        DynamicSupervisorSpec("users", name="users"),
    ],
)


async def main() -> None:
    """Let two users talk."""
    async with open_node(SOURCE) as node:
        await node.start(CHAT)
        users = node.supervisor("users")
        for name in ("ann", "bob"):
            # Transient: who quits has left; who crashes is back.
            user = ChildSpec(name, lua("app.chat:user", name), name=name, restart=Restart.TRANSIENT)
            await users.start_child(user)
            await trio.sleep(0.1)
        for name, line in SCRIPT:
            print(f"{name} types: {line}")
            node.send(name, "type", line)
            await trio.sleep(0.1)
        print("Users left:", users.count_children().active)
