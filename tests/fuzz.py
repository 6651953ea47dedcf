"""Runs the properties of the testing kit until it is stopped: `make fuzz`.

Each turn one property is tried with a seed of its own. A property that failed is left out from then
on; `fuzz-failures.txt` says how it failed, and the command that replays it:

    python -m tests.fuzz PROPERTY SEED
"""

from __future__ import annotations

import functools
import os
import random
import sys
import time
import traceback
from pathlib import Path

from hypothesis import seed, settings
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.stateful import run_state_machine_as_test

from tests import conftest  # noqa: F401 - it knows the profile

settings.register_profile(
    "fuzz",
    settings.get_profile("default"),
    derandomize=False,
    max_examples=200,
    database=DirectoryBasedExampleDatabase(".hypothesis/examples"),
)
settings.load_profile("fuzz")

# The tests take their settings as they are imported.
from tests import (  # noqa: E402
    test_kernel_model,
    test_testing_programs,
    test_testing_simulation,
    test_testing_supervision,
)

FAILURES = Path("fuzz-failures.txt")
REPORT_EVERY = 10.0


class Kernel(test_kernel_model.KernelAgainstModel):
    """Counts its examples."""

    examples = 0

    def __init__(self):
        super().__init__()
        Kernel.examples += 1


def kernel(number):
    before = Kernel.examples
    try:
        run_state_machine_as_test(seed(number)(Kernel), settings=Kernel.TestCase.settings)
    finally:
        kernel.examples += Kernel.examples - before


Kernel.TestCase.settings = test_kernel_model.KernelAgainstModel.TestCase.settings
kernel.examples = 0


def of_test(test):
    """A property out of a test with `@given`, which counts its examples."""
    inner = test.hypothesis.inner_test

    @functools.wraps(inner)
    def counted(*args, **kwargs):
        run.examples += 1
        inner(*args, **kwargs)

    def run(number):
        seed(number)(test)()

    run.examples = 0
    test.hypothesis.inner_test = counted
    return run


PROPERTIES = {
    "planner": of_test(test_testing_supervision.test_a_supervisor_does_what_the_model_says),
    "dynamic": of_test(test_testing_supervision.test_a_dynamic_supervisor_does_what_the_model_says),
    "programs": of_test(test_testing_programs.test_every_process_sees_what_the_model_says),
    "trees": of_test(
        test_testing_simulation.test_random_trees_under_random_faults_keep_the_invariants
    ),
    "kernel": kernel,
}


def keep(name, number, error):
    with FAILURES.open("a") as file:
        file.write(f"python -m tests.fuzz {name} {number}\n")
        file.writelines(traceback.format_exception(error))
        file.write("\n")
    last = traceback.format_exception_only(error)[0].strip().partition("\n")[0]
    print(f"{name} fails: {last}; see {FAILURES}", flush=True)


def report(began):
    took = time.monotonic() - began
    rates = [f"{name} {each.examples:,}" for name, each in PROPERTIES.items() if each.examples]
    total = sum(each.examples for each in PROPERTIES.values())
    print(
        f"{took:6.0f} s  {total / took:.0f} examples a second: {', '.join(rates)}",
        flush=True,
    )


def fuzz(seconds):
    """Try the properties in turn; returns the names of those that failed."""
    began = reported = time.monotonic()
    failed, turns = [], list(PROPERTIES)
    try:
        while turns and time.monotonic() - began < seconds:
            name = turns.pop(0)
            number = random.SystemRandom().randrange(2**32)
            try:
                PROPERTIES[name](number)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                keep(name, number, error)
                failed.append(name)
            else:
                turns.append(name)
            if time.monotonic() - reported >= REPORT_EVERY:
                reported = time.monotonic()
                report(began)
    except KeyboardInterrupt:
        print()
    report(began)
    return failed


def main(arguments):
    if arguments:
        name, number = arguments
        PROPERTIES[name](int(number))
        return 0
    return 1 if fuzz(float(os.environ.get("FUZZ_SECONDS") or "inf")) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
