"""The restart window and the backoff: exact at their boundaries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from specs import Backoff
from supervise._backoff import delay, failures_after
from supervise._intensity import RestartWindow

GAPS = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5]), max_size=40)


@given(st.integers(0, 5), st.sampled_from([0.5, 1.0, 2.0]), GAPS)
def test_the_window_refuses_exactly_when_a_closed_window_overflows(limit, seconds, gaps):
    """Invariants 23 and 24."""
    window = RestartWindow(limit, seconds)
    now, stamps = 1000.0, []
    for gap in gaps:
        now += gap
        stamps.append(now)
        recent = [stamp for stamp in stamps if stamp >= now - seconds]
        assert window.charge(now) is (len(recent) <= limit)
        assert window.restarts(now) == tuple(recent[-(limit + 1) :])


def test_a_gap_of_exactly_the_window_counts_and_a_longer_one_does_not():
    """Invariant 30."""
    at_the_edge = RestartWindow(1, 5.0)
    assert at_the_edge.charge(10.0)
    assert not at_the_edge.charge(15.0)
    beyond = RestartWindow(1, 5.0)
    assert beyond.charge(10.0)
    assert beyond.charge(15.000001)


def test_what_is_out_of_the_window_is_forgotten():
    window = RestartWindow(1_000_000, 5.0)
    for now in range(1000):
        assert window.charge(float(now))
    assert len(window._stamps) == 6


def test_a_limit_of_none_refuses_the_first_restart():
    assert not RestartWindow(0, 5.0).charge(1.0)


BACKOFFS = st.builds(
    Backoff,
    initial=st.floats(0.01, 10),
    maximum=st.floats(0.01, 100),
    factor=st.floats(1, 10),
    jitter=st.floats(0, 1),
)


@given(BACKOFFS, st.integers(0, 5000), st.floats(0, 1))
def test_a_wait_stays_within_its_jitter(backoff, failures, chance):
    """Invariant 72."""
    try:
        middle = min(backoff.maximum, backoff.initial * backoff.factor**failures)
    except OverflowError:
        middle = backoff.maximum
    assert abs(delay(backoff, failures, chance) - middle) <= middle * backoff.jitter + 1e-9


def test_waits_double_up_to_the_maximum_and_start_over_after_a_stable_time():
    """Invariant 72."""
    backoff = Backoff(initial=1, maximum=5, factor=2, stable=10)
    assert [delay(backoff, k, 0.5) for k in range(4)] == [1.0, 2.0, 4.0, 5.0]
    assert failures_after(backoff, 3, 9.99) == 3
    assert failures_after(backoff, 3, 10.0) == 0
