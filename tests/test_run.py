"""`supervise.run`: a program that is only a tree, and the signals that stop it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import supervise
from supervise import (
    AutoShutdown,
    ChildSpec,
    Restart,
    RestartIntensityError,
    SpecError,
    StartError,
    task,
)
from tests.trees import CHILDREN, child, root


async def ends():
    """Ends normally."""


def test_run_returns_when_the_tree_ends():
    spec = root(
        child("a", "s:never"),
        ChildSpec("p", task(ends), restart=Restart.TRANSIENT, significant=True),
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
    )
    supervise.run(spec, entries=CHILDREN)


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (root(child("a", "s:crash"), max_restarts=0), RestartIntensityError),
        (root(child("a", "s:none")), StartError),
        (root(child("a"), max_seconds=0), SpecError),
    ],
)
def test_run_raises_the_one_error_of_its_tree(spec, error):
    with pytest.raises(error):
        supervise.run(spec, entries=CHILDREN)


PROGRAM = textwrap.dedent(
    """
    import math, sys, trio, supervise
    from supervise import ChildSpec, SupervisorSpec, lua, task, Entry

    async def clean_up(name, seconds):
        try:
            print("up", name, flush=True)
            await trio.sleep_forever()
        finally:
            print("asked", name, flush=True)
            with trio.CancelScope(shield=True):
                await trio.sleep(seconds)
            print("down", name, flush=True)

    supervise.run(
        SupervisorSpec("top", children=[
            ChildSpec("l", lua("x:l")),
            ChildSpec("a", task(clean_up, "a", 0)),
            ChildSpec("b", task(clean_up, "b", float(sys.argv[1])), shutdown=math.inf),
        ]),
        entries={"x:l": Entry(text="return {main = function() channel.new():receive() end}")},
    )
    print("returned", flush=True)
    """
)


@pytest.fixture
def program():
    started = []

    def start(seconds):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )
        started.append(process)
        assert {process.stdout.readline() for _ in "ab"} == {"up a\n", "up b\n"}
        return process

    yield start
    for process in started:
        process.kill()
        process.stdout.close()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_tree_in_order(program, number):
    process = program(0)
    process.send_signal(number)
    rest, _ = process.communicate(timeout=20)
    assert rest.split("\n") == ["asked b", "down b", "asked a", "down a", "returned", ""]
    assert process.returncode == 0


def test_a_second_signal_stops_at_once(program):
    process = program(3600)
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "asked b\n"
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=20)
    assert rest == ""
    assert process.returncode == -signal.SIGINT
