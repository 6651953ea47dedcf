"""Calls to a supervisor from Lua: plain tables in, plain values or an error object out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import specs
from lua_api import Fault, Term, TermError
from specs import DynamicSupervisorSpec, SpecError, SuperviseError
from supervise import _plan_io as io
from supervise._calls import refusal_error
from supervise._child import SHUTDOWN
from supervise._errors import (
    ChildExistsError,
    ChildNotFoundError,
    ChildRunningError,
    StartError,
    SupervisorStoppedError,
    TooManyChildrenError,
)

if TYPE_CHECKING:
    from lua_api import SupervisorCalled
    from supervise._events import ChildRow
    from supervise._supervisor import Supervisor
    from supervise._tree import Trees

_KINDS: Final[Mapping[type[SuperviseError], str]] = {
    ChildNotFoundError: "NotFound",
    ChildExistsError: "AlreadyExists",
    ChildRunningError: "Conflict",
    TooManyChildrenError: "RateLimited",
    SupervisorStoppedError: "Unavailable",
    StartError: "Internal",
}
_Reply = Callable[..., None]


class _PermissionError(SuperviseError):
    """A process asked for something that only Python may do."""


def perform(trees: Trees, call: SupervisorCalled) -> None:
    """Do what a Lua process asks of a supervisor, and have it answered, now or later."""

    def reply(*answer: Term) -> None:
        trees.kernel().answer_call(call.ticket, *answer)

    supervisor = trees.supervisors.get(call.supervisor)
    try:
        if supervisor is None:
            raise SupervisorStoppedError(call.supervisor, None)
        _VERBS[call.verb](supervisor, call.argument, reply)
    except SuperviseError as exc:
        reply(None, _fault(exc))
    except RecursionError:
        reply(None, Fault(f"{call.verb}: the spec nests too many supervisors", "Invalid"))


def _fault(exc: SuperviseError) -> Fault:
    if isinstance(exc, StartError) and isinstance(exc.reason.error, Fault):
        inner = exc.reason.error
        return Fault(str(exc), inner.kind, inner.retryable, inner.details, inner.stack)
    if isinstance(exc, _PermissionError):
        return Fault(str(exc), "PermissionDenied")
    return Fault(str(exc), _KINDS.get(type(exc), "Invalid"))


# Changes: the answer comes from the planner.


def _start_child(supervisor: Supervisor, data: Any, reply: _Reply) -> None:  # noqa: ANN401 - from Lua
    data = _as_spec_data(data)
    if isinstance(supervisor.spec, DynamicSupervisorSpec) and isinstance(data, dict):
        # A dynamic supervisor makes nothing of it.
        data.setdefault("id", "child")
    spec = specs.child_from_data(data, supervisor.spec)
    ticket = partial(_answer, reply, supervisor.path, spec.id, None)
    supervisor.handle(io.StartChildCall(ticket, spec))


def _change(call: Callable[[io.Ticket, object], io.Call], value: Term) -> Callable[..., None]:
    def perform_change(supervisor: Supervisor, child: str, reply: _Reply) -> None:
        supervisor.handle(call(partial(_answer, reply, supervisor.path, child, value), child))

    return perform_change


def _answer(reply: _Reply, path: str, child: str, value: Term, result: io.Result) -> None:
    if isinstance(result, io.Refused):
        reply(None, _fault(refusal_error(result, path, child)))
    elif value is not None:
        reply(value, None)
    else:
        # No process, and no error: the child had its start ignored.
        reply(result.pid or False, None, _sendable(result.info))


def _sendable(info: object) -> Any:  # noqa: ANN401 - whatever a Python child gave to `started`
    return info if isinstance(info, str | bytes | int | float | list | dict | None) else str(info)


def _stop(supervisor: Supervisor, _: None, reply: _Reply) -> None:
    supervisor.when_ended(lambda: reply(True, None))
    supervisor.handle(io.Stop(SHUTDOWN))


# Looks: the answer is there.


def _which_children(supervisor: Supervisor, _: None, reply: _Reply) -> None:
    reply([_row(row) for row in supervisor.which_children().values()], None)


def _row(row: ChildRow) -> dict[str, Any]:
    return {
        "id": row.child,
        "pid": row.pid,
        "state": row.state.value,
        "restart": row.restart.value,
        "type": "supervisor" if row.is_supervisor else "worker",
    }


def _count_children(supervisor: Supervisor, _: None, reply: _Reply) -> None:
    counts = supervisor.count_children()
    reply(
        {
            "specs": counts.specs,
            "active": counts.active,
            "supervisors": counts.supervisors,
            "workers": counts.workers,
        },
        None,
    )


def _get_child_spec(supervisor: Supervisor, child: str, reply: _Reply) -> None:
    data = specs.child_to_data(supervisor.get_child_spec(child))
    try:
        reply(data, None)
    except TermError as exc:
        raise SpecError([str(exc)]) from exc


_VERBS: Final[Mapping[str, Callable[[Supervisor, Any, _Reply], None]]] = {
    "start_child": _start_child,
    "terminate_child": _change(io.TerminateChildCall, value=True),
    "restart_child": _change(io.RestartChildCall, value=None),
    "delete_child": _change(io.DeleteChildCall, value=True),
    "stop": _stop,
    "which_children": _which_children,
    "count_children": _count_children,
    "get_child_spec": _get_child_spec,
}


# Specs

_LISTS = ("args", "children", "extra_arguments")
_DATA = ("args", "extra_arguments", "labels")


def _as_spec_data(data: Any) -> Any:  # noqa: ANN401 - from Lua
    """A spec as Lua has it: an empty table may be a list, and no Python function may be named."""
    if isinstance(data, list):
        return [_as_spec_data(part) for part in data]
    if not isinstance(data, dict):
        return data
    start = data.get("start")
    if isinstance(start, dict) and "task" in start:
        raise _PermissionError("start.task: a Lua process cannot start a Python function")
    return {
        key: [] if key in _LISTS and part == {} else part if key in _DATA else _as_spec_data(part)
        for key, part in data.items()
    }
