"""A name is given up, and nobody is found by it any more."""

from specs.examples import SOURCE
from supervise import open_node


async def main() -> None:
    """Run the process until it ends."""
    async with open_node(SOURCE) as node:
        await node.exec("app.demo:unregister")
