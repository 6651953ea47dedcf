"""Trees as plain data: there and back, all faults at once, and the schema that says the same."""

from __future__ import annotations

import json
import math
import tomllib
from contextlib import suppress

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
    check_spec,
    host_from_data,
    json_schema,
    lua,
    spec_from_data,
    spec_to_data,
    task,
)

TREE = """
id = "shop"
strategy = "rest_for_one"
max_seconds = 10

[[children]]
id = "stock"
start = { lua = "shop:stock", args = [{ widgets = 10 }], host = "app:processes" }
shutdown = "brutal_kill"
backoff = { initial = 0.5 }

[[children]]
id = "pool"
type = "dynamic_supervisor"
max_children = 100

[[children]]
id = "idle"
type = "supervisor"

[[children]]
id = "edge"
restart = "transient"
start = { id = "edge", children = [{ id = "feed", start = { task = "json:dumps", args = [1] } }] }
"""
SHOP = SupervisorSpec(
    "shop",
    strategy=Strategy.REST_FOR_ONE,
    max_seconds=10,
    children=[
        ChildSpec(
            "stock",
            lua("shop:stock", {"widgets": 10}, host="app:processes"),
            shutdown=BRUTAL_KILL,
            backoff=Backoff(initial=0.5),
        ),
        DynamicSupervisorSpec("pool", max_children=100),
        SupervisorSpec("idle"),
        ChildSpec(
            "edge",
            SupervisorSpec("edge", children=[ChildSpec("feed", task(json.dumps, 1))]),
            restart=Restart.TRANSIENT,
        ),
    ],
)

TEXT = st.text("abcd", min_size=1, max_size=4)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
SECONDS = st.sampled_from([0.25, 1.0, 5.0, 30.0])
LABELS = st.dictionaries(TEXT, TEXT, max_size=2)
STARTS = st.one_of(
    st.builds(lambda args: lua("a.b:c", *args), st.lists(PLAIN, max_size=2)),
    st.builds(lambda args: task(json.dumps, *args), st.lists(PLAIN, max_size=2)),
)
BACKOFFS = st.none() | st.builds(
    Backoff, initial=SECONDS, maximum=st.just(60.0), stable=SECONDS, jitter=st.floats(0, 1)
)
WORKERS = st.builds(
    ChildSpec,
    TEXT,
    STARTS,
    restart=st.sampled_from(Restart),
    shutdown=SECONDS | st.sampled_from([0.0, math.inf, BRUTAL_KILL]),
    start_timeout=SECONDS | st.just(math.inf),
    backoff=BACKOFFS,
    labels=LABELS,
)
POOLS = st.builds(
    DynamicSupervisorSpec,
    TEXT,
    max_restarts=st.integers(0, 9),
    max_children=st.integers(0, 9) | st.just(math.inf),
    extra_arguments=st.lists(PLAIN, max_size=2),
    labels=LABELS,
)


def supervisors(below):
    return st.builds(
        SupervisorSpec,
        TEXT,
        strategy=st.sampled_from(Strategy),
        max_restarts=st.integers(0, 9),
        max_seconds=SECONDS,
        auto_shutdown=st.sampled_from(AutoShutdown),
        children=st.lists(below, max_size=3, unique_by=lambda child: child.id),
        labels=LABELS,
    )


TREES = supervisors(st.recursive(WORKERS | POOLS, supervisors, max_leaves=4)) | POOLS


def problems(read, data):
    with pytest.raises(SpecError) as caught:
        read(data)
    return list(caught.value.problems)


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_a_tree_comes_back_equal_through_json(spec):
    check_spec(spec)
    data = spec_to_data(spec)
    assert spec_from_data(json.loads(json.dumps(data, allow_nan=False))) == spec


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_what_is_written_stays_within_the_schema(spec):
    definitions = json_schema()["$defs"]

    def walk(data, table):
        assert set(data) <= set(table["properties"])
        assert set(table["required"]) <= set(data)
        for child in data.get("children", ()):
            walk(
                child, definitions["child" if "start" in child else child.get("type", "supervisor")]
            )
        start = data.get("start", {})
        kind = next((key for key in ("lua", "task") if key in start), None)
        if start:
            walk(start, definitions[kind or start.get("type", "supervisor")])

    data = spec_to_data(spec)
    walk(data, definitions[data.get("type", "supervisor")])


def test_a_tree_is_read_from_toml():
    assert spec_from_data(tomllib.loads(TREE)) == SHOP


