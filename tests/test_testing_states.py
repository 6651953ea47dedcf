"""Several Lua states against the reference model: what is said of one holds between them.

Each operation comes to rest before the next, since what two states do at once may come in either order.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.puppets import SpreadWorld
from tests.test_kernel_model import WATCH_STEP, KernelAgainstModel, returns_to_its_baseline, step

WHO = st.integers(0, 5)


def unordered(rows):
    return sorted(rows, key=repr)


class StatesAgainstModel(KernelAgainstModel):
    """What follows from one operation may come in another order than the model has it."""

    make_world = SpreadWorld

    def can(self, name: str) -> bool:
        """Whether those whom the step needs are there."""
        ports = [process for process in self.model.live.values() if process.is_port]
        return bool(ports if name == "wait_for_an_end" else self.model.live)

    def settled(self) -> None:
        self.world.settle()
        self.world.log, self.model.log = unordered(self.world.log), unordered(self.model.log)
        super().settled()

    def the_tables_agree(self) -> None:
        rows = [(r.pid, r.host, r.mailbox, sorted(r.names)) for r in self.world.processes()]
        assert unordered(rows) == unordered(
            (p.pid, p.host, p.mail, sorted(p.names)) for p in self.model.live.values()
        )
        counts = self.world.statistics()
        assert counts.processes == len(self.model.live)
        assert counts.names == len(self.model.names)
        assert counts.timers == len(self.model.sleepers)


STEP = st.one_of(
    WATCH_STEP,
    step("watch", index=WHO, dest=WHO, act=st.sampled_from(["monitor", "link", "link"])),
    step("spawn", parent=WHO, host=st.just("roomy"), link=st.booleans(), monitor=st.booleans()),
    step("terminate", index=WHO, dest=WHO),
    step("cancel", index=WHO, dest=WHO, reason=st.sampled_from(["", "enough"])),
    step(
        "send", index=WHO, dest=WHO, topic=st.just("a"), times=st.integers(1, 2), nil=st.just(False)
    ),
    step("wait_for_an_end", waiter=WHO, dest=WHO),
    step(
        "wait_for_a_new_child",
        parent=WHO,
        host=st.just("roomy"),
        link=st.booleans(),
        monitor=st.booleans(),
    ),
    step("drain", index=WHO, channel=st.sampled_from(["inbox", "events"])),
)


@given(st.lists(STEP, max_size=30))
@settings(max_examples=max(25, settings.default.max_examples // 2))
def test_what_holds_in_one_state_holds_between_states(steps):
    """Links, monitors, names, ends and messages (43-55, 57)."""
    machine = StatesAgainstModel()
    machine.the_first_ones(3, link=False)
    for name, arguments in steps:
        if machine.can(name):
            getattr(machine, name)(**arguments)
        machine.the_tables_agree()


def test_of_processes_elsewhere_nothing_is_kept():
    """Cycles of spawn, talk, watch and end between states leave nothing in any of them (67)."""
    returns_to_its_baseline(SpreadWorld(), cycles=24)
