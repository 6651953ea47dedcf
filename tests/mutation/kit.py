"""What mutants of the kernel are held against: first what is quick and sees much."""

from __future__ import annotations

import importlib

from hypothesis import given, settings
from hypothesis.stateful import run_state_machine_as_test

from tests import conftest  # noqa: F401 - it knows the profile

settings.load_profile("mutants")

# The tests take their settings as they are imported.
from supervise.testing.model.running import predict  # noqa: E402
from supervise.testing.observing import observe  # noqa: E402
from supervise.testing.program_strategies import lua_programs  # noqa: E402
from tests import (  # noqa: E402
    test_kernel_model,
    test_testing_children,
    test_testing_names,
    test_testing_states,
)
from tests.puppets import World  # noqa: E402

PROGRAMS = 300


def _corpus():
    """Programs and what they must show; drawn once, since every mutant is shown the same."""
    drawn = []

    @given(lua_programs())
    @settings(max_examples=PROGRAMS)
    def draw(program):
        limits = {"seconds": 2.5}
        if len(drawn) % 4 == 0:
            limits |= {"max_processes": 3, "max_mailbox": 2}
        drawn.append((program, limits, predict(program, **limits)))

    draw()
    return drawn


CORPUS = _corpus()


def programs_show_what_they_must():
    """The property of tests/test_testing_programs.py, over the corpus."""
    for program, limits, expected in CORPUS:
        assert observe(program, **limits) == expected


def relations_are_ordered_sets():
    """The property of tests/test_kernel_units.py, in a state with the mutant."""
    units = importlib.import_module("tests.test_kernel_units")
    units.test_a_relation_is_an_ordered_set()


CHECKS = (
    test_kernel_model.test_few_processes_watch_name_and_end_each_other,
    test_kernel_model.test_a_mailbox_keeps_what_nobody_took,
    test_testing_names.test_what_can_be_a_name,
    test_testing_names.test_who_is_not_there_is_named,
    test_testing_names.test_a_listener_gets_what_waited_for_it,
    test_testing_names.test_only_a_listener_of_ones_own_is_ended,
    relations_are_ordered_sets,
    lambda: run_state_machine_as_test(
        test_testing_children.SupervisedProcesses,
        settings=test_testing_children.TestSupervisedProcesses.settings,
    ),
    test_testing_states.test_what_holds_in_one_state_holds_between_states,
    programs_show_what_they_must,
    lambda: run_state_machine_as_test(test_kernel_model.KernelAgainstModel),
    test_testing_children.test_of_processes_that_have_ended_nothing_is_kept,
    test_testing_states.test_of_processes_elsewhere_nothing_is_kept,
    lambda: test_kernel_model.test_the_memory_of_the_lua_state_returns_to_its_baseline(World()),
)
