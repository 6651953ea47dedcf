"""A TCP server in a nursery of its own, with a supervised Lua process for each connection.

Three clients connect to it. What one of them sends crashes its process; the others notice nothing.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import trio

from specs.examples import SOURCE
from supervise import (
    ChildNotFoundError,
    ChildSpec,
    DynamicSupervisorSpec,
    Node,
    ProcessExitedError,
    Restart,
    Supervisor,
    lua,
    open_node,
)

CONNECTION = ChildSpec("connection", lua("app.tcp:connection"), restart=Restart.TEMPORARY)


async def main() -> None:
    """Serve a few clients."""
    # The nursery is inside the node: the server ends before the tree does.
    async with open_node(SOURCE) as node, trio.open_nursery() as nursery:
        connections = await node.start(DynamicSupervisorSpec("connections"))
        handler = partial(serve, node, connections)
        serve_tcp = partial(trio.serve_tcp, handler, 0, host="127.0.0.1")
        listener, *_ = await nursery.start(serve_tcp)
        port = listener.socket.getsockname()[1]
        await _use(port)
        print("Connections left:", connections.count_children().active)
        nursery.cancel_scope.cancel()


async def serve(node: Node, connections: Supervisor, stream: trio.SocketStream) -> None:
    """Serve one client: its lines go to its process, the replies come back."""
    child = await connections.start_child(CONNECTION)
    try:
        with suppress(trio.BrokenResourceError):  # the client has gone
            await converse(node, child.pid, stream)
    finally:
        with suppress(ChildNotFoundError):  # it has ended already
            await connections.terminate_child(child.pid)


async def converse(node: Node, pid: str, stream: trio.SocketStream) -> None:
    """Carry lines and replies until either side ends."""
    rest = b""
    try:
        async for chunk in stream:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                reply = await node.call(pid, "line", line)
                await stream.send_all(str(reply).encode() + b"\n")
    except ProcessExitedError as exc:
        text = b"bye" if exc.fault is None else b"sorry, that was too much for me"
        await stream.send_all(text + b"\n")


async def _use(port: int) -> None:
    clients = {
        name: await trio.open_tcp_stream("127.0.0.1", port) for name in ("ann", "bob", "eve")
    }
    for name, line in [
        ("ann", "add 40"),
        ("bob", "add 7"),
        ("eve", "add a lot"),
        ("ann", "add 2"),
        ("bob", "add 1"),
        ("ann", "quit"),
        ("bob", "quit"),
    ]:
        await clients[name].send_all(f"{line}\n".encode())
        reply = await clients[name].receive_some()
        print(f"{name}: {line:10} -> {reply.decode().strip()}")
    for client in clients.values():
        # The server closes the connection of a process that has ended.
        await client.receive_some()
        await client.aclose()