def test_what_is_written_leaves_out_defaults():
    assert spec_to_data(SHOP) == {**tomllib.loads(TREE), "max_seconds": 10.0}


def test_all_faults_of_a_file_come_at_once():
    data = tomllib.loads("""
        id = "shop"
        strategi = "one_for_all"
        strategy = "one_for_al"
        [[children]]
        id = "a"
        restrat = "permanent"
        start = { lua = "a b", hots = "h" }
        [[children]]
        start = { task = "json:nothing" }
        backoff = { facter = 2 }
        shutdown = "brutal_kil"
        [[children]]
        type = "dynamic_supervisr"
        id = "p"
        [[children]]
        id = "q"
        start = { loa = "a.b" }
        [[children]]
        id = "r"
    """)
    assert problems(spec_from_data, data) == [
        "shop.strategi: is not a key of a supervisor; did you mean 'strategy'?",
        (
            "shop.strategy: must be a Strategy (one_for_one, one_for_all, rest_for_one), "
            "got 'one_for_al'; did you mean 'one_for_all'?"
        ),
        "shop/a.restrat: is not a key of a child; did you mean 'restart'?",
        "shop/a.start.hots: is not a key of a Lua start; did you mean 'host'?",
        (
            'shop/a.start.lua: must be a Lua entry "<namespace>:<name>", '
            "such as \"shop:stock\", got 'a b'"
        ),
        "shop/children[1].id: is missing",
        (
            "shop/children[1].shutdown: must be seconds, at least 0, infinity or brutal_kill, "
            "got 'brutal_kil'; did you mean 'brutal_kill'?"
        ),
        "shop/children[1].backoff.facter: is not a key of a backoff; did you mean 'factor'?",
        (
            "shop/children[1].start.task: 'json:nothing' cannot be found: "
            "module 'json' has no attribute 'nothing'"
        ),
        (
            "shop/p.type: must be one of supervisor, dynamic_supervisor, got 'dynamic_supervisr'; "
            "did you mean 'dynamic_supervisor'?"
        ),
        "shop/q.start: must be lua(...), task(...) or a supervisor's spec, got {'loa': 'a.b'}",
        "shop/r.start: is missing",
    ]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "start", "children", "type", "lua", "task", "backoff", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(JUNK)
def test_any_junk_is_either_a_tree_or_refused_and_never_crashes(data):
    with suppress(SpecError):
        check_spec(spec_from_data(data))


def test_what_data_cannot_say_is_refused_by_path():
    spec = SupervisorSpec(
        "s",
        children=[
            ChildSpec("a", task(lambda: None)),
            ChildSpec("b", lua("m:m", [object])),
            DynamicSupervisorSpec("c", extra_arguments=[{1: 2}]),
        ],
    )
    faults = problems(spec_to_data, spec)
    assert [fault.split(": ")[0] for fault in faults] == [
        "s/a.start.task",
        "s/b.start.args[0][0]",
        "s/c.extra_arguments[0]",
    ]


def test_hosts_are_read_and_written_too():
    host = HostSpec("app:processes", max_mailbox=10)
    data = {"name": "app:processes", "max_mailbox": 10}
    assert spec_to_data(host) == data
    assert host_from_data(data) == host
    parallel = HostSpec("h", workers=2, isolation="private", lua="jit", max_block=0.5)
    assert host_from_data(spec_to_data(parallel)) == parallel
    assert problems(host_from_data, {"nme": "h"}) == [
        "host.nme: is not a key of a host; did you mean 'name'?",
        "host.name: is missing",
    ]


def test_the_schema_describes_every_field_and_refuses_others():
    definitions = json_schema()["$defs"]
    for table in definitions.values():
        assert table["additionalProperties"] is False
        described = {key for key, entry in table["properties"].items() if "description" in entry}
        assert described >= set(table["properties"]) - {"type", "lua", "task"}
    child = definitions["child"]
    assert child["required"] == ["id", "start"]
    assert child["properties"]["restart"]["default"] == "permanent"
    assert child["properties"]["ready"]["default"] is False
    # What a supervisor and a worker have by default differs, so the description says it.
    for key in ("shutdown", "start_timeout"):
        assert "default" not in child["properties"][key]
        assert "`math.inf` for a supervisor" in child["properties"][key]["description"]
    assert definitions["supervisor"]["properties"]["max_restarts"]["minimum"] == 0
    json.dumps(json_schema(), allow_nan=False)
