"""Thousands of isolated Lua processes, kept alive from Python and trio as Erlang/OTP does it."""

from lua_api import (
    Duration,
    Fault,
    LinePrinted,
    NameRegistered,
    NameReleased,
    ProcessExited,
    ProcessInfo,
    ProcessSpawned,
    ProcessStarted,
    Statistics,
    Term,
    TermError,
    Time,
)
from specs import Entry, HostSpec, SpecError, SuperviseError
from supervise._errors import (
    MailboxFullError,
    NameTakenError,
    NodeClosedError,
    NoProcessError,
    ProcessEndedError,
    ProcessExitedError,
    RequestError,
    SpawnError,
)
from supervise._node import Node, open_node, print_line
from supervise._process import Cancel, Exit, LinkDown, Mailbox, Message, ProcessEvent, PythonProcess
from supervise._sources import SourceError
from supervise._subscribers import LifecycleEvent

__all__ = [
    "Cancel",
    "Duration",
    "Entry",
    "Exit",
    "Fault",
    "HostSpec",
    "LifecycleEvent",
    "LinePrinted",
    "LinkDown",
    "Mailbox",
    "MailboxFullError",
    "Message",
    "NameRegistered",
    "NameReleased",
    "NameTakenError",
    "NoProcessError",
    "Node",
    "NodeClosedError",
    "ProcessEndedError",
    "ProcessEvent",
    "ProcessExited",
    "ProcessExitedError",
    "ProcessInfo",
    "ProcessSpawned",
    "ProcessStarted",
    "PythonProcess",
    "RequestError",
    "SourceError",
    "SpawnError",
    "SpecError",
    "Statistics",
    "SuperviseError",
    "Term",
    "TermError",
    "Time",
    "open_node",
    "print_line",
]
