"""A process takes a name and is found by it; at its end the name is free."""

from specs.examples import SOURCE
from supervise import open_node


async def main() -> None:
    """Run the process, then look for its name from here."""
    async with open_node(SOURCE) as node:
        print("Registered and found:", await node.exec("app.demo:register"))
        print("Names left when it has ended:", node.statistics().names)
