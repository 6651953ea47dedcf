"""Tests for trees: helpers, nodes that are checked for leaks, and seeds."""

from typing import TYPE_CHECKING

from specs import lazy_names

if TYPE_CHECKING:
    from supervise.testing._tree_text import Expected
    from supervise.testing._wait import AwaitedInVainError
    from supervise.testing.helpers import (
        assert_tree,
        kill_and_wait,
        run_until_idle,
        wait_exit,
        wait_restarted,
    )
    from supervise.testing.nodes import LeakError, open_test_node
    from supervise.testing.seeding import SeedingError, current_seed, seeded, seeded_scheduler
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "supervise.testing._tree_text": ["Expected"],
            "supervise.testing._wait": ["AwaitedInVainError"],
            "supervise.testing.helpers": [
                "assert_tree",
                "kill_and_wait",
                "run_until_idle",
                "wait_exit",
                "wait_restarted",
            ],
            "supervise.testing.nodes": ["LeakError", "open_test_node"],
            "supervise.testing.seeding": [
                "SeedingError",
                "current_seed",
                "seeded",
                "seeded_scheduler",
            ],
        },
    )

__all__ = [
    "AwaitedInVainError",
    "Expected",
    "LeakError",
    "SeedingError",
    "assert_tree",
    "current_seed",
    "kill_and_wait",
    "open_test_node",
    "run_until_idle",
    "seeded",
    "seeded_scheduler",
    "wait_exit",
    "wait_restarted",
]
