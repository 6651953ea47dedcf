"""Everything a caller of the node may catch. One root: `SuperviseError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lua_api import Fault
from specs import SuperviseError
from supervise._reasons import ChildFailedToStart, RestartLimitReached, described

if TYPE_CHECKING:
    from lua_api import Answer
    from specs import ExitReason


def fault_text(fault: Fault) -> str:
    """The text of a Lua error: its contexts, outermost first, then its message."""
    return str(fault)


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


class SubscriberTooSlowError(SuperviseError):
    """A subscriber let more events wait than it may: it has missed those that came after.

    Attributes:
        max_events: How many it may.
    """

    def __init__(self, max_events: int) -> None:
        self.max_events = max_events
        super().__init__(
            f"more than max_events of {max_events} events waited; receive them faster, keep what "
            "you need of them elsewhere, or raise it"
        )


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
        terminated: Whether somebody terminated it.
    """

    def __init__(self, pid: str, fault: Fault, *, terminated: bool = False) -> None:
        self.pid, self.fault, self.terminated = pid, fault, terminated
        super().__init__(f"{pid}: {fault_text(fault)}")


class RequestError(SuperviseError, ValueError):
    """The request makes no sense: an invalid topic or name, or already monitoring.

    Attributes:
        fault: The error as Lua gives it.
    """

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault_text(fault))


class StartError(SuperviseError):
    """A child did not start, or a tree because of it. Nothing of it is left running.

    Attributes:
        path: The ids from the root of the tree down to the child.
        reason: Why it did not start.
    """

    def __init__(self, path: str, reason: ExitReason) -> None:
        while isinstance(reason.error, ChildFailedToStart):
            path, reason = f"{reason.error.supervisor}/{reason.error.child}", reason.error.reason
        self.path, self.reason = path, reason
        if isinstance(reason.error, BaseException):
            self.__cause__ = reason.error
        super().__init__(f"{path} did not start ({described(reason)})")


class ChildNotFoundError(SuperviseError, LookupError):
    """The supervisor has no such child.

    Attributes:
        supervisor: The path of the supervisor.
        child: The id or pid.
    """

    def __init__(self, supervisor: str, child: str) -> None:
        self.supervisor, self.child = supervisor, child
        super().__init__(f"{supervisor} has no child {child!r}")


class ChildExistsError(SuperviseError, ValueError):
    """The supervisor has a child with this id.

    Attributes:
        supervisor: The path of the supervisor.
        child: The id.
        pid: Its pid; None if it is not running.
    """

    def __init__(self, supervisor: str, child: str, pid: str | None) -> None:
        self.supervisor, self.child, self.pid = supervisor, child, pid
        state = "not running" if pid is None else f"running as {pid}"
        super().__init__(f"{supervisor} has a child {child!r} already, {state}")


class ChildRunningError(SuperviseError):
    """This can only be done to a child that is stopped.

    Attributes:
        supervisor: The path of the supervisor.
        child: The id.
        pid: Its pid; None if it waits for a restart.
    """

    def __init__(self, supervisor: str, child: str, pid: str | None) -> None:
        self.supervisor, self.child, self.pid = supervisor, child, pid
        state = "is restarting" if pid is None else f"is running as {pid}"
        super().__init__(f"{supervisor}/{child} {state}; stop it with terminate_child first")


class TooManyChildrenError(SuperviseError):
    """The dynamic supervisor has its `max_children`.

    Attributes:
        supervisor: The path of the supervisor.
    """

    def __init__(self, supervisor: str) -> None:
        self.supervisor = supervisor
        super().__init__(f"{supervisor} has its max_children already")


class NotSupportedError(SuperviseError):
    """A dynamic supervisor keeps no stopped children, so there is none to restart or delete.

    Attributes:
        supervisor: The path of the supervisor.
    """

    def __init__(self, supervisor: str) -> None:
        self.supervisor = supervisor
        super().__init__(f"{supervisor} is dynamic: it keeps no stopped children")


class SupervisorStoppedError(SuperviseError):
    """The supervisor ends, or has ended.

    Attributes:
        supervisor: The path of the supervisor.
        reason: Why it ends; None if it has ended.
    """

    def __init__(self, supervisor: str, reason: ExitReason | None) -> None:
        self.supervisor, self.reason = supervisor, reason
        state = "has ended" if reason is None else f"is ending ({described(reason)})"
        super().__init__(f"{supervisor} {state}")


class SupervisorFailedError(SuperviseError):
    """A tree of the node ended by a failure.

    Attributes:
        supervisor: The path of its root.
        reason: Why it ended.
    """

    def __init__(self, supervisor: str, reason: ExitReason) -> None:
        self.supervisor, self.reason = supervisor, reason
        super().__init__(f"{supervisor} failed ({described(reason)})")


class RestartIntensityError(SupervisorFailedError):
    """A tree gave up: a child needed more restarts than its supervisor allows.

    Attributes:
        child: The child of the root.
        last: How it ended the last time; for a supervisor, why that one gave up.
        restarts: When the restarts were, on the clock of trio.
    """

    def __init__(self, limit: RestartLimitReached, reason: ExitReason) -> None:
        super().__init__(limit.supervisor, reason)
        self.child, self.last, self.restarts = limit.child, limit.reason, limit.restarts
        self.args = (str(limit),)
        while isinstance(limit.reason.error, RestartLimitReached):
            limit = limit.reason.error
        if isinstance(limit.reason.error, BaseException):
            self.__cause__ = limit.reason.error


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
