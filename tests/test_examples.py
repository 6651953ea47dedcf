"""Every example runs and prints what it says it does."""

import importlib
import pkgutil
import re

import pytest
import trio
import trio.testing

import specs.examples
from supervise import open_node

# What each example prints: the pids are numbered in the order in which they appear.
EXPECTED = {
    "echo": """
        <1> The reply is from the worker:	true
        <1> It says:	hello
    """,
    "inbox": """
        <1> Inbox got:	news	it rains
        <1> Inbox got:	weather	it still rains
    """,
    "link": """
        <1> Linked:	true
        <1> LINK_DOWN	process terminated
        <1> Heard nothing of the other one:	true
    """,
    "linked": """
        <1> Linked child:	<2>
        <2> Child is up
        <1> app.demo:linked ended: the parent gives up
        <2> app.test.process:child_worker ended: linked process failed
    """,
    "messages": """
        <1> Sent:	true
        <2> Received:	hello from parent
        <1> Worker ended with:	true
        <1> Sent again:	process not found: <2>
    """,
    "monitor": """
        <1> Monitoring:	true
        <1> EXIT	stopped: enough
        <1> Heard nothing of the other one:	true
    """,
    "monitored": """
        <1> Started worker:	<2>
        <1> Worker exited:	<2>
        <1> Exit result:	all done
    """,
    "register": """
        Registered and found: True
        Names left when it has ended: 0
    """,
    "spawn": """
        <1> Started worker:	<2>
        <1> My own pid:	<1>
    """,
    "trap_links": """
        <1> Linked process died:	<2>
        The parent lived on: True
    """,
    "unregister": """
        <1> Holder:	<1>
        <1> After unregister:	nil	name not found: "my_service"
        <1> Name was not registered
    """,
    "worker_pool": """
        A pool gives a task to each of five workers and monitors them. Task 3 is made to fail.

        <1> spawned  app.demo:worker_pool
        <2> spawned  app.test.process:task_worker
        <3> spawned  app.test.process:task_worker
        <4> spawned  app.test.process:task_worker
        <5> spawned  app.test.process:task_worker
        <6> spawned  app.test.process:task_worker
        <2> message  progress: task 1 is under way
        <3> message  progress: task 2 is under way
        <4> message  progress: task 3 is under way
        <5> message  progress: task 4 is under way
        <6> message  progress: task 5 is under way
        <2> EXIT     result: 20
        <1> prints   Worker 1 completed:	20
        <3> EXIT     result: 40
        <1> prints   Worker 2 completed:	40
        <4> EXIT     progress_worker.lua:8: task 3 was made to fail
        <1> prints   Worker 3 failed:	progress_worker.lua:8: task 3 was made to fail
        <5> EXIT     result: 80
        <1> prints   Worker 4 completed:	80
        <6> EXIT     result: 100
        <1> prints   Worker 5 completed:	100
        <1> EXIT     result: True
    """,
}


def run(main):
    """Run a program on a clock that jumps to the next moment at which something happens."""
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def numbered(text):
    """The text with a number for each pid, and with files without their folders."""
    numbers = {}

    def number(match):
        return f"<{numbers.setdefault(match[0], len(numbers) + 1)}>"

    return re.sub(r"[\w./-]+/(?=\w+\.lua:)", "", re.sub(r"\{[^|}]+\|0x[0-9a-f]+\}", number, text))


def lines(text):
    return [line.strip() for line in text.strip().splitlines()]


def test_every_example_is_expected_to_print_something():
    modules = {module.name for module in pkgutil.iter_modules(specs.examples.__path__)}
    assert modules == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_prints_what_it_does(capsys, name):
    run(importlib.import_module(f"specs.examples.{name}").main)

    assert lines(numbered(capsys.readouterr().out)) == lines(EXPECTED[name])


def test_the_pool_of_the_specification_completes_with_its_own_workers():
    printed = []

    async def main():
        async with open_node(
            specs.examples.SOURCE, output=lambda _, text: printed.append(text)
        ) as node:
            assert await node.exec("app.demo:worker_pool") is True

    run(main)

    assert sorted(printed) == [f"Worker {i} completed:\t{i * 20}" for i in range(1, 6)]


def test_a_trapped_failure_is_the_one_of_the_worker():
    async def main():
        async with open_node(specs.examples.SOURCE) as node, node.open_process() as me:
            worker = await me.spawn("app.test.process:error_exit_worker", monitor=True)
            ended = await me.events.receive()
            assert ended.pid == worker
            assert ended.error.message.endswith("error_exit_worker.lua:4: failed on purpose")

    run(main)
