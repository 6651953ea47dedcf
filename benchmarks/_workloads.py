"""What is measured, in which unit, against whom. Knows no contender's code."""

from __future__ import annotations

from dataclasses import dataclass

RING = 1000  # members of the ring
SENDERS = 100  # of the fan-in
FAN_OUT = 10  # children of each inner node of skynet


@dataclass(frozen=True)
class Plan:
    """How much one subprocess does.

    Attributes:
        size: Operations a batch (hops, messages, processes, calls).
        batches: Timed batches at most, after one warm-up batch of `size // 10`.
        seconds: No new batch starts after this long.
        scratch: A directory for compiled programs, shared by all subprocesses of a session.
    """

    size: int
    batches: int
    seconds: float
    scratch: str


@dataclass(frozen=True)
class Row:
    """One line of the table: one metric of a workload.

    Attributes:
        metric: Key of the samples: `rss`, `own` and `all` in bytes, the others in seconds, per
            operation.
        label: What the reader sees.
        unit: `µs`, `ms`, `bytes`, `KB`, `MB`, or `x` for a ratio.
        base: The contender that our ratio is taken against; none if the goals are for our figure
            itself.
        reach: The ratio to reach, `None` where none is set.
        aim: The ratio to aim for; above `reach` where more is better.
    """

    metric: str
    label: str
    unit: str
    base: str | None = "beam"
    reach: float | None = None
    aim: float | None = None


@dataclass(frozen=True)
class Workload:
    """A named piece of work that every contender does in its own way.

    Attributes:
        name: What the command line takes.
        function: The function of that name in each contender's module does it.
        size: Operations a batch.
        quick_size: The same for `--quick`; `// 10` of either is a valid size too.
        rows: The lines it fills.
        ours: Why it makes no sense for anybody else, if so.
    """

    name: str
    function: str
    size: int
    quick_size: int
    rows: tuple[Row, ...]
    ours: str = ""


def _spawn(name: str, label: str, size: int, quick_size: int, *more: Row) -> Workload:
    return Workload(
        name,
        "spawn",
        size,
        quick_size,
        (
            Row("time", f"{label}, time each", "µs", reach=4, aim=2),
            Row("rss", f"{label}, resident memory each", "bytes", reach=1.2, aim=0.8),
            Row("own", f"{label}, memory each by own count", "bytes"),
            *more,
        ),
    )


def _timed(name: str, row: Row, size: int, quick_size: int) -> Workload:
    return Workload(name, name.replace("-", "_"), size, quick_size, (row,))


def _crash_all(name: str, children: int, reach: float, aim: float) -> Workload:
    label = f"{children:,} children crash at once, until all are back"
    row = Row("time", label, "ms", reach=reach, aim=aim)
    return Workload(name, "crash_all", children, 100, (row,))


# The BEAM and triotp read the clock in the child as it crashes and in its replacement as it begins.
# A Lua process cannot, as its clock stands still during a step: ours is a little more, from the
# step in which it crashes until the start of its replacement returns. Rounds include two messages.
_RESTART = (
    Row("time", "restart after one crash, to the first instruction", "µs", reach=12, aim=5),
    Row("round", "restart after one crash, round from Python", "µs"),
    Row("driven", "restart driven by a process, per round", "µs"),
)
_PREEMPTION = tuple(
    Row(metric, f"slowdown of {label} by preemption", "x", None, 1.15, 1.05)
    for metric, label in (("ping_pong", "ping-pong"), ("ring", "a ring"), ("fan_in", "fan-in"))
)
_START_STOP = (
    Row("start", "start of a supervisor of 1,000", "ms", reach=8, aim=3),
    Row("stop", "stop of a supervisor of 1,000", "ms", reach=8, aim=3),
)
_IDLE = Row("all", "100,000 idle processes, resident memory", "MB", None, 300, 220)
_ACROSS = Row("time", "fan-in from another Lua state, per message", "µs", None, 4, 2)
_SPEEDUP = Row("ratio", "computing in 2 Lua states, as fast as in one", "x", None, 1.7, 1.9)
_PRIVATE = (
    Row("time", "spawn of a private state, time each", "µs", None, 400, 150),
    Row("rss", "private states, resident memory each", "KB", None, 120, 60),
)
# A million are an hour's worth: `python -m benchmarks._run supervise crashes --size 1000000`.
_CRASHES = Row("growth", "memory after 100,000 crashes, as after 10,000", "x", None, 1.05, 1)
# A millisecond is a thousand schedules a second.
_SCHEDULES = (
    Row("time", "simulation of a fault schedule of ten children", "ms"),
    Row("step", "step of a process in a simulation", "µs"),
)

