"""A child that is a Python async function, run by trio."""

from __future__ import annotations

import inspect
import traceback
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, cast

import trio

from specs import ExitKind, ExitReason
from supervise._child import KILLED, NORMAL, SHUTDOWN, RunningChild
from supervise._errors import NameTakenError
from supervise._process import PythonProcess
from supervise._reasons import EndedBeforeStarted, Unstoppable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from specs import TaskStart

PATIENCE: Final = 1.0
"""Seconds that a child whose time is over has to react to its cancellation at last."""

_current: ContextVar[PythonProcess] = ContextVar("current_process")


def current_process() -> PythonProcess:
    """The process of the supervised Python child that calls this: its pid and its mailbox.

    Raises:
        LookupError: The caller is not, and was not started by, a supervised child.
    """
    return _current.get()


class Ignore(Exception):  # noqa: N818 - what it asks for, as OTP's `ignore`; no error
    """Raise it in a Python child that is not needed: its start is ignored, which is no failure.

    This counts in a child that takes a `task_status`, before it calls `task_status.started()`;
    later it is an error like any other. The child is not running then: a supervisor keeps it
    stopped, to be started by `restart_child` or together with its group, and forgets a temporary
    one; a dynamic supervisor forgets it. A Lua child calls `process.ignore()`.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args or ("a start can be ignored only before the child has started",))


def _takes_status(fn: object) -> bool:
    try:
        return "task_status" in inspect.signature(fn).parameters  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def _interrupt_in(exc: BaseException) -> BaseException | None:
    """The KeyboardInterrupt or SystemExit in an exception or a group."""
    if isinstance(exc, BaseExceptionGroup):
        return next(filter(None, map(_interrupt_in, exc.exceptions)), None)
    return exc if isinstance(exc, KeyboardInterrupt | SystemExit) else None


def _cancelled_in(exc: BaseException) -> BaseException | None:
    """The cancellation in an exception or a group."""
    if isinstance(exc, BaseExceptionGroup):
        return exc.split(trio.Cancelled)[0]
    return exc if isinstance(exc, trio.Cancelled) else None


def _is_ignore(exc: BaseException) -> bool:
    """Whether this is `Ignore`, perhaps out of a nursery of the child's."""
    if isinstance(exc, BaseExceptionGroup):
        return exc.split(Ignore)[1] is None
    return isinstance(exc, Ignore)


class TaskChild(RunningChild):
    """A supervised Python task. It has a pid, and a mailbox under its name."""

    _task: trio.lowlevel.Task | None = None
    _process: PythonProcess
    _late = False
    _ignores = False

    def launch(self) -> None:
        """Call the function; it runs when trio lets it."""
        self._scope = trio.CancelScope()
        trees, start = self.supervisor.trees, cast("TaskStart", self.spec.start)
        self._waits = _takes_status(start.fn)
        try:
            running = start.fn(*start.args, **({"task_status": self} if self._waits else {}))
        except Ignore:
            self.ignored()
            return
        except Exception as exc:  # noqa: BLE001 - whatever a start raises is why it failed
            self.down(ExitReason(ExitKind.ERROR, exc))
            return
        if not inspect.isawaitable(running):
            name = getattr(start.fn, "__qualname__", repr(start.fn))
            error = TypeError(f"{name} must be an async function; it returned {running!r}")
            self.down(ExitReason(ExitKind.ERROR, error))
            return
        label = f"{self.supervisor.path}/{self.key}"
        self._process = trees.open_process(label, self.supervisor.pid)
        try:
            if self.spec.name is not None:
                self._process.register(self.spec.name)
        except NameTakenError as exc:
            _discard(running)
            self._process.close("its name is taken")
            self._leave(ExitReason(ExitKind.ERROR, exc))
            return
        trees.nursery.start_soon(self._run, running, name=label)
        if not self._waits:
            self.up(self._process.pid)

    def ask(self) -> None:
        """Cancel the task."""
        self._scope.cancel()

    def force(self) -> None:
        """Cancel the task; nothing stronger can be done to it, so it is given up if that fails."""
        self._late = True
        self._scope.cancel()
        if not self.over:
            self.set_alarm(PATIENCE, self._give_up)

    def _give_up(self) -> None:
        stack = self.stack()
        self.supervisor.trees.strays.append(self)
        # Its name is free for whoever comes next.
        self._process.close("unstoppable")
        self._leave(ExitReason(ExitKind.KILLED, Unstoppable(stack)))

    def stack(self) -> str:
        """Where the task is now."""
        return "" if self._task is None else _stack_of(self._task)

    # trio's TaskStatus

    def started(self, value: object = None) -> None:
        """It has started; `value` reaches the starter."""
        if self.is_up:
            raise RuntimeError("called 'started' twice on the same task status")
        self.up(self._process.pid, value)

    # The task

    async def _run(self, running: Awaitable[object]) -> None:
        if self._scope.cancel_called:
            _discard(running)
            self._process.close("cancelled")
            self._leave(KILLED if self._late else SHUTDOWN)
            return
        self._task = trio.lowlevel.current_task()
        _current.set(self._process)
        try:
            with self._scope, self._process.running():
                await self._heed(running)
        except BaseException as exc:  # noqa: BLE001 - the boundary: it goes no further
            self._leave(self._failure(exc))
            # Whoever cancels from outside ends the node, and counts on it to come through.
            foreign = _cancelled_in(exc)
            if foreign is not None:
                raise foreign from None
        else:
            self._leave(None if self._ignores else self._end())
        finally:
            self._task = None
            self.supervisor.trees.ended(self)

    async def _heed(self, running: Awaitable[object]) -> None:
        """Run the function; to watchers, a start that is ignored ends well."""
        try:
            await running
        except BaseException as exc:
            if self.is_up or not _is_ignore(exc):
                raise
            self._ignores = True

    def _failure(self, exc: BaseException) -> ExitReason:
        interrupt = _interrupt_in(exc)
        if interrupt is not None:
            self.supervisor.trees.interrupt(interrupt)
        return self._killed() or ExitReason(ExitKind.ERROR, exc)

    def _killed(self) -> ExitReason | None:
        """The reason of a task that was terminated, whatever it did about that."""
        fault = self._process.killed()
        return None if fault is None else ExitReason(ExitKind.KILLED, fault)

    def _end(self) -> ExitReason:
        """How a task ended that raised nothing, but perhaps its own cancellation."""
        if self._late:
            return KILLED
        killed = self._killed()
        if killed is not None:
            return killed
        if self.stopping or self._scope.cancelled_caught:
            return SHUTDOWN
        return NORMAL if self.is_up else ExitReason(ExitKind.ERROR, EndedBeforeStarted())

    def _leave(self, reason: ExitReason | None) -> None:
        """It has ended; without a reason, its start is ignored."""
        self.supervisor.trees.forget_process(self._process)
        if reason is None:
            self.ignored()
        else:
            self.down(reason)


def _discard(running: Awaitable[object]) -> None:
    if inspect.iscoroutine(running):
        running.close()


def _stack_of(task: trio.lowlevel.Task) -> str:
    frames = traceback.StackSummary.extract(task.iter_await_frames())
    return "".join(frames.format())
