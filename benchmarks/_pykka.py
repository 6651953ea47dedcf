"""The workloads as pykka actors, each on an OS thread of its own."""

from __future__ import annotations

import platform
import sys
import threading
from importlib.metadata import version as installed
from typing import Any

import pykka

from benchmarks._timing import Batches, Samples, SpawnMeter
from benchmarks._timing import cold_start as time_cold_start
from benchmarks._workloads import RING, SENDERS, Plan

_THREADS = "each actor is an OS thread: too many of them"
_UNSUPERVISED = "an actor that fails stops, nothing restarts it"
NOT_APPLICABLE = {
    "ping-pong-jit": "nothing is compiled while it runs: as ping-pong",
    "busy-neighbour": "its actors are threads",
    "computing": "its actors are threads",
    "spawn-100k": _THREADS,
    "skynet": _THREADS,
    "nested": "actors share the payload, nothing is copied: as ping-pong",
    "restart": _UNSUPERVISED,
    "crash-1k": _UNSUPERVISED,
    "crash-10k": _UNSUPERVISED,
    "start-stop": _UNSUPERVISED,
    "start-child": _UNSUPERVISED,
}

Ref = pykka.ActorRef[Any]


def version() -> str:
    """What would run."""
    return f"pykka {installed('pykka')}, Python {platform.python_version()}"


class _Actor(pykka.ThreadingActor):
    use_daemon_thread = True  # nobody waits for ten thousand of them to stop


class _Echo(_Actor):
    def on_receive(self, message: object) -> object:
        return message


class _Forward(_Actor):
    """Hands every message on."""

    def __init__(self, following: Ref) -> None:
        super().__init__()
        self._following = following

    def on_receive(self, message: object) -> None:
        self._following.tell(message)


class _Batch:
    """What the measuring thread and an actor share: how much is missing, and when it is done."""

    def __init__(self) -> None:
        self.missing = 0
        self.following: Ref  # the ring's first member, set before the first message
        self._done = threading.Event()

    def finish(self) -> None:
        self._done.set()

    def wait(self) -> None:
        self._done.wait()
        self._done.clear()


class _Home(_Actor):
    """The member of the ring that counts the rounds."""

    def __init__(self, batch: _Batch) -> None:
        super().__init__()
        self._batch = batch

    def on_receive(self, message: object) -> None:
        batch = self._batch
        if batch.missing == 0:
            batch.finish()
            return
        batch.missing -= 1
        batch.following.tell(message)


class _Sink(_Actor):
    """Counts down what many send."""

    def __init__(self, batch: _Batch) -> None:
        super().__init__()
        self._batch = batch

    def on_receive(self, _: object) -> None:
        batch = self._batch
        batch.missing -= 1
        if batch.missing == 0:
            batch.finish()


class _Burst(_Actor):
    """Sends as many messages as it is asked to."""

    def __init__(self, sink: Ref) -> None:
        super().__init__()
        self._sink = sink

    def on_receive(self, count: int) -> None:
        for number in range(count):
            self._sink.tell(number)


def spawn(plan: Plan) -> Samples:
    """Start actors; the last one answers."""
    _Echo.start().ask(None)
    meter = SpawnMeter(plan)
    for _ in range(plan.size):
        last = _Echo.start()
    last.ask(None)
    return meter.stop()


def _ring(plan: Plan, members: int) -> Samples:
    batch = _Batch()
    home: Ref = _Home.start(batch)
    following = home
    for _ in range(members - 1):
        following = _Forward.start(following)
    batch.following = following
    batches = Batches(plan)
    for hops in batches:
        batch.missing = hops // members
        home.tell(1)
        batch.wait()
    return batches.samples(plan.size)


def ping_pong(plan: Plan) -> Samples:
    """Two actors, one message back and forth."""
    return _ring(plan, 2)


def ring(plan: Plan) -> Samples:
    """One message round a ring of actors."""
    return _ring(plan, RING)


def fan_in(plan: Plan) -> Samples:
    """Many actors send to one."""
    batch = _Batch()
    sink = _Sink.start(batch)
    senders = [_Burst.start(sink) for _ in range(SENDERS)]
    batches = Batches(plan)
    for messages in batches:
        batch.missing = messages
        for sender in senders:
            sender.tell(messages // SENDERS)
        batch.wait()
    return batches.samples(plan.size)


def python_call(plan: Plan) -> Samples:
    """Ask an actor and wait for its answer."""
    actor = _Echo.start()
    batches = Batches(plan)
    for calls in batches:
        for _ in range(calls):
            actor.ask(1)
    return batches.samples(plan.size)


_COLD_START = """
import pykka

class Echo(pykka.ThreadingActor):
    def on_receive(self, message):
        return message

actor = Echo.start()
print(actor.ask("ready"), flush=True)
actor.stop()
"""


def cold_start(plan: Plan) -> Samples:
    """A Python that starts an actor and hears back from it."""
    return time_cold_start([sys.executable, "-c", _COLD_START], plan)
