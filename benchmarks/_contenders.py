"""Who takes part, who is installed, and how one of them runs one workload alone."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks._workloads import Plan, Workload

ROOT = Path(__file__).resolve().parent.parent
LIMIT_SECONDS = 600  # a subprocess that takes longer hangs


class ContenderError(Exception):
    """A contender could not do its work; the text is the last thing it said."""


class NotApplicableError(Exception):
    """A workload makes no sense for a contender; the text says why."""


@dataclass(frozen=True)
class Contender:
    """One system under measurement.

    Attributes:
        name: Its module is `benchmarks._<name>`.
        requires: The module or program without which it is not installed.
        install: What to type to get it.
        python: The interpreter that runs it.
    """

    name: str
    requires: str
    install: str
    python: str = sys.executable

    def version(self) -> str:
        """Say what would run.

        Raises:
            ContenderError: It is not installed, or cannot be loaded.
        """
        answer = self._ask()
        if "version" in answer:
            return str(answer["version"])
        if answer["missing"] == self.requires:
            raise ContenderError(f"not installed ({self.install})")
        raise ContenderError(f"cannot be loaded: {answer['detail']}")

    def measure(self, workload: Workload, plan: Plan) -> dict[str, list[float]]:
        """Run `workload` once, in a fresh process.

        Returns:
            Samples by metric.

        Raises:
            NotApplicableError: The workload makes no sense for it.
            ContenderError: It failed or took too long.
        """
        options = {
            "--size": plan.size,
            "--batches": plan.batches,
            "--seconds": plan.seconds,
            "--scratch": plan.scratch,
        }
        answer = self._ask(workload.name, *(str(word) for pair in options.items() for word in pair))
        if "not_applicable" in answer:
            raise NotApplicableError(answer["not_applicable"])
        return dict(answer["samples"])

    def _ask(self, *args: str) -> dict[str, Any]:
        command = [self.python, "-m", "benchmarks._run", self.name, *args]
        try:
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True
            )
        except subprocess.TimeoutExpired:
            raise ContenderError(f"gave no answer in {LIMIT_SECONDS} s") from None
        except OSError as error:
            raise ContenderError(f"cannot run {self.python}: {error.strerror}") from error
        except subprocess.CalledProcessError as error:
            last = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
            raise ContenderError(last[-1]) from error
        answer = dict(json.loads(done.stdout.splitlines()[-1]))
        if "failed" in answer:
            raise ContenderError(answer["failed"])
        return answer


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("supervise", "supervise", "pip install -e ."),
        Contender("beam", "erl", "apt-get install erlang-base"),
        Contender("trio", "trio", "pip install trio"),
        Contender(
            "triotp",
            "triotp",
            "pip install triotp; its own Python, 3.13 or later, by --python triotp=PATH",
        ),
        Contender("pykka", "pykka", "pip install pykka"),
    )
}