_STATES = "our own Lua states"

WORKLOADS = {
    workload.name: workload
    for workload in (
        _spawn("spawn-10k", "spawn 10k", 10_000, 100),
        _spawn("spawn-100k", "spawn 100k", 100_000, 1_000, _IDLE),
        _timed("ping-pong", Row("time", "ping-pong, per hop", "µs", "beam", 3.5, 2), 50_000, 200),
        _timed(
            "ping-pong-jit",
            Row("time", "ping-pong on LuaJIT, per hop", "µs", "beam", 1.5, 0.8),
            100_000,
            200,
        ),
        _timed("ring", Row("time", "ring of 1000, per hop", "µs", "beam", 3.5, 2), 50_000, 10_000),
        _timed(
            "fan-in",
            Row("time", "fan-in 100 x 1000, per message", "µs", "beam", 3, 1.5),
            100_000,
            1_000,
        ),
        _timed("nested", Row("time", "nested payload, per hop", "µs", "beam", 8, 4), 20_000, 200),
        _timed(
            "skynet",
            Row("time", "skynet 100k leaves, per run", "ms", "beam", 4, 1.5),
            100_000,
            1_000,
        ),
        Workload("restart", "restart", 50, 10, _RESTART),
        _crash_all("crash-1k", 1_000, reach=2, aim=0.8),
        _crash_all("crash-10k", 10_000, reach=0.5, aim=0.2),
        Workload("start-stop", "start_stop", 1_000, 20, _START_STOP),
        _timed(
            "start-child", Row("time", "start of a dynamic child", "µs", "beam", 10, 4), 1_000, 20
        ),
        _timed("python-call", Row("time", "Python call and back", "µs", "trio", 2, 1), 5_000, 100),
        _timed(
            "busy-neighbour",
            Row("time", "a turn of trio.sleep(0) beside a busy process or task", "ms", "trio"),
            500,
            20,
        ),
        Workload("preemption", "preemption", 10_000, 10_000, _PREEMPTION, "our own, on and off"),
        Workload(
            "computing",
            "computing",
            200,
            10,
            (Row("p99", "oversleeping beside 4 computing processes, p99", "ms", None, 5, 2),),
        ),
        Workload("across-states", "across_states", 100_000, 1_000, (_ACROSS,), _STATES),
        Workload("two-states", "two_states", 1_000_000, 1_000, (_SPEEDUP,), _STATES),
        Workload("private-states", "private_states", 200, 10, _PRIVATE, _STATES),
        Workload("crashes", "crashes", 100_000, 100, (_CRASHES,), "our own, early and late"),
        Workload("schedules", "schedules", 200, 20, _SCHEDULES, "our own simulations"),
        _timed(
            "cold-start", Row("time", "cold start to first message", "ms", "trio", 1.5, 1.2), 10, 10
        ),
    )
}


def nested_payload() -> dict[str, list[int]]:
    """Ten keys, each with a list of ten."""
    return {f"k{key}": list(range(1, 11)) for key in range(1, 11)}


def check_count(done: object, expected: int) -> None:
    """Refuse figures of a batch that did not do what it was asked to.

    Raises:
        RuntimeError: The counts differ.
    """
    if done != expected:
        raise RuntimeError(f"a batch of {expected} reported {done!r}")


def leaves_sum(leaves: int) -> int:
    """What skynet must come to: the sum of the numbers of its leaves."""
    return leaves * (leaves - 1) // 2
