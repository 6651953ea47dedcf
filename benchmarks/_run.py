"""Runs one workload of one contender in this process: `python -m benchmarks._run NAME [WORKLOAD]`.

Prints one line of JSON: the samples, or why there are none, with the traceback of a failure on
stderr. Without a workload, the version.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import tempfile
import traceback
from typing import Any

from benchmarks._workloads import WORKLOADS, Plan


def _measure(module: Any, workload: str, plan: Plan) -> dict[str, Any]:  # noqa: ANN401
    if workload in module.NOT_APPLICABLE:
        return {"not_applicable": module.NOT_APPLICABLE[workload]}
    function = getattr(module, WORKLOADS[workload].function)
    if not inspect.iscoroutinefunction(function):
        return {"samples": function(plan)}
    import trio  # noqa: PLC0415 - not every contender has it

    return {"samples": trio.run(function, plan)}


def _answer(args: argparse.Namespace) -> dict[str, Any]:
    try:
        module = importlib.import_module(f"benchmarks._{args.contender}")
    except ImportError as error:
        absent = error.name if isinstance(error, ModuleNotFoundError) else None
        return {"missing": absent, "detail": str(error)}
    if args.workload is None:
        return {"version": module.version()}
    workload = WORKLOADS[args.workload]
    with tempfile.TemporaryDirectory() as own_scratch:
        scratch = args.scratch or own_scratch
        plan = Plan(args.size or workload.size, args.batches, args.seconds, scratch)
        try:
            return _measure(module, args.workload, plan)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            traceback.print_exc()
            return {"failed": _first_cause(error)}


def _first_cause(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks._run", description=__doc__)
    parser.add_argument("contender")
    parser.add_argument("workload", nargs="?", choices=WORKLOADS)
    parser.add_argument("--size", type=int, help="operations a batch")
    parser.add_argument("--batches", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--scratch", help="directory for compiled programs")
    print(json.dumps(_answer(parser.parse_args())))


if __name__ == "__main__":
    main()
