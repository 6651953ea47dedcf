"""What should run: frozen values, checked as a whole before anything starts."""

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
from specs._data import host_from_data, spec_from_data, spec_to_data
from specs._entry import Entry
from specs._errors import SpecError, SuperviseError
from specs._exit import ExitKind, ExitReason
from specs._host import HostSpec
from specs._schema import json_schema
from specs._supervisor import AutoShutdown, DynamicSupervisorSpec, Strategy, SupervisorSpec

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
    "host_from_data",
    "json_schema",
    "lua",
    "spec_from_data",
    "spec_to_data",
    "task",
]
