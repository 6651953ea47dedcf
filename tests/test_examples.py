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
    "chat_room": """
          [ann's screen] ann is here
          [ann's screen] bob is here
          [bob's screen] bob is here
        ann types: hello
          [ann's screen] ann: hello
          [bob's screen] ann: hello
        bob types: hi ann
          [ann's screen] bob: hi ann
          [bob's screen] bob: hi ann
        bob types: /repeat two ha
          [ann's screen] bob fell out of the room
          [ann's screen] bob is here
          [bob's screen] bob is here
        ann types: are you back?
          [ann's screen] ann: are you back?
          [bob's screen] ann: are you back?
        bob types: /repeat 2 ha
          [ann's screen] bob: haha
          [bob's screen] bob: haha
        bob types: /quit
          [ann's screen] bob left
        Users left: 1
    """,
    "flaky_poller": """
        0.0 s: the station says: out of order
               it is asked again in 0.2 s
        0.2 s: the station says: out of order
               it is asked again in 0.4 s
        0.6 s: the station says: out of order
               it is asked again in 0.8 s
        It is 21 degrees.
        1.4 s: the poller is done
               and with it the tree
    """,
    "pipeline": """
        Five lines go through; the third is no number, and crashes the parser.

        line 1: the sum is 5
        line 2: the sum is 12
        line 4: the sum is 30
        line 5: the sum is 42

        reader: the same process as before
        parser: a new process
        adder: a new process
    """,
    "tcp_server": """
        ann: add 40     -> 40
        bob: add 7      -> 7
        eve: add a lot  -> sorry, that was too much for me
        ann: add 2      -> 42
        bob: add 1      -> 8
        ann: quit       -> bye
        bob: quit       -> bye
        Connections left: 0
    """,
    "tree": """
        Children start in order, each when the one before is up.
          0.0 s  bakery/till          is up: <1>
          0.0 s  bakery/kitchen/oven  is up: <2>
          0.0 s  bakery/kitchen/cook  is up: <3>
          0.0 s  bakery/kitchen       is up: <4>
          0.0 s  bakery/door          is up: <5>

        The till crashes: it alone is restarted.
          0.5 s  bakery/till          CRASHED: no change left
          0.5 s  bakery/till          is up: <6>

        The cook crashes: in a one_for_all kitchen, the oven is restarted, too.
          1.0 s  bakery/kitchen/cook  CRASHED: burnt a finger
          1.0 s  bakery/kitchen/oven  is asked to stop
          1.2 s  bakery/kitchen/oven  has stopped, after 1.2 s
          1.2 s  bakery/kitchen/oven  is up: <7>
          1.2 s  bakery/kitchen/cook  is up: <8>

        Once more, where one restart is allowed: the kitchen gives up, and the bakery,
        for which that is a crash like any other, starts a new kitchen.
          1.5 s  bakery/kitchen/cook  CRASHED: burnt another one
          1.5 s  bakery/kitchen       gives up on its cook
          1.5 s  bakery/kitchen/oven  is asked to stop
          1.7 s  bakery/kitchen/oven  has stopped, after 0.5 s
          1.7 s  bakery/kitchen       CRASHED: it gave up
          1.7 s  bakery/kitchen/oven  is up: <9>
          1.7 s  bakery/kitchen/cook  is up: <10>
          1.7 s  bakery/kitchen       is up: <11>

        Stop: in reverse order, and whoever listens has time to tidy up.
          2.0 s  bakery/door          is asked to stop
          2.0 s  bakery/door          has stopped, after 2.0 s
          2.0 s  bakery/kitchen       is asked to stop
          2.0 s  bakery/kitchen/cook  is asked to stop
          2.2 s  bakery/kitchen/cook  has stopped, after 0.5 s
          2.2 s  bakery/kitchen/oven  is asked to stop
          2.4 s  bakery/kitchen/oven  has stopped, after 0.7 s
          2.4 s  bakery/kitchen       has stopped, after 0.7 s
          2.4 s  bakery/till          is asked to stop
          2.6 s  bakery/till          has stopped, after 2.1 s
          2.6 s  bakery               has stopped
    """,
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
