"""How many mutants of the kernel the testing kit kills by itself.

`python -m tests.mutation [FILE...]` takes names below lua_api/lua, as `kernel/signals.lua`. Each
mutant is loaded in a process of its own, in place of the file, and the properties of the kit are
tried until one fails. The planner's mutants are mutmut's (see pyproject.toml).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from lua_api import _runtime
from tests.mutation import kit
from tests.mutation.lua import Mutant, mutants

FILES = (
    "kernel/signals.lua",
    "kernel/mailbox.lua",
    "kernel/registry.lua",
    "kernel/relation.lua",
    "kernel/ports.lua",
    "kernel/children.lua",
)
# The kit takes seconds; a mutant that takes this long goes round for ever.
SECONDS = 60
KILLED, SURVIVED, TIMED_OUT = "killed", "survived", "timed out"
EXPLAINED = Path(__file__).with_name("explained.txt")


def main() -> int:
    """Report the mutants that live, and the share that does not."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("files", nargs="*", default=FILES, metavar="FILE")
    parser.add_argument("--lines", default="", help="only these lines, as 10-20")
    arguments = parser.parse_args()
    os.nice(10)
    known = explained()
    totals: Counter[str] = Counter()
    for name in arguments.files:
        totals += survey(name, arguments.lines, known)
    print(summary("all", totals))
    return 0


def explained() -> set[str]:
    """Changes nobody can see: `file:function: change` a line, below a comment that says why."""
    lines = EXPLAINED.read_text().splitlines() if EXPLAINED.exists() else []
    return {line for line in lines if line and not line.startswith("#")}


def survey(name: str, lines: str, known: set[str]) -> Counter[str]:
    """Try every mutant of one file."""
    original = next(text for _, path, text in _runtime.kernel_files() if path.endswith(name))
    first, _, last = lines.partition("-")
    counts: Counter[str] = Counter()
    for mutant in mutants(original.decode()):
        if lines and not int(first) <= mutant.line <= int(last or first):
            continue
        where = f"{name}:{mutant.function}: {mutant.change}"
        if where in known:
            counts["explained"] += 1
            continue
        fate = try_out(name, mutant)
        counts[fate] += 1
        if fate == SURVIVED:
            print(f"{where}  -- line {mutant.line}", flush=True)
    print(summary(name, counts), flush=True)
    return counts


def summary(name: str, counts: Counter[str]) -> str:
    """One line: how many there were, and what became of them."""
    tried = counts[KILLED] + counts[TIMED_OUT] + counts[SURVIVED]
    killed = tried - counts[SURVIVED]
    share = 100 * killed / tried if tried else 100.0
    return (
        f"{name}: {killed} of {tried} killed ({share:.1f} %), {counts[TIMED_OUT]} of them by time, "
        f"{counts['explained']} explained"
    )


def try_out(name: str, mutant: Mutant) -> str:
    """Run the kit against a mutant in a child process."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        os._exit(run_kit(name, mutant))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGALRM:
        return TIMED_OUT
    return KILLED if code else SURVIVED


def run_kit(name: str, mutant: Mutant) -> int:
    """Put the mutant in the place of its file; 0 if the kit saw nothing."""
    files = tuple(
        (module, path, mutant.text.encode() if path.endswith(name) else text)
        for module, path, text in _runtime.kernel_files()
    )
    _runtime.kernel_files = lambda: files
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        try:
            for check in kit.CHECKS:
                check()
        except BaseException:  # noqa: BLE001 - whatever it is, it was seen
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
