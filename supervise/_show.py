"""Supervision events in words, for who watches a tree: what failed, what came back. No trio."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from lua_api import Fault, ProcessExited, ProcessSpawned
from specs import ExitKind, ExitReason
from supervise import _events as ev
from supervise._cli_report import of_user
from supervise._events import ChildState
from supervise._reasons import ChildFailedToStart, RestartLimitReached, Unstoppable

if TYPE_CHECKING:
    from supervise._lifecycle import LifecycleEvent
    from supervise._reasons import ChildKey

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_SECONDS_IN_TENTHS = 10
_HOW = {
    ExitKind.NORMAL: "ended",
    ExitKind.SHUTDOWN: "shut down",
    ExitKind.ERROR: "crashed",
    ExitKind.KILLED: "was killed",
}


def duration(seconds: float) -> str:
    """A stretch of time in the units that a reader wants, such as `3.2 s` or `2 h 5 min`."""
    if seconds < _SECONDS_IN_TENTHS:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def last_words(limit: RestartLimitReached) -> str:
    """Why a tree gave up, in one line: its root, and the failure below that began it."""
    text = f"{limit.supervisor} {_gave_up(limit)}"
    while isinstance(limit.reason.error, RestartLimitReached):
        limit = limit.reason.error
    reason = limit.reason
    return f"{text}; last, {limit.supervisor}/{limit.child} {_how(reason)}{_why(reason)}"


class News:
    """Tells what is news. It gets every event of a node, in order, from before its first tree."""

    def __init__(self) -> None:
        self._tables: dict[str, ev.Table] = {}
        self._returning: set[tuple[str, ChildKey]] = set()
        self._supervised: set[str] = set()

    def tell(self, event: LifecycleEvent) -> str | None:
        """The news in an event: a line, and below it what Lua or Python says; None for none.

        What happens in order is no news: first starts, ends without an error, stops.
        """
        match event:
            case ProcessSpawned():
                if event.parent is not None and event.parent.startswith("{supervisor|"):
                    self._supervised.add(event.pid)
            case ProcessExited():
                return self._process_exited(event)
            case ev.Event():
                table = self._tables.setdefault(event.supervisor, {})
                news = self._supervision(event, table)
                ev.apply(table, event)
                if isinstance(event, ev.SupervisorExited):
                    del self._tables[event.supervisor]
                return news
        return None

    def _process_exited(self, event: ProcessExited) -> str | None:
        if event.pid in self._supervised:
            self._supervised.remove(event.pid)  # its supervisor tells
        elif event.error is not None and event.error.kind != "Canceled":
            return _joined(f"{event.pid} {event.entry} failed: {event.error}", event.error)
        return None

    def _supervision(self, event: ev.Event, table: ev.Table) -> str | None:
        match event:
            case ev.SupervisorStopping(supervisor=path, reason=reason):
                limit = reason.error
                return f"{path} {_gave_up(limit)}" if _is_limit(limit) else None
            case ev.ChildEvent():
                return self._child(event, f"{event.supervisor}/{event.child}", table)
        return None

    def _child(self, event: ev.ChildEvent, path: str, table: ev.Table) -> str | None:
        match event:
            case ev.ChildStarting():
                if table[event.child].incarnation:
                    self._returning.add((event.supervisor, event.child))
            case ev.ChildStarted():
                if self._is_back(event):
                    return f"{path} restarted as {event.pid}"
            case ev.ChildIgnored():
                if self._is_back(event):
                    return f"{path} was not started again: it had its start ignored"
            case ev.RestartDelayed(seconds=seconds):
                return f"{path} restarts in {duration(seconds)}"
            case ev.ChildStartFailed(reason=reason):
                self._is_back(event)
                return _joined(f"{path} did not start: {_words(reason.error)}", reason.error)
            case ev.ChildExited():
                return _exited(event, path, table[event.child])
        return None

    def _is_back(self, event: ev.ChildEvent) -> bool:
        key = (event.supervisor, event.child)
        returning = key in self._returning
        self._returning.discard(key)
        return returning


def _exited(event: ev.ChildExited, path: str, row: ev.ChildRow) -> str | None:
    reason = event.reason
    # That a supervisor gave up it has told itself.
    if reason.kind not in (ExitKind.ERROR, ExitKind.KILLED) or _is_limit(reason.error):
        return None
    when = f"after {duration(event.uptime)}"
    if row.state is ChildState.STOPPING:
        when += ", while it was being stopped"
    return _joined(f"{path} {row.pid} {_how(reason)} {when}{_why(reason)}", reason.error)


def _how(reason: ExitReason) -> str:
    if isinstance(reason.error, Unstoppable):
        return "does not stop and was given up"
    return _HOW[reason.kind]


def _why(reason: ExitReason) -> str:
    if isinstance(reason.error, Unstoppable):
        return "; it is at"
    if reason.kind is not ExitKind.ERROR or reason.error is None:
        return ""
    return f": {_words(reason.error)}"


def _words(error: object) -> str:
    """An error in one line."""
    if isinstance(error, RestartLimitReached):
        return f"it {_gave_up(error)}"
    if isinstance(error, ChildFailedToStart):
        return f"its child {error.child} did not"
    text = str(error)
    if isinstance(error, BaseException):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return " ".join(text.splitlines())


def _gave_up(limit: object) -> str:
    assert isinstance(limit, RestartLimitReached)  # noqa: S101 - whoever asks has looked
    return (
        f"gave up on {limit.child}: more than {limit.max_restarts} "
        f"restart{'s' if limit.max_restarts != 1 else ''} within {limit.max_seconds:g} s"
    )


def _is_limit(error: object) -> bool:
    return isinstance(error, RestartLimitReached)


def _joined(line: str, error: object) -> str:
    """A line, and below it where the error is from."""
    stack: str | None = None
    match error:
        case Fault() | Unstoppable():
            stack = error.stack
        case BaseException():
            shown = traceback.format_exception(type(error), error, of_user(error.__traceback__))
            stack = "".join(shown) if error.__traceback__ is not None else None
    return f"{line}\n{stack.rstrip()}" if stack else line
