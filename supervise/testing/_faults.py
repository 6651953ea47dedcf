"""Faults: frozen values that say what goes wrong, and when. Each prints as the code that makes it.

A process is named by the path of a supervised child (`"root/pool/echo"`), by a registered name
(`"echo"`) or by its entry (`"app.test:echo"`), and by its incarnation: which life of that child,
which holder of that name, or which process of that entry, counted from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import attrs
from attrs import field, frozen, validators


def _shown(value: Any) -> str:  # noqa: ANN401 - any attrs instance
    parts, named = [], False
    for attribute in attrs.fields(type(value)):
        held = getattr(value, attribute.name)
        if held == attribute.default:
            named = True
        else:
            by_name = named or attribute.kw_only
            parts.append(f"{attribute.name}={held!r}" if by_name else repr(held))
    return f"{type(value).__name__}({', '.join(parts)})"


_NAME = validators.and_(validators.instance_of(str), validators.min_len(1))
_COUNT = validators.and_(validators.instance_of(int), validators.ge(1))
_SECONDS = validators.and_(validators.instance_of(int | float), validators.ge(0))


def _count(default: int = 1) -> int:
    return field(default=default, validator=_COUNT)


def _incarnation() -> int:
    return field(default=1, kw_only=True, validator=_COUNT)


@frozen(repr=False)
class _Fault:
    __repr__ = _shown


@frozen(repr=False)
class _ProcessFault(_Fault):
    process: str = field(validator=_NAME)


@frozen(repr=False)
class KillAtStep(_ProcessFault):
    """End a process by force when it makes its n-th request of the kernel.

    Every call of the Lua API that can wait or reach another process is one request; the first is
    made when the chunk has run, and the last when `main` returns. A Python child counts its awaits.

    Attributes:
        process: Which process.
        step: Which request, from 1.
        incarnation: Which life of it.
    """

    step: int = _count()
    incarnation: int = _incarnation()


@frozen(repr=False)
class KillAtSend(_ProcessFault):
    """End a Lua process by force when it is about to send its n-th message.

    Attributes:
        process: Which process.
        send: Which `process.send`, from 1.
        incarnation: Which life of it.
    """

    send: int = _count()
    incarnation: int = _incarnation()


@frozen(repr=False)
class KillAt(_ProcessFault):
    """End a process by force at a certain time; nothing happens if it is not alive then.

    Attributes:
        process: Which process: Lua, Python, or a supervisor; the one that is alive then.
        at: When, in seconds since the simulation began.
    """

    at: float = field(default=0.0, validator=_SECONDS)


@frozen(repr=False)
class KillDuringStart(_ProcessFault):
    """End a supervised child by force while it starts: a Lua child when its chunk has run.

    Attributes:
        process: Which child.
        incarnation: Which life of it.
    """

    incarnation: int = _incarnation()


@frozen(repr=False)
class KillDuringStop(_ProcessFault):
    """End a supervised child by force when it has been asked to stop.

    A child that cannot hear the request has ended by then, and nothing is left to kill.

    Attributes:
        process: Which child.
        incarnation: Which life of it.
    """

    incarnation: int = _incarnation()


@frozen(repr=False)
class FailStart(_ProcessFault):
    """Let the start of a supervised child fail: a Lua child raises at the end of its chunk.

    Attributes:
        process: Which child.
        message: The error.
        incarnation: Which life of it.
    """

    message: str = field(default="injected: start failed", validator=_NAME)
    incarnation: int = _incarnation()


@frozen(repr=False)
class RaiseInCall(_ProcessFault):
    """Let a call of the Lua API raise in the process that makes it; `pcall` catches that.

    Attributes:
        process: Which process.
        call: The call, such as `"process.send"`, `"channel.receive"` or `"time.sleep"`.
        nth: Which of those calls, from 1.
        message: The error.
        incarnation: Which life of it.
    """

    call: str = field(default="process.send", validator=_NAME)
    nth: int = _count()
    message: str = field(default="injected: call failed", kw_only=True, validator=_NAME)
    incarnation: int = _incarnation()


@frozen(repr=False)
class OutOfMemory(_ProcessFault):
    """Let a Lua process run out of memory when it makes its n-th request.

    The process ends with the error that a process over its memory cap ends with; the Lua state and
    all others in it live on.

    Attributes:
        process: Which process.
        step: Which request, from 1.
        incarnation: Which life of it.
    """

    step: int = _count()
    incarnation: int = _incarnation()


@frozen(repr=False)
class LoseState(_Fault):
    """Lose the Lua state of a host: every Lua process of the host ends at once, with one error.

    Attributes:
        host: The host.
        at: When, in seconds since the simulation began.
    """

    host: str = field(validator=_NAME)
    at: float = field(default=0.0, validator=_SECONDS)


@frozen(repr=False)
class DelayDelivery(_ProcessFault):
    """Let the n-th message that crosses between Python and Lua to a process come later.

    Later messages of the same sender to it wait behind it, so that their order stays. Messages
    between processes of one host are never delayed.

    Attributes:
        process: The receiver.
        delivery: Which message from the other side, from 1.
        seconds: For how long.
        incarnation: Which life of the receiver.
    """

    delivery: int = _count()
    seconds: float = field(default=1.0, validator=_SECONDS)
    incarnation: int = _incarnation()


@frozen(repr=False)
class DropDelivery(_ProcessFault):
    """Lose the n-th message that crosses between Python and Lua to a process.

    The sender is told that it was sent. Messages between processes of one host are never lost.

    Attributes:
        process: The receiver.
        delivery: Which message from the other side, from 1.
        incarnation: Which life of the receiver.
    """

    delivery: int = _count()
    incarnation: int = _incarnation()


@frozen(repr=False)
class StallChild(_ProcessFault):
    """Let a Python child hang at its n-th await: it does nothing, and does not hear cancellation.

    Attributes:
        process: Which child.
        awaits: At which await, from 1.
        seconds: For how long.
        incarnation: Which life of it.
    """

    awaits: int = _count()
    seconds: float = field(default=1.0, validator=_SECONDS)
    incarnation: int = _incarnation()


@frozen(repr=False)
class CancelCaller(_Fault):
    """Cancel a Python caller at its n-th await.

    Attributes:
        caller: The path of a Python child, or `"app"` for the program given to `simulate`.
        awaits: At which await, from 1.
        incarnation: Which life of the child.
    """

    caller: str = field(validator=_NAME)
    awaits: int = _count()
    incarnation: int = _incarnation()


@frozen(repr=False)
class JumpClock(_Fault):
    """Let time jump ahead, as after a suspended machine: everything due in between is late.

    Attributes:
        at: When, in seconds since the simulation began.
        seconds: How far.
    """

    at: float = field(validator=_SECONDS)
    seconds: float = field(validator=_SECONDS)


Fault: TypeAlias = (
    KillAt
    | KillAtStep
    | KillAtSend
    | KillDuringStart
    | KillDuringStop
    | FailStart
    | RaiseInCall
    | OutOfMemory
    | LoseState
    | DelayDelivery
    | DropDelivery
    | StallChild
    | CancelCaller
    | JumpClock
)
"""One fault."""


def _as_tuple(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(faults)


def _check_faults(_: object, __: object, faults: tuple[Fault, ...]) -> None:
    for fault in faults:
        if not isinstance(fault, Fault):
            known = ", ".join(kind.__name__ for kind in Fault.__args__)
            raise TypeError(f"a fault plan holds faults ({known}), got {fault!r}")


@frozen(repr=False)
class FaultPlan:
    """The faults of one simulation.

    Attributes:
        faults: The faults; their order means nothing.
    """

    faults: tuple[Fault, ...] = field(default=(), converter=_as_tuple, validator=_check_faults)

    def __repr__(self) -> str:
        return f"FaultPlan([{', '.join(map(repr, self.faults))}])" if self.faults else "FaultPlan()"

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.faults)

    def __len__(self) -> int:
        return len(self.faults)
