"""What no listener takes goes to the inbox."""

from specs.examples import SOURCE
from supervise import open_node


async def main() -> None:
    """Run the parent until it ends."""
    async with open_node(SOURCE) as node:
        await node.exec("app.demo:inbox")
