"""What should run: frozen values, checked as a whole before anything starts."""

from typing import TYPE_CHECKING

from specs._lazy import lazy_names

if TYPE_CHECKING:
    from specs._check import (
        AnySupervisorSpec,
        check_child,
        check_spec,
    )
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
    from specs._data import (
        child_from_data,
        child_to_data,
        host_from_data,
        spec_from_data,
        spec_to_data,
    )
    from specs._entry import Entry
    from specs._errors import (
        SpecError,
        SuperviseError,
    )
    from specs._exit import (
        ExitKind,
        ExitReason,
    )
    from specs._field_faults import check_host
    from specs._host import HostSpec
    from specs._schema import json_schema
    from specs._supervisor import (
        AutoShutdown,
        DynamicSupervisorSpec,
        Strategy,
        SupervisorSpec,
    )
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "specs._check": ["AnySupervisorSpec", "check_child", "check_spec"],
            "specs._child": [
                "BRUTAL_KILL",
                "Backoff",
                "ChildSpec",
                "LuaStart",
                "Restart",
                "Shutdown",
                "TaskStart",
                "lua",
                "task",
            ],
            "specs._data": [
                "child_from_data",
                "child_to_data",
                "host_from_data",
                "spec_from_data",
                "spec_to_data",
            ],
            "specs._entry": ["Entry"],
            "specs._errors": ["SpecError", "SuperviseError"],
            "specs._exit": ["ExitKind", "ExitReason"],
            "specs._field_faults": ["check_host"],
            "specs._host": ["HostSpec"],
            "specs._schema": ["json_schema"],
            "specs._supervisor": [
                "AutoShutdown",
                "DynamicSupervisorSpec",
                "Strategy",
                "SupervisorSpec",
            ],
        },
    )

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
    "check_host",
    "check_spec",
    "child_from_data",
    "child_to_data",
    "host_from_data",
    "json_schema",
    "lazy_names",
    "lua",
    "spec_from_data",
    "spec_to_data",
    "task",
]
