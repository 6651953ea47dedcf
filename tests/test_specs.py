"""Specs: what each field takes and refuses, in which words, and how specs print."""

from __future__ import annotations

import math

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specs import (
    BRUTAL_KILL,
    AutoShutdown,
    Backoff,
    ChildSpec,
    DynamicSupervisorSpec,
    HostSpec,
    Restart,
    SpecError,
    Strategy,
    SupervisorSpec,
    check_child,
    check_spec,
    lua,
    task,
)
from specs._check import find_faults


async def feed(url):
    """A child."""


SHUTDOWN = "seconds, at least 0, infinity or brutal_kill"


def problems(spec):
    with pytest.raises(SpecError) as caught:
        check_spec(spec)
    return list(caught.value.problems)


def tree(**fields):
    return SupervisorSpec("shop", children=[ChildSpec("stock", lua("shop:stock"), **fields)])


def test_defaults_are_those_of_the_field():
    child = ChildSpec("a", lua("m:m"))
    assert (child.restart, child.shutdown, child.start_timeout) == (Restart.PERMANENT, 5.0, 30.0)
    assert (child.name, child.backoff, child.labels) == (None, None, {})
    assert (child.significant, child.ready) == (False, False)
    supervisor = SupervisorSpec("s")
    assert (supervisor.max_restarts, supervisor.max_seconds) == (3, 5.0)
    assert supervisor.strategy is Strategy.ONE_FOR_ONE
    assert supervisor.auto_shutdown is AutoShutdown.NEVER
    assert DynamicSupervisorSpec("d").max_children == math.inf
    assert HostSpec("h").max_mailbox == 1_000_000


def test_a_supervisor_in_the_list_becomes_a_child_with_time_to_stop():
    inner = SupervisorSpec("inner", name="in")
    outer = SupervisorSpec("outer", children=[inner])
    assert outer.children == (ChildSpec("inner", inner),)
    inner = outer.children[0]
    assert (inner.shutdown, inner.start_timeout, inner.name) == (math.inf, math.inf, "in")
    assert outer.children[0].is_supervisor
    check_spec(outer)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"shutdown": -1}, f"shutdown: must be {SHUTDOWN}, got -1.0"),
        ({"shutdown": math.nan}, f"shutdown: must be {SHUTDOWN}, got nan"),
        ({"shutdown": True}, f"shutdown: must be {SHUTDOWN}, got True"),
        ({"start_timeout": 0}, "start_timeout: must be seconds, more than 0, or infinity, got 0.0"),
        (
            {"restart": "transeint"},
            ("restart: must be a Restart (permanent, transient, temporary), got 'transeint'; "
            "did you mean 'transient'?"),
        ),
        ({"name": ""}, "name: must be a string that is not empty, or left out, got ''"),
        ({"significant": 1}, "significant: must be true or false, got 1"),
        ({"ready": None}, "ready: must be true or false, got None"),
        ({"labels": {"a": 1}}, "labels: must be a table of strings, got {'a': 1}"),
        ({"backoff": 3}, "backoff: must be a Backoff or left out, got 3"),
        ({"backoff": Backoff(factor=0.5)}, "backoff.factor: must be a number from 1, got 0.5"),
        ({"backoff": Backoff(jitter=2)}, "backoff.jitter: must be a number from 0 to 1, got 2.0"),
        (
            {"backoff": Backoff(initial=math.inf)},
            "backoff.initial: must be seconds, more than 0, got inf",
        ),
        (
            {"backoff": Backoff(initial=9, maximum=1)},
            "backoff.maximum: must be at least initial (9.0), got 1.0",
        ),
    ],
)  # fmt: skip
def test_a_faulty_field_of_a_child_is_named_with_its_path(fields, fault):
    assert problems(tree(**fields)) == [f"shop/stock.{fault}"]


