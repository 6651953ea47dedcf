"""How Lua runs: the kernel, the sandbox and the values that cross. Synchronous; knows lupa, not trio."""

from lua_api._effects import (
    Answer,
    Effect,
    PortEnded,
    ProcessExited,
    Need,
    LinePrinted,
    NameRegistered,
    Reply,
    ProcessSpawned,
    ProcessStarted,
    NameReleased,
)
from lua_api._errors import TermError
from lua_api._kernel import Kernel, ProcessInfo, Statistics, Step
from lua_api._terms import decode, encode, encode_list
from lua_api._values import Duration, Fault, Term, Time

__all__ = [
    "Answer",
    "Duration",
    "Effect",
    "PortEnded",
    "ProcessExited",
    "Fault",
    "Kernel",
    "Need",
    "LinePrinted",
    "ProcessInfo",
    "NameRegistered",
    "Reply",
    "ProcessSpawned",
    "ProcessStarted",
    "Statistics",
    "Step",
    "Term",
    "TermError",
    "Time",
    "NameReleased",
    "decode",
    "encode",
    "encode_list",
]
