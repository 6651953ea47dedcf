"""A trace in words: one line a record."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from supervise import _events as ev
from supervise.testing import _records as rec
from supervise.testing._records import Record


def _short(value: object, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _because(error: str | None) -> str:
    return "" if error is None else f": {error}"


def _spawned(r: rec.Spawned) -> str:
    what = r.entry if r.child is None else f"{r.child} #{r.incarnation} ({r.entry})"
    return f"{r.pid} is {what}"


def _sent(r: rec.Sent) -> str:
    said = f"{r.sender or 'nobody'} -> {r.pid} {r.topic} {_short(r.payload)}"
    return said if r.error is None else f"{said} refused: {r.error}"


def _exited(r: rec.Exited) -> str:
    how = f" ({r.forced})" if r.forced else ""
    return f"{r.pid} {r.label} ended{how}{_because(r.error)}"


def _finished(r: rec.Finished) -> str:
    left = f"{r.processes} processes, {r.names} names, {r.timers} timers left"
    return f"finished{_because(r.error)}" + (f" ({left})" if r.processes or r.names else "")


def _child(word: str) -> Callable[[Any], str]:
    return lambda r: f"{r.supervisor}/{r.child} {word}"


def _child_end(word: str) -> Callable[[Any], str]:
    return lambda r: f"{r.supervisor}/{r.child} {word} ({r.reason}), then {r.then.value}"


_WORDS: Final[Mapping[type[Any], Callable[[Any], str]]] = {
    rec.Declared: lambda r: (
        f"{r.supervisor} is {r.strategy}, {r.max_restarts} restarts in {r.max_seconds:g} s"
    ),
    rec.Opened: lambda r: f"{r.pid} is {r.label}" + (" (supervisor)" if r.supervisor else ""),
    rec.Spawned: _spawned,
    rec.Ready: lambda r: f"{r.pid} started with {_short(r.value)}",
    rec.Exited: _exited,
    rec.Registered: lambda r: f"{r.pid} got the name {r.name}",
    rec.Released: lambda r: f"{r.pid} lost the name {r.name}",
    rec.Printed: lambda r: f"{r.pid} printed {r.text}",
    rec.Sent: _sent,
    rec.Received: lambda r: f"{r.pid} received {r.topic} {_short(r.payload)} from {r.sender}",
    rec.Signalled: lambda r: f"{r.pid} has {r.kind} of {r.about}{_because(r.error)}",
    rec.Linked: lambda r: f"{r.pid} linked to {r.other}",
    rec.Unlinked: lambda r: f"{r.pid} unlinked from {r.other}",
    rec.Monitored: lambda r: f"{r.pid} monitors {r.other}",
    rec.Unmonitored: lambda r: f"{r.pid} monitors {r.other} no more",
    rec.Injected: lambda r: f"FAULT {r.fault}: {r.effect}",
    rec.Settled: lambda r: "settled" if r.resting else "time is over",
    rec.Finished: _finished,
    ev.ChildAdded: _child("added"),
    ev.ChildStarting: _child("starting"),
    ev.ChildStarted: lambda r: f"{r.supervisor}/{r.child} up as {r.pid}",
    ev.ChildStartFailed: _child_end("did not start"),
    ev.ChildIgnored: _child("ignored its start"),
    ev.RestartDelayed: lambda r: f"{r.supervisor}/{r.child} restarts in {r.seconds:g} s",
    ev.ChildStopping: _child("stopping"),
    ev.ChildExited: _child_end("down"),
    ev.ChildStopped: _child("not to be started any more"),
    ev.ChildRemoved: _child("removed"),
    ev.SupervisorStarted: lambda r: f"{r.supervisor} up",
    ev.SupervisorStopping: lambda r: f"{r.supervisor} stopping ({r.reason})",
    ev.SupervisorExited: lambda r: f"{r.supervisor} ended ({r.reason})",
}


@functools.cache
def _words_of(kind: type[Any]) -> Callable[[Any], str]:
    return _WORDS.get(kind, repr)


def line(record: Record) -> str:
    """One record."""
    return f"{record.at:>9.3f}  {_words_of(type(record))(record)}"


def render(seed: int, faults: str, records: Iterable[Record]) -> str:
    """A whole trace, below the call that makes it again."""
    return "\n".join([f"seed={seed}, faults={faults}", *map(line, records)])
