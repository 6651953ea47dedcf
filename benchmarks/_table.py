"""Lays out the results as text. Pure: figures in, lines out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks._stats import Summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks._workloads import Row, Workload

OURS = "supervise"
SCALE = {"µs": 1e6, "ms": 1e3, "bytes": 1.0, "KB": 1e-3, "MB": 1e-6, "x": 1.0}

Cell = Summary | str  # figures, or the word that stands in their place
Results = dict[str, dict[str, dict[str, Cell]]]  # workload -> contender -> metric


@dataclass(frozen=True)
class Verdict:
    """Our median divided by that of the row's base, or alone, and which goal that meets."""

    ratio: float
    met: str


def verdict(row: Row, cells: Mapping[str, Cell]) -> Verdict | None:
    """Compare ours with the base; `None` if either was not measured."""
    ours, base = cells.get(OURS), cells.get(row.base or "")
    if not isinstance(ours, Summary):
        return None
    if row.base is None:
        ratio = ours.median * SCALE[row.unit]
    elif isinstance(base, Summary) and base.median > 0:
        ratio = ours.median / base.median
    else:
        return None
    if row.reach is None or row.aim is None:
        return Verdict(ratio, "")
    sign = 1 if row.aim <= row.reach else -1
    met = [name for name in ("aim", "reach") if sign * ratio <= sign * getattr(row, name)]
    return Verdict(ratio, met[0] if met else "no")


def render(workloads: Sequence[Workload], contenders: Sequence[str], results: Results) -> str:
    """The whole table: a head, a rule, a line for every row that somebody measured."""
    lines = [
        ["workload", "unit", *contenders, "ratio to", "ratio", "reach", "aim", "met"],
    ]
    for workload in workloads:
        by_contender = results[workload.name]
        for row in workload.rows:
            cells = {name: by_contender[name].get(row.metric, "-") for name in contenders}
            if any(cell != "-" for cell in cells.values()):
                lines.append(_line(row, cells))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(_aligned(line, widths) for line in lines)


def _line(row: Row, cells: Mapping[str, Cell]) -> list[str]:
    found = verdict(row, cells)
    goals = ["" if goal is None else f"{goal:g}" for goal in (row.reach, row.aim)]
    return [
        row.label,
        row.unit,
        *(_cell(cell, row.unit) for cell in cells.values()),
        (row.base or "itself") if goals[0] else "",
        f"{found.ratio:.2f}" if found else "-",
        *goals,
        found.met if found else "",
    ]


def _cell(cell: Cell, unit: str) -> str:
    if isinstance(cell, str):
        return cell
    return f"{_figure(cell.median * SCALE[unit])} / {_figure(cell.p99 * SCALE[unit])}"


def _figure(value: float) -> str:
    """Three significant digits, without an exponent."""
    magnitude = abs(value)
    digits = 0 if magnitude >= 100 else 1 if magnitude >= 10 else 2  # noqa: PLR2004
    return f"{value:,.{digits}f}" if magnitude >= 1 else f"{value:.3f}"


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = line
    words = [first.ljust(widths[0])]
    words += [word.rjust(width) for word, width in zip(others, widths[1:], strict=True)]
    return "  ".join(words).rstrip()
