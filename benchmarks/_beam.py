"""The workloads on the BEAM with one scheduler; the programs are in `erlang/`."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._timing import Samples
from benchmarks._timing import cold_start as time_cold_start

if TYPE_CHECKING:
    from benchmarks._workloads import Plan

if shutil.which("erl") is None or shutil.which("erlc") is None:
    raise ModuleNotFoundError("erl and erlc are not on the PATH", name="erl")

_NO_PYTHON = "there is no Python in it"
NOT_APPLICABLE = {
    "python-call": _NO_PYTHON,
    "busy-neighbour": _NO_PYTHON,
    "computing": _NO_PYTHON,
}

_ERL = ("erl", "+S", "1:1", "+P", "1000000", "-noshell", "-noinput")
_SOURCES = Path(__file__).parent / "erlang"


def version() -> str:
    """What would run."""
    report = (
        'io:format("OTP ~s, erts ~s, ~s, ~b scheduler", [erlang:system_info(otp_release), '
        "erlang:system_info(version), erlang:system_info(emu_flavor), "
        "erlang:system_info(schedulers_online)]), halt()."
    )
    command = [*_ERL, "-eval", report]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _compiled(plan: Plan) -> str:
    """Compile the programs once a session; the directory that has them."""
    if not Path(plan.scratch, "bench.beam").exists():
        sources = sorted(map(str, _SOURCES.glob("*.erl")))
        subprocess.run(["erlc", "-Werror", "-o", plan.scratch, *sources], check=True)
    return plan.scratch


def _run(driver: str, plan: Plan, per: int) -> Samples:
    figures = (str(plan.size), str(plan.batches), str(plan.seconds))
    command = [*_ERL, "-pa", _compiled(plan), "-run", "bench", "main", driver, *figures]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {
        metric: [value / per for value in values] for metric, values in json.loads(output).items()
    }


def spawn(plan: Plan) -> Samples:
    """Spawn processes that wait for a message; the last one answers."""
    return _run("spawn", plan, plan.size)


def ping_pong(plan: Plan) -> Samples:
    """Two processes, one message back and forth."""
    return _run("ping_pong", plan, plan.size)


def ping_pong_jit(plan: Plan) -> Samples:
    """The same: what ours on LuaJIT is compared with."""
    return ping_pong(plan)


def ring(plan: Plan) -> Samples:
    """One message round a ring of processes."""
    return _run("ring", plan, plan.size)


def nested(plan: Plan) -> Samples:
    """Ping-pong with a map of lists, copied at each hop."""
    return _run("nested", plan, plan.size)


def fan_in(plan: Plan) -> Samples:
    """Many processes send to one."""
    return _run("fan_in", plan, plan.size)


def skynet(plan: Plan) -> Samples:
    """A tree of processes whose leaves' numbers are summed on the way up."""
    return _run("skynet", plan, 1)


def restart(plan: Plan) -> Samples:
    """Crash one child of a supervisor again and again."""
    return _run("restart", plan, 1)


def crash_all(plan: Plan) -> Samples:
    """Crash all children of a supervisor at once, until the last replacement has begun."""
    return _run("crash_all", plan, 1)


def start_stop(plan: Plan) -> Samples:
    """Start a supervisor with many children, and stop it."""
    return _run("start_stop", plan, 1)


def start_child(plan: Plan) -> Samples:
    """Add children to a simple_one_for_one supervisor; the last one answers."""
    return _run("start_child", plan, plan.size)


def cold_start(plan: Plan) -> Samples:
    """An emulator that spawns a process and hears back from it."""
    return time_cold_start([*_ERL, "-pa", _compiled(plan), "-run", "bench", "cold_start"], plan)