@pytest.mark.parametrize(
    "fields",
    [
        {"shutdown": BRUTAL_KILL},
        {"shutdown": 0},
        {"shutdown": math.inf},
        {"start_timeout": math.inf},
        {"restart": Restart.TEMPORARY, "ready": True, "labels": {"a": "b"}, "name": "n"},
        {"backoff": Backoff()},
    ],
)
def test_a_sound_field_is_accepted(fields):
    check_spec(tree(**fields))


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"max_restarts": -1}, "max_restarts: must be a whole number, at least 0, got -1"),
        ({"max_restarts": math.inf}, "max_restarts: must be a whole number, at least 0, got inf"),
        ({"max_restarts": True}, "max_restarts: must be a whole number, at least 0, got True"),
        ({"max_seconds": 0}, "max_seconds: must be seconds, more than 0, got 0.0"),
        ({"max_seconds": math.inf}, "max_seconds: must be seconds, more than 0, got inf"),
        (
            {"strategy": "one_for_one"},
            (
                "strategy: must be a Strategy (one_for_one, one_for_all, rest_for_one), "
                "got 'one_for_one'; did you mean 'one_for_one'?"
            ),
        ),
        ({"children": 3}, "children: must be a list, got 3"),
    ],
)
def test_a_faulty_field_of_a_supervisor_is_named(fields, fault):
    assert problems(SupervisorSpec("s", **fields)) == [f"s.{fault}"]


def test_all_faults_of_a_tree_come_at_once():
    inner = SupervisorSpec("inner", children=[ChildSpec("leaf", lua("not an entry"))])
    spec = SupervisorSpec(
        "",
        children=[
            ChildSpec("a", 42),
            ChildSpec("a", lua("m:m", host="")),
            inner,
            "junk",
            ChildSpec(7, lua("m:m")),
        ],
    )
    assert problems(spec) == [
        "supervisor.id: must be a string that is not empty, got ''",
        "supervisor/a.start: must be lua(...), task(...) or a supervisor's spec, got 42",
        "supervisor/a.start.host: must be a string that is not empty, or left out, got ''",
        "supervisor/a.id: is the id of an earlier sibling too",
        (
            'supervisor/inner/leaf.start.lua: must be a Lua entry "<namespace>:<name>", '
            "such as \"shop:stock\", got 'not an entry'"
        ),
        "supervisor/children[3]: must be a ChildSpec or a supervisor's spec, got 'junk'",
        "supervisor/children[4].id: must be a string that is not empty, got 7",
    ]


def test_a_name_is_held_once_in_a_tree():
    inner = SupervisorSpec("in", name="n", children=[ChildSpec("x", lua("m:m"), name="m")])
    spec = SupervisorSpec("s", name="m", children=[ChildSpec("a", lua("m:m"), name="n"), inner])
    assert problems(spec) == [
        "s/in.name: 'n' is already the name of s/a",
        "s/in/x.name: 'm' is already the name of s",
    ]


@pytest.mark.parametrize("mode", AutoShutdown)
@pytest.mark.parametrize("restart", Restart)
def test_significance_needs_a_child_that_may_end_and_a_supervisor_that_cares(mode, restart):
    child = ChildSpec("a", lua("m:m"), restart=restart, significant=True)
    spec = SupervisorSpec("s", auto_shutdown=mode, children=[child])
    faults = []
    if restart is Restart.PERMANENT:
        faults.append(
            "s/a.significant: a permanent child is always restarted; make it transient or temporary"
        )
    if mode is AutoShutdown.NEVER:
        faults.append(
            "s/a.significant: has no effect while the supervisor's auto_shutdown is never"
        )
    if faults:
        assert problems(spec) == faults
    else:
        check_spec(spec)


def test_a_dynamic_child_is_never_significant_and_a_supervisor_takes_no_arguments():
    pool = DynamicSupervisorSpec("pool", extra_arguments=[1])
    with pytest.raises(SpecError) as caught:
        check_child(ChildSpec("a", lua("m:m"), restart=Restart.TEMPORARY, significant=True), pool)
    assert caught.value.problems == (
        "pool/a.significant: a dynamic supervisor does not end with its children",
    )
    with pytest.raises(SpecError, match=r"pool/in\.start: a supervisor takes no arguments"):
        check_child(ChildSpec("in", SupervisorSpec("in")), pool)
    check_child(ChildSpec("a", lua("m:m")), pool)


def test_readiness_is_for_lua_children():
    spec = SupervisorSpec("s", children=[ChildSpec("f", task(feed, 1), ready=True)])
    assert problems(spec)[0].startswith("s/f.ready: is for Lua children; ")


