"""Supervision events as `logging` records: quiet for what is in order, loud for what is not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import msgspec

from lua_api import Fault
from specs import ExitKind, ExitReason
from supervise import _events as ev
from supervise._reasons import described

if TYPE_CHECKING:
    from supervise._reasons import ChildKey

logger: Final = logging.getLogger("supervise")

_QUIET: Final = (ExitKind.NORMAL, ExitKind.SHUTDOWN)
_MESSAGES: Final[dict[type[ev.Event], str]] = {
    ev.ChildExited: "%s/%s ended (%s)",
    ev.ChildStartFailed: "%s/%s did not start (%s)",
    ev.SupervisorStopping: "%s stops (%s)",
    ev.SupervisorExited: "%s ended (%s)",
}

_MAYBE_LOUD: Final = frozenset(_MESSAGES)
_NONE: Final[frozenset[type[ev.Event]]] = frozenset()


def logged_events() -> frozenset[type[ev.Event]]:
    """The kinds of events that may have a record, as the logger is set now."""
    if logger.isEnabledFor(logging.DEBUG):
        return ev.ALL_EVENTS
    # No event has a record that is more than an error.
    return _MAYBE_LOUD if logger.isEnabledFor(logging.ERROR) else _NONE


def _level(event: ev.Event) -> int:
    kind = type(event)
    if kind not in _MESSAGES or event.reason.kind in _QUIET:  # type: ignore[attr-defined]
        return logging.DEBUG
    return logging.ERROR if kind is ev.SupervisorStopping else logging.WARNING


def log_event(event: ev.Event) -> None:
    """Write the record of an event.

    Its fields stand in the record as attributes: `event` (the name of its type), `supervisor`,
    `child`, `incarnation`, `cause`, `reason` and the others, those that it has.
    """
    level = _level(event)
    if not logger.isEnabledFor(level):
        return
    extra = {"event": type(event).__name__, **msgspec.structs.asdict(event)}
    reason: ExitReason | None = extra.get("reason")
    where = [event.supervisor] if "child" not in extra else [event.supervisor, extra["child"]]
    if reason is None:
        message = "/".join(["%s"] * len(where)) + " %s"
        logger.log(level, message, *where, type(event).__name__, extra=extra)
    else:
        message = _MESSAGES[type(event)] + ("\n%s" if _stack(reason) else "")
        arguments = [*where, described(reason), *_stack(reason)]
        logger.log(level, message, *arguments, extra=extra, exc_info=_exception(reason))


def log_stray(supervisor: str, child: ChildKey, stack: str) -> None:
    """Write the record of a Python child for which the end of the node's block has to wait.

    Args:
        supervisor: The path of its supervisor.
        child: What that calls it.
        stack: Where it is.
    """
    logger.critical(
        "%s/%s swallows its cancellation: the node's block cannot end before it does; it is at\n%s",
        supervisor,
        child,
        stack,
        extra={"event": "Unstoppable", "supervisor": supervisor, "child": child},
    )


def _stack(reason: ExitReason) -> list[str]:
    error = reason.error
    return [error.stack] if isinstance(error, Fault) and error.stack else []


def _exception(reason: ExitReason) -> BaseException | None:
    return reason.error if isinstance(reason.error, Exception) else None
