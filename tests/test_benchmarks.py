"""The benchmark harness: who runs, what is printed, and how figures become a verdict."""

import ast
import json
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import main
from benchmarks._contenders import CONTENDERS, ROOT
from benchmarks._stats import Summary, percentile, summarise
from benchmarks._table import OURS, render, verdict
from benchmarks._timing import Batches, Phases
from benchmarks._workloads import WORKLOADS, Plan, Row

FIGURES = r"[\d.,]+ / [\d.,]+"


def quick(*args):
    return main(["--quick", *args])


def fake_python(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_quick_run_measures_trio_and_prints_the_table(capsys, tmp_path):
    written = tmp_path / "out.json"

    assert quick("ping-pong", "--contender", "trio", "--json", str(written)) == 0

    out = capsys.readouterr().out
    assert re.search(r"\d+ cores", out)
    assert re.search(r"^trio: trio [\d.]+, Python", out, re.MULTILINE)
    assert re.search(rf"^ping-pong, per hop +µs +{FIGURES} +beam +- +3.5 +2$", out, re.MULTILINE)
    figures = json.loads(written.read_text())["results"]["ping-pong"]["trio"]["time"]
    assert 0 < figures["median"] <= figures["p99"] < 0.1


@pytest.mark.skipif(shutil.which("erlc") is None, reason="erlang is not installed")
def test_the_beam_compiles_its_programs_and_measures(capsys):
    assert quick("skynet", "--contender", "beam") == 0

    assert re.search(
        rf"^skynet 100k leaves, per run +ms +{FIGURES}", capsys.readouterr().out, re.MULTILINE
    )


@pytest.mark.skipif(shutil.which("erlc") is None, reason="erlang is not installed")
def test_the_beam_measures_supervision_against_its_goals(capsys):
    assert quick("restart", "crash-1k", "start-stop", "start-child", "--contender", "beam") == 0

    out = capsys.readouterr().out
    for row in (
        rf"restart after one crash.* µs +{FIGURES} +beam +- +12 +5",
        rf"restart driven by a process, per round +µs +{FIGURES} +-",
        rf"1,000 children crash at once.* ms +{FIGURES} +beam +- +2 +0.8",
        rf"start of a supervisor of 1,000 +ms +{FIGURES} +beam +- +8 +3",
        rf"stop of a supervisor of 1,000 +ms +{FIGURES} +beam +- +8 +3",
        rf"start of a dynamic child +µs +{FIGURES} +beam +- +10 +4",
    ):
        assert re.search(rf"^{row}$", out, re.MULTILINE)


def test_who_is_not_installed_is_skipped_with_the_way_to_install_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert quick("ping-pong", "--contender", "trio", "--contender", "beam") == 0

    out = capsys.readouterr().out
    assert "beam: not installed (apt-get install erlang-base)\n" in out
    assert re.search(r"^workload +unit +trio +ratio to", out, re.MULTILINE)


def test_an_interpreter_that_is_not_there_is_named(capsys):
    with pytest.raises(SystemExit):
        quick("ping-pong", "--contender", "trio", "--python", "trio=/nowhere/python")

    assert "trio: cannot run /nowhere/python: No such file" in capsys.readouterr().out


def test_a_contender_that_fails_is_reported_and_fails_the_command(capsys, tmp_path):
    python = fake_python(
        tmp_path / "python",
        """[ $# = 3 ] && echo '{"version": "x"}' || { echo boom >&2; exit 1; }""",
    )

    assert quick("ping-pong", "--contender", "trio", "--python", f"trio={python}") == 1

    out = capsys.readouterr().out
    assert re.search(r"^ping-pong, per hop +µs +failed", out, re.MULTILINE)
    assert "trio, ping-pong failed: boom\n" in out


def test_a_workload_that_makes_no_sense_for_a_contender_says_why(capsys):
    assert quick("nested", "--contender", "trio") == 0

    assert "trio, nested: tasks share the payload, nothing is copied" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["pong"], f"unknown workload 'pong'; known: {', '.join(WORKLOADS)}"),
        (["--contender", "akka"], f"unknown contender 'akka'; known: {', '.join(CONTENDERS)}"),
        (["--python", "akka=x"], f"unknown contender 'akka'; known: {', '.join(CONTENDERS)}"),
        (["--python", "trio"], "--python takes NAME=PATH, got 'trio'"),
        (["--runs", "0"], "--runs must be at least 1, got 0"),
    ],
)
def test_a_faulty_command_line_is_refused_with_what_would_do(args, message, capsys):
    with pytest.raises(SystemExit) as caught:
        main(args)

    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("contender", CONTENDERS)
def test_every_contender_does_each_workload_or_says_why_not(contender):
    module = ast.parse(Path(ROOT, "benchmarks", f"_{contender}.py").read_text())
    functions = {
        node.name
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    [refused] = [
        {key.value for key in node.value.keys}
        for node in module.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and "NOT_APPLICABLE" in ast.unparse(node)
    ]

    known = {n: w for n, w in WORKLOADS.items() if contender == OURS or not w.ours}
    assert {name for name, w in known.items() if w.function not in functions} <= refused
    assert refused <= set(known)


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda workload: workload.name)
def test_a_tenth_of_every_size_is_a_whole_number_of_rounds(workload):
    unit = {"ring": 1000, "fan-in": 100, "ping-pong": 2, "nested": 2}.get(workload.name, 1)

    for size in (workload.size, workload.quick_size):
        assert size // 10 >= unit
        assert size // 10 % unit == 0


