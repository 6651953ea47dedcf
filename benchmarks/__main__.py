"""The command line, `python -m benchmarks`: measures and prints one table. Knows no contender."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._contenders import CONTENDERS, Contender, ContenderError, NotApplicableError
from benchmarks._stats import Summary, summarise
from benchmarks._table import OURS, Cell, Results, render
from benchmarks._workloads import WORKLOADS, Plan, Workload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class _Session:
    """Every workload on every contender that is there, with what went wrong on the way."""

    def __init__(self, contenders: Sequence[Contender], *, runs: int, quick: bool) -> None:
        self.contenders = contenders
        self.results: Results = {}
        self.notes: dict[str, None] = {}  # in order, each once
        self.failed = False
        self._runs = 1 if quick else runs
        self._quick = quick

    def measure(self, workload: Workload, scratch: str) -> None:
        """Run `workload` on all; the runs take turns, so that a slow minute hits everybody."""
        size = workload.quick_size if self._quick else workload.size
        batches, seconds = (1, 0.0) if self._quick else (5, 1.0)
        plan = Plan(size, batches, seconds, scratch)
        samples: dict[str, dict[str, list[float]]] = {c.name: {} for c in self.contenders}
        given_up: dict[str, str] = {}
        if workload.ours:
            given_up = {c.name: "-" for c in self.contenders if c.name != OURS}
            self.notes[f"others, {workload.name}: {workload.ours}"] = None
        for _ in range(self._runs):
            for contender in self.contenders:
                if contender.name in given_up:
                    continue
                _progress(f"{workload.name}: {contender.name}")
                try:
                    measured = contender.measure(workload, plan)
                except NotApplicableError as reason:
                    given_up[contender.name] = "-"
                    self.notes[f"{contender.name}, {workload.name}: {reason}"] = None
                except ContenderError as error:
                    given_up[contender.name] = "failed"
                    self.notes[f"{contender.name}, {workload.name} failed: {error}"] = None
                    self.failed = True
                else:
                    for metric, values in measured.items():
                        samples[contender.name].setdefault(metric, []).extend(values)
        _progress("")
        self.results[workload.name] = {
            contender.name: _cells(workload, samples[contender.name], given_up.get(contender.name))
            for contender in self.contenders
        }


def _cells(
    workload: Workload, samples: Mapping[str, Sequence[float]], given_up: str | None
) -> dict[str, Cell]:
    if given_up is not None:
        return {row.metric: given_up for row in workload.rows}
    return {metric: summarise(values) for metric, values in samples.items()}


def _progress(text: str) -> None:
    """Show what runs, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _machine() -> dict[str, str]:
    info = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else ())
        if line.startswith("model name")
    ]
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def _present(contenders: Sequence[Contender]) -> tuple[list[Contender], dict[str, str]]:
    """Sort out who is installed, and say who is not and why."""
    versions: dict[str, str] = {}
    found = []
    for contender in contenders:
        try:
            versions[contender.name] = contender.version()
            found.append(contender)
        except ContenderError as reason:
            print(f"{contender.name}: {reason}")
    return found, versions


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure each workload alone, every contender in fresh processes of its own, "
        "and print one table.",
        epilog="Workloads: " + ", ".join(WORKLOADS),
    )
    parser.add_argument("workload", nargs="*", help="what to measure (default: everything)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="processes each (5)")
    parser.add_argument("--quick", action="store_true", help="one tiny run: does it work at all?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    parser.add_argument(
        "--contender",
        action="append",
        metavar="NAME",
        help="only this one (repeatable): " + ", ".join(CONTENDERS),
    )
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="run a contender with another interpreter, as some pin other versions",
    )
    return parser


def _known(
    parser: argparse.ArgumentParser, what: str, name: str, known: Mapping[str, object]
) -> None:
    if name not in known:
        parser.error(f"unknown {what} {name!r}; known: {', '.join(known)}")


def _chosen(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[Contender]:
    chosen = dict(CONTENDERS)
    for pair in args.python:
        name, equals, path = pair.partition("=")
        if not equals or not path:
            parser.error(f"--python takes NAME=PATH, got {pair!r}")
        _known(parser, "contender", name, CONTENDERS)
        chosen[name] = replace(chosen[name], python=path)
    for name in args.contender or ():
        _known(parser, "contender", name, CONTENDERS)
    return [contender for name, contender in chosen.items() if name in (args.contender or chosen)]


def _as_json(session: _Session, facts: Mapping[str, object]) -> str:
    results = {
        workload: {
            contender: {
                metric: asdict(cell) if isinstance(cell, Summary) else cell
                for metric, cell in cells.items()
            }
            for contender, cells in by_contender.items()
        }
        for workload, by_contender in session.results.items()
    }
    return json.dumps({**facts, "results": results}, indent=2)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if a contender failed."""
    parser = _parser()
    args = parser.parse_args(argv)
    for name in args.workload:
        _known(parser, "workload", name, WORKLOADS)
    if args.runs < 1:
        parser.error(f"--runs must be at least 1, got {args.runs}")
    contenders, versions = _present(_chosen(parser, args))
    if not contenders:
        parser.error("no contender is installed")
    machine = _machine()
    print("{cpu}, {cores} cores, {system}, Python {python}".format_map(machine))
    for name, version in versions.items():
        print(f"{name}: {version}")
    workloads = [WORKLOADS[name] for name in args.workload or WORKLOADS]
    if args.quick:
        print("quick: tiny sizes, to see that it works; the figures mean nothing")
    session = _Session(contenders, runs=args.runs, quick=args.quick)
    with tempfile.TemporaryDirectory() as scratch:
        for workload in workloads:
            session.measure(workload, scratch)
    print(
        "\nmedian / p99 (the worst of fewer than 100 samples); ratio of our median; less is better,"
        "\nmore where the aim is above the reach"
    )
    print(render(workloads, list(versions), session.results))
    for note in session.notes:
        print(note)
    if args.json:
        facts = {"machine": machine, "contenders": versions, "quick": args.quick}
        args.json.write_text(_as_json(session, facts), encoding="utf-8")
    return int(session.failed)


if __name__ == "__main__":
    sys.exit(main())
