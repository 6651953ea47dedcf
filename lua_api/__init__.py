"""How Lua runs: the kernel, the sandbox and what crosses. Synchronous; knows lupa, not trio."""

from typing import TYPE_CHECKING

from specs import lazy_names

if TYPE_CHECKING:
    from lua_api._effects import (
        Answer,
        ChildDown,
        ChildUp,
        Effect,
        HowEnded,
        LifecycleEffect,
        LinePrinted,
        ModuleRequired,
        NameRegistered,
        NameReleased,
        Need,
        PortEnded,
        ProcessExited,
        ProcessSpawned,
        ProcessStarted,
        ProcessUpgraded,
        Reply,
        StateDone,
        StateNeeded,
        SupervisorCalled,
    )
    from lua_api._errors import StateLostError, TermError
    from lua_api._kernel import (
        Kernel,
        Outdated,
        ProcessInfo,
        Statistics,
        Step,
    )
    from lua_api._runtime import check_lua
    from lua_api._simulated import (
        RestlessProcessesError,
        SimulatedKernel,
    )
    from lua_api._terms import (
        as_text,
        decode,
        encode,
        encode_list,
    )
    from lua_api._values import (
        Duration,
        Fault,
        Term,
        Time,
    )
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "lua_api._effects": [
                "Answer",
                "ChildDown",
                "ChildUp",
                "Effect",
                "HowEnded",
                "LifecycleEffect",
                "LinePrinted",
                "ModuleRequired",
                "NameRegistered",
                "NameReleased",
                "Need",
                "PortEnded",
                "ProcessExited",
                "ProcessSpawned",
                "ProcessStarted",
                "ProcessUpgraded",
                "Reply",
                "StateDone",
                "StateNeeded",
                "SupervisorCalled",
            ],
            "lua_api._errors": ["StateLostError", "TermError"],
            "lua_api._kernel": ["Kernel", "Outdated", "ProcessInfo", "Statistics", "Step"],
            "lua_api._runtime": ["check_lua"],
            "lua_api._simulated": ["RestlessProcessesError", "SimulatedKernel"],
            "lua_api._terms": ["as_text", "decode", "encode", "encode_list"],
            "lua_api._values": ["Duration", "Fault", "Term", "Time"],
        },
    )

__all__ = [
    "Answer",
    "ChildDown",
    "ChildUp",
    "Duration",
    "Effect",
    "Fault",
    "HowEnded",
    "Kernel",
    "LifecycleEffect",
    "LinePrinted",
    "ModuleRequired",
    "NameRegistered",
    "NameReleased",
    "Need",
    "Outdated",
    "PortEnded",
    "ProcessExited",
    "ProcessInfo",
    "ProcessSpawned",
    "ProcessStarted",
    "ProcessUpgraded",
    "Reply",
    "RestlessProcessesError",
    "SimulatedKernel",
    "StateDone",
    "StateLostError",
    "StateNeeded",
    "Statistics",
    "Step",
    "SupervisorCalled",
    "Term",
    "TermError",
    "Time",
    "as_text",
    "check_lua",
    "decode",
    "encode",
    "encode_list",
]
