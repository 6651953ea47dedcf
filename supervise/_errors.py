"""Everything a caller of the node may catch. One root: `SuperviseError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lua_api import Fault
from specs import SuperviseError

if TYPE_CHECKING:
    from lua_api import Answer


def fault_text(fault: Fault) -> str:
    """The text of a Lua error: its contexts, outermost first, then its message."""
    return ": ".join([*reversed(fault.context), fault.message])


class NodeClosedError(SuperviseError):
    """The block of the node has ended, and with it all of its processes."""

    def __init__(self) -> None:
        super().__init__("the node's block has ended")


class NoProcessError(SuperviseError, LookupError):
    """Nobody alive has this pid or name.

    Attributes:
        dest: The pid or name.
    """

    def __init__(self, dest: str, message: str) -> None:
        self.dest = dest
        super().__init__(message)


class NameTakenError(SuperviseError, ValueError):
    """The name is held by another process.

    Attributes:
        name: The name.
    """

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


class MailboxFullError(SuperviseError):
    """The receiver has as many unread messages as its host allows; nothing was sent.

    Attributes:
        dest: The pid or name.
    """

    def __init__(self, dest: str, message: str) -> None:
        self.dest = dest
        super().__init__(message)


class SpawnError(SuperviseError):
    """The process did not start: unknown entry or host, a faulty file, or a full host.

    Attributes:
        entry: The entry.
        fault: The error as Lua gives it, with its kind and stack.
    """

    def __init__(self, entry: str, fault: Fault) -> None:
        self.entry, self.fault = entry, fault
        super().__init__(f"cannot start {entry}: {fault_text(fault)}")


class ProcessExitedError(SuperviseError):
    """The process ended with an error, or before it replied.

    Attributes:
        dest: The pid, name or entry that was asked for.
        fault: Its error; None if it ended normally, before it replied.
    """

    def __init__(self, dest: str, fault: Fault | None) -> None:
        self.dest, self.fault = dest, fault
        why = "it ended normally before it replied" if fault is None else fault_text(fault)
        super().__init__(f"{dest}: {why}")


class ProcessEndedError(SuperviseError):
    """This Python process has ended: by a link, by terminate, or because its block was left.

    Attributes:
        pid: Its pid.
        fault: Why.
    """

    def __init__(self, pid: str, fault: Fault) -> None:
        self.pid, self.fault = pid, fault
        super().__init__(f"{pid}: {fault_text(fault)}")


class RequestError(SuperviseError, ValueError):
    """The request makes no sense: an invalid topic or name, or already monitoring.

    Attributes:
        fault: The error as Lua gives it.
    """

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault_text(fault))


def checked(answer: Answer, dest: str) -> Answer:
    """The answer, or the exception for the error it holds.

    Args:
        answer: What the kernel said.
        dest: The pid or name that was asked for.
    """
    fault = answer.second
    if not isinstance(fault, Fault):
        return answer
    if fault.kind == "NotFound":
        raise NoProcessError(dest, fault_text(fault))
    if fault.kind == "RateLimited":
        raise MailboxFullError(dest, fault_text(fault))
    if fault.kind == "Canceled":
        raise ProcessEndedError(cast("dict[str, str]", fault.details)["pid"], fault)
    raise RequestError(fault)
