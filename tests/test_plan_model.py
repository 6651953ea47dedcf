"""The planner against a model that is too simple to be wrong: the table once all is quiet again."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from specs import ChildSpec, ExitKind, Restart, Strategy, SupervisorSpec, lua
from supervise import _plan_io as io
from supervise._plan import Planner
from tests.plan_shell import CRASH, KILLED, NORMAL, SHUTDOWN, Shell

IDS = "abcd"
VERBS = ("exit", "exit", "exit", "start", "terminate", "restart", "delete")
REASONS = (NORMAL, SHUTDOWN, CRASH, KILLED)


class Model:
    """The children of a supervisor in start order, each with its restart type and its state."""

    def __init__(self, strategy, children):
        self.strategy = strategy
        self.children = {child.id: [child.restart, "running"] for child in children}
        self.held = set()

    def exit(self, id_, kind):
        restart, _ = self.children[id_]
        failed = kind in (ExitKind.ERROR, ExitKind.KILLED)
        if restart is Restart.PERMANENT or (restart is Restart.TRANSIENT and failed):
            for other in self.group(id_):
                self.back(other)
        elif restart is Restart.TEMPORARY:
            del self.children[id_]
        else:
            self.children[id_][1] = "stopped"

    def group(self, id_):
        ids = list(self.children)
        if self.strategy is Strategy.ONE_FOR_ONE:
            return [id_]
        return ids if self.strategy is Strategy.ONE_FOR_ALL else ids[ids.index(id_) :]

    def back(self, id_):
        if self.children[id_][0] is Restart.TEMPORARY:
            del self.children[id_]
        elif id_ not in self.held:
            self.children[id_][1] = "running"

    def start(self, spec):
        if spec.id in self.children:
            return False
        self.children[spec.id] = [spec.restart, "running"]
        return True

    def terminate(self, id_):
        if id_ not in self.children:
            return False
        if self.children[id_][0] is Restart.TEMPORARY:
            del self.children[id_]
        else:
            self.children[id_][1] = "stopped"
            self.held.add(id_)
        return True

    def restart(self, id_):
        if self.children.get(id_, [None, None])[1] != "stopped":
            return False
        self.held.discard(id_)
        self.children[id_][1] = "running"
        return True

    def delete(self, id_):
        if self.children.get(id_, [None, None])[1] != "stopped":
            return False
        self.held.discard(id_)
        del self.children[id_]
        return True


CHILDREN = st.builds(
    lambda restarts: [
        ChildSpec(id_, lua("a:b"), restart=restart)
        for id_, restart in zip(IDS, restarts, strict=False)
    ],
    st.lists(st.sampled_from(Restart), min_size=3, max_size=4),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(VERBS), st.sampled_from(IDS), st.sampled_from(REASONS),
              st.sampled_from(Restart)), min_size=10, max_size=30
)  # fmt: skip


@settings(max_examples=150)
@given(st.sampled_from(Strategy), CHILDREN, STEPS)
def test_the_table_is_that_of_the_model(strategy, children, steps):
    """Invariants 5, 8, 9, 10, 21 and 61."""
    spec = SupervisorSpec("s", strategy=strategy, max_restarts=1000, children=children)
    shell = Shell(Planner(spec, random.Random(7)))
    model = Model(strategy, children)
    shell.start()
    shell.settle()
    for verb, id_, reason, restart in steps:
        if verb == "exit":
            if model.children.get(id_, [None, None])[1] != "running":
                continue
            shell.exit(id_, reason=reason)
            model.exit(id_, reason.kind)
        else:
            argument = ChildSpec(id_, lua("a:b"), restart=restart) if verb == "start" else id_
            ticket = f"call {len(shell.asked)}"
            getattr(shell, "start_child" if verb == "start" else verb)(argument)
            shell.settle()
            done = isinstance(shell.answers[ticket], io.Done)
            assert done == getattr(model, verb)(argument)
        shell.settle()
        seen = {row.child: [row.restart, row.state.value] for row in shell.table.values()}
        assert list(seen.items()) == list(model.children.items())