def test_a_supervisor_goes_by_its_own_id_and_name():
    child = ChildSpec("b", SupervisorSpec("a", name="n"), name="m")
    assert problems(SupervisorSpec("s", children=[child])) == [
        "s/b.id: must be the supervisor's own, 'a', got 'b'",
        "s/b.name: must be the supervisor's own, 'n', got 'm'",
    ]


def test_hosts_are_checked_too_and_nothing_else_is():
    assert problems(HostSpec("h", max_mailbox=0)) == [
        "h.max_mailbox: must be a whole number, at least 1, got 0"
    ]
    assert problems({"id": "s"})[0].startswith("tree: must be a SupervisorSpec")


@pytest.mark.parametrize("name", ["max_run_instructions", "max_instructions"])
def test_an_allowance_of_instructions_needs_preemption(name):
    check_spec(HostSpec("h", **{name: 10_000}))
    assert problems(HostSpec("h", preempt=False, **{name: 10_000})) == [
        f"h.{name}: needs preempt=True, got preempt=False"
    ]


def test_a_host_says_how_its_lua_states_run():
    assert not HostSpec("h").has_own_states
    for options in (
        {"workers": 1}, {"isolation": "private"}, {"lua": "5.5"}, {"max_memory": 4_000_000}
    ):  # fmt: skip
        assert HostSpec("h", **options).has_own_states
    assert problems(HostSpec("h", workers=-1, isolation="open", lua="5", max_block=0)) == [
        "h.workers: must be a whole number, at least 0, got -1",
        'h.isolation: must be one of "shared", "private", got \'open\'',
        'h.lua: must be one of "5.4", "5.5", "jit", got \'5\'',
        "h.max_block: must be seconds, more than 0, got 0",
    ]


def test_specs_compare_and_evolve_and_are_frozen():
    spec = tree(labels={"a": "b"})
    assert spec == tree(labels={"a": "b"})
    assert attrs.evolve(spec, max_restarts=9) != spec
    assert attrs.evolve(spec.children[0], shutdown=2).shutdown == 2.0
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        spec.id = "other"


def test_what_was_given_may_change_later_without_the_spec_noticing():
    labels, children = {"a": "b"}, [ChildSpec("a", lua("m:m"))]
    spec = SupervisorSpec("s", labels=labels, children=children)
    labels["a"] = "c"
    children.clear()
    assert spec.labels == {"a": "b"}
    assert len(spec.children) == 1


def test_a_repr_is_the_call_without_defaults():
    spec = SupervisorSpec(
        "shop",
        strategy=Strategy.REST_FOR_ONE,
        max_seconds=5,
        children=[
            ChildSpec("stock", lua("shop:stock", {"widgets": 10}, host="h"), shutdown=BRUTAL_KILL),
            ChildSpec("feed", task(feed, "url"), backoff=Backoff(initial=2)),
            DynamicSupervisorSpec("pool", max_children=5),
        ],
    )
    assert repr(spec) == (
        "SupervisorSpec('shop', strategy=Strategy.REST_FOR_ONE, children=["
        "ChildSpec('stock', lua('shop:stock', {'widgets': 10}, host='h'), shutdown=BRUTAL_KILL), "
        "ChildSpec('feed', task(feed, 'url'), backoff=Backoff(initial=2.0)), "
        "ChildSpec('pool', DynamicSupervisorSpec('pool', max_children=5))])"
    )


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(["", "a", "permanent"]),
    st.lists(st.integers(), max_size=2), st.just({"a": None}),
    st.just(feed), st.just(object),
)  # fmt: skip
FIELDS = [f.name for f in attrs.fields(ChildSpec)]
SUPERVISOR_FIELDS = [f.name for f in attrs.fields(SupervisorSpec)][1:]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS), JUNK),
    st.dictionaries(st.sampled_from(SUPERVISOR_FIELDS), JUNK),
)
def test_any_junk_is_either_accepted_or_refused_by_path_and_never_crashes(fields, above):
    child = ChildSpec(**({"id": "a", "start": lua("m:m")} | fields))
    spec = SupervisorSpec(**({"id": "s", "children": [child]} | above))
    assert all(line.startswith(("s/", "s.")) for line in find_faults(spec))
