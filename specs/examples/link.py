"""Linking to a process that runs already, and unlinking again."""

from specs.examples import SOURCE
from supervise import open_node


async def main() -> None:
    """Run the process that links until it ends."""
    async with open_node(SOURCE) as node:
        await node.exec("app.demo:link")
