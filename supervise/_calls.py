"""Calls to a supervisor from Python: how a caller waits, and what its answer means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, cast

import outcome
import trio
from msgspec import Struct

from supervise import _plan_io as io
from supervise._errors import (
    ChildExistsError,
    ChildNotFoundError,
    ChildRunningError,
    NotSupportedError,
    StartError,
    SupervisorStoppedError,
    TooManyChildrenError,
)

if TYPE_CHECKING:
    from specs import ExitReason, SuperviseError

T = TypeVar("T")


class StartedChild(Struct, frozen=True):
    """A child that was started.

    Attributes:
        info: What it gave to `process.started` or `task_status.started`.
    """

    _pid: str | None
    info: object = None

    @property
    def pid(self) -> str:
        """Its pid.

        Raises:
            LookupError: It has none, since its start was ignored.
        """
        if self._pid is None:
            raise LookupError("there is no pid: the child had its start ignored")
        return self._pid

    @property
    def ignored(self) -> bool:
        """Whether it does not run, since its start was ignored (see `Ignore`)."""
        return self._pid is None


class Waiter(Generic[T]):
    """One caller: call it with the answer. Whoever gives up waiting just does not learn of it."""

    __slots__ = ("_answer", "_task")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._answer: tuple[T] | None = None

    def __call__(self, answer: T) -> None:
        """Answer the caller."""
        self._answer = (answer,)
        if self._task is not None:
            task, self._task = self._task, None
            trio.lowlevel.reschedule(task, outcome.Value(None))

    @property
    def is_answered(self) -> bool:
        """Whether the answer is there."""
        return self._answer is not None

    async def wait(self) -> T:
        """Wait for the answer."""
        if self._answer is None:
            self._task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()
        return cast("tuple[T]", self._answer)[0]

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


def refusal_error(refused: io.Refused, path: str, child: str) -> SuperviseError:
    """The exception for a call that did nothing.

    Args:
        refused: What the supervisor said.
        path: The supervisor.
        child: The child that the call was about.
    """
    why, pid, reason = refused.why, cast("str | None", refused.pid), refused.reason
    if why is io.Refusal.NOT_FOUND:
        error: SuperviseError = ChildNotFoundError(path, child)
    elif why in (io.Refusal.ALREADY_STARTED, io.Refusal.ALREADY_PRESENT):
        error = ChildExistsError(path, child, pid)
    elif why in (io.Refusal.RUNNING, io.Refusal.RESTARTING):
        error = ChildRunningError(path, child, pid)
    elif why is io.Refusal.MAX_CHILDREN:
        error = TooManyChildrenError(path)
    elif why is io.Refusal.START_FAILED:
        error = StartError(f"{path}/{child}", cast("ExitReason", reason))
    elif why is io.Refusal.SHUTTING_DOWN:
        error = SupervisorStoppedError(path, reason)
    else:
        error = NotSupportedError(path)
    return error
