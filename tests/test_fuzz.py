"""`make fuzz` tries properties, counts, and keeps what fails."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# The real properties are tests of their own.
SMALL = """
import sys
from hypothesis import given, strategies as st
from tests import fuzz

@given(st.integers())
def holds(n):
    pass

@given(st.integers())
def fails(n):
    assert n < 1000

assert set(fuzz.PROPERTIES) == {"planner", "dynamic", "programs", "trees", "kernel"}
fuzz.PROPERTIES = {"fails": fuzz.of_test(fails), "holds": fuzz.of_test(holds)}
assert fuzz.main([]) == 1
_, _, _, name, seed = fuzz.FAILURES.read_text().splitlines()[0].split()
fuzz.main([name, seed])
"""


def test_what_fails_is_kept_and_can_be_replayed(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FUZZ_SECONDS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SMALL],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    said, *_, total = done.stdout.splitlines()
    assert said.startswith("fails fails: AssertionError"), done.stderr
    assert re.fullmatch(r" +\d+ s  \d+ examples a second: fails [\d,]+.*", total)
    kept = (tmp_path / "fuzz-failures.txt").read_text()
    assert re.match(r"python -m tests.fuzz fails \d+\n", kept)
    assert "n=1000," in kept
    assert (tmp_path / ".hypothesis").is_dir()
    assert "n=1000," in done.stderr, "the replay fails, too"
