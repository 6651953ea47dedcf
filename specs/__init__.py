"""What should run: frozen values, checked as a whole before anything starts."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from specs._check import AnySupervisorSpec, check_child, check_spec
from specs._child import (
    BRUTAL_KILL,
    Backoff,
    ChildSpec,
    LuaStart,
    Restart,
    Shutdown,
    TaskStart,
    lua,
    task,
)
from specs._entry import Entry
from specs._errors import SpecError, SuperviseError
from specs._exit import ExitKind, ExitReason
from specs._host import HostSpec
from specs._supervisor import AutoShutdown, DynamicSupervisorSpec, Strategy, SupervisorSpec

if TYPE_CHECKING:
    from specs._data import (
        child_from_data,
        child_to_data,
        host_from_data,
        spec_from_data,
        spec_to_data,
    )
    from specs._schema import json_schema

# Only who reads or writes plain data pays for importing the converters.
_ON_DEMAND = {
    "child_from_data": "specs._data",
    "child_to_data": "specs._data",
    "host_from_data": "specs._data",
    "json_schema": "specs._schema",
    "spec_from_data": "specs._data",
    "spec_to_data": "specs._data",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names above
    if name in _ON_DEMAND:
        return getattr(import_module(_ON_DEMAND[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BRUTAL_KILL",
    "AnySupervisorSpec",
    "AutoShutdown",
    "Backoff",
    "ChildSpec",
    "DynamicSupervisorSpec",
    "Entry",
    "ExitKind",
    "ExitReason",
    "HostSpec",
    "LuaStart",
    "Restart",
    "Shutdown",
    "SpecError",
    "Strategy",
    "SuperviseError",
    "SupervisorSpec",
    "TaskStart",
    "check_child",
    "check_spec",
    "child_from_data",
    "child_to_data",
    "host_from_data",
    "json_schema",
    "lua",
    "spec_from_data",
    "spec_to_data",
    "task",
]
