"""What the models answer with, and what their processes receive."""

from __future__ import annotations

from typing import Any, TypeAlias

from attrs import frozen

Value: TypeAlias = Any
"""What can be sent, or is answered: a term, a `Refusal`, a `Message`, an `Event`, `CLOSED`."""

CLOSED = "closed"
"""What a receive from a closed channel gives."""


@frozen
class Refusal:
    """`nil, err` or `false, err`: only the kind of the error is compared."""

    kind: str


@frozen
class Failure:
    """Why a process ended abnormally."""

    kind: str
    message: str
    details: Value = None


@frozen
class Message:
    """What a channel of messages gives."""

    topic: str
    sender: str | None
    payload: Value


@frozen
class Event:
    """What the channel of events gives: EXIT, LINK_DOWN or CANCEL; `at` is in nanoseconds."""

    kind: str
    pid: str
    result: Value = None
    error: Failure | None = None
    reason: str | None = None
    at: int = 0
