"""A process that traps links hears LINK_DOWN instead of failing along."""

from specs.examples import SOURCE
from supervise import open_node


async def main() -> None:
    """Run the parent; it returns true because it lived on."""
    async with open_node(SOURCE) as node:
        print("The parent lived on:", await node.exec("app.demo:trap_links"))