@pytest.mark.parametrize(
    ("ours", "met"), [(2.0, "aim"), (2.1, "reach"), (3.5, "reach"), (3.6, "no")]
)
def test_the_verdict_compares_our_median_with_the_base(ours, met):
    row = Row("time", "hop", "µs", "beam", reach=3.5, aim=2)

    found = verdict(row, {"supervise": summarise([ours]), "beam": summarise([1.0])})

    assert (found.ratio, found.met) == (ours, met)


@pytest.mark.parametrize(("seconds", "met"), [(0.002, "aim"), (0.003, "reach"), (0.006, "no")])
def test_a_goal_without_a_base_is_for_our_figure_itself(seconds, met):
    row = Row("p99", "delay", "ms", None, reach=5, aim=2)

    assert verdict(row, {"supervise": summarise([seconds])}).met == met


@pytest.mark.parametrize(("ours", "met"), [(1.95, "aim"), (1.7, "reach"), (1.6, "no")])
def test_more_is_better_where_the_aim_is_above_the_reach(ours, met):
    row = Row("ratio", "speed", "x", None, 1.7, 1.9)

    assert verdict(row, {"supervise": summarise([ours])}).met == met


def test_lua_states_are_measured_against_their_goals(capsys):
    names = ("across-states", "two-states", "private-states", "crashes")
    assert quick(*names, "--contender", "supervise", "--contender", "trio") == 0

    out = capsys.readouterr().out
    for row in (
        rf"fan-in from another Lua state, per message +µs +{FIGURES} +- +itself +[\d.]+ +4 +2 ",
        rf"computing in 2 Lua states, .* x +{FIGURES} +- +itself +[\d.]+ +1.7 +1.9 ",
        rf"spawn of a private state, time each +µs +{FIGURES} +- +itself +[\d.]+ +400 +150 ",
        rf"private states, resident memory each +KB +{FIGURES} +- +itself +[\d.]+ +120 +60 ",
        rf"memory after 100,000 crashes, .* x +{FIGURES} +- +itself +[\d.]+ +1.05 +1 ",
    ):
        assert re.search(rf"^{row}", out, re.MULTILINE)
    assert "others, two-states: our own Lua states\n" in out


def test_preemption_is_measured_against_its_goals(capsys):
    assert quick("preemption", "computing", "--contender", "supervise") == 0

    out = capsys.readouterr().out
    for row in ("slowdown of fan-in by preemption +x", "oversleeping beside 4 .*, p99 +ms"):
        assert re.search(rf"^{row} +{FIGURES} +itself +[\d.]+ ", out, re.MULTILINE)


def test_the_table_has_a_line_for_every_row_that_somebody_measured():
    spawn = WORKLOADS["spawn-10k"]
    results = {
        "spawn-10k": {
            "supervise": {"time": Summary(4e-6, 5e-6, 3), "rss": Summary(2000, 2100, 3)},
            "beam": {"time": Summary(2e-6, 2.5e-6, 3), "rss": Summary(2500, 2500, 3)},
        }
    }

    lines = render([spawn], ["supervise", "beam"], results).splitlines()

    assert [line.split("  ")[0] for line in lines[2:]] == [
        "spawn 10k, time each",
        "spawn 10k, resident memory each",
    ]
    assert re.search(r"4\.00 / 5\.00 +2\.00 / 2\.50 +beam +2\.00 +4 +2 +aim$", lines[2])
    assert re.search(r"2,000 / 2,100 +2,500 / 2,500 +beam +0\.80 +1\.2 +0\.8 +aim$", lines[3])


@given(st.lists(st.integers(), min_size=1), st.floats(0.1, 100))
def test_a_percentile_is_the_smallest_sample_that_covers_its_share(samples, percent):
    found = percentile(samples, percent)

    def share(limit):
        return sum(sample <= limit for sample in samples) * 100 / len(samples)

    assert found in samples
    assert share(found) >= percent * (1 - 1e-12)
    assert all(share(sample) < percent for sample in samples if sample < found)


@pytest.mark.parametrize(("seconds", "expected"), [(60.0, [1, 10, 10, 10]), (0.0, [1, 10])])
def test_batches_warm_up_once_and_stop_at_their_number_or_their_time(seconds, expected):
    batches = Batches(Plan(size=10, batches=3, seconds=seconds, scratch=""))

    assert list(batches) == expected
    assert len(batches.samples(per=10)["time"]) == len(expected) - 1


def test_phases_time_their_parts_of_all_batches_but_the_first(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr("benchmarks._timing.time.perf_counter", lambda: float(next(now)))
    phases = Phases(Plan(size=10, batches=2, seconds=60.0, scratch=""))

    for _ in phases:
        with phases.timed("start"):
            next(now)
        with phases.timed("stop"):
            pass

    assert phases.samples(per=2) == {"start": [1.0, 1.0], "stop": [0.5, 0.5]}
