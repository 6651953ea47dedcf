"""A linked child does not outlive the failure of its parent."""

from specs.examples import SOURCE
from supervise import ProcessExited, open_node


async def main() -> None:
    """Run the parent, which fails, and see both end."""
    async with open_node(SOURCE) as node:
        with node.subscribe() as events:
            await node.spawn("app.demo:linked")
            async for event in events:
                if isinstance(event, ProcessExited) and event.error is not None:
                    print(f"{event.pid} {event.entry} ended: {event.error.message}")
                    if event.entry == "app.test.process:child_worker":
                        return
