"""Trees on the command line: what `run` and `check` make of them, and what is shown meanwhile."""

import io
import json
import logging
import os
import re
import signal
import sys
from pathlib import Path

import click
import pytest
import trio
from rich.console import Console

from lua_api import Fault
from specs import ExitKind, ExitReason
from supervise import (
    Backoff,
    ChildAdded,
    ChildExited,
    ChildSpec,
    ChildStarted,
    ChildStarting,
    ChildState,
    DynamicSupervisorSpec,
    Restart,
    RestartLimitReached,
    Strategy,
    SupervisorSpec,
    Unstoppable,
    task,
)
from supervise._cli import main
from supervise._cli_tree import run_tree
from supervise._draw import MOST, render_tree
from supervise._show import News, duration, last_words
from tests.command_line import working_in
from tests.trees import child, forever, root, told, trees_node

LUA = {
    "shop/wait": "process.events():receive()",
    "shop/ends": "print('till', ...)",
    "shop/later": "time.sleep('1s')",
    "shop/fails": "local wait, why = ...\n  time.sleep(wait)\n  error(why)",
    "shop/spawns": "process.spawn('shop:fails', 'app:processes', '1ms', 'aside')\n  time.sleep('1s')",
}
TASKS = """
import os, select, signal, sys, trio

async def interrupts():
    signal.raise_signal(signal.SIGINT)
    await waits("first")

async def waits(name):
    try:
        await trio.sleep_forever()
    finally:
        print(name, "asked")

async def asks(number):
    await trio.sleep(61)
    signal.raise_signal(number)
    await trio.sleep(1)

async def types(terminal):
    for line in b"x\\n", b"t\\n":
        await trio.sleep(61)
        os.write(terminal, line)
        select.select([sys.stdin], [], [], 10)  # the system takes its time to bring it
    await trio.sleep(1)

async def shields(seconds):
    with trio.CancelScope(shield=True):
        await trio.sleep(seconds)

async def fails():
    await trio.sleep(1)
    raise ValueError("no change")
"""
PID = r"\{app:processes\|0x[0-9a-f]+\}"
ENDS = {"auto_shutdown": "any_significant"}
LAST = {"restart": "transient", "significant": True}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A folder with Lua files and tasks, and a function that writes a tree there as JSON."""

    def write(path, content):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))

    for name, body in LUA.items():
        write(
            f"lua/{name}.lua", f"local function main(...)\n  {body}\nend\nreturn {{ main = main }}"
        )
    write("lua/tasks.py", TASKS)
    with working_in(tmp_path, monkeypatch):
        yield write


def tree(*children, **fields):
    return {"id": "top", "source": "lua", "children": children, **fields}


def lua(id_, entry, *args, **fields):
    return {"id": id_, "start": {"lua": entry, "args": args}, **fields}


def python(id_, function, *args, **fields):
    return {"id": id_, "start": {"task": f"tasks:{function}", "args": args}, **fields}


# Check


def test_a_tree_without_faults_is_counted(write, capsys):
    write(
        "app/tree.toml",
        """
        id = "top"
        source = ["../lua"]
        [[hosts]]
        name = "app:small"
        max_processes = 10
        [[children]]
        id = "a"
        start = {lua = "shop:wait", host = "app:small"}
        [[children]]
        id = "below"
        children = [{id = "b", start = {task = "tasks:waits", args = ["b"]}}]
        [[children]]
        type = "dynamic_supervisor"
        id = "pool"
        """,
    )

    assert main(["check", "app/tree.toml"]) == 0

    assert capsys.readouterr().out == "3 supervisors and 2 children: no faults\n"


def test_the_sources_of_a_tree_are_those_that_the_command_says(write, capsys):
    write("tree.json", tree(lua("a", "shop:wait"), source="nowhere"))

    assert main(["check", "tree.json", "--source", "lua"]) == 0

    assert capsys.readouterr().out == "1 supervisor and 1 child: no faults\n"


def test_the_sources_of_a_tree_are_next_to_it_by_default(write, capsys):
    write("lua/tree.json", {"id": "top", "children": [lua("a", "shop:wait")]})

    assert main(["check", "lua/tree.json"]) == 0

    assert capsys.readouterr().err == ""


FAULTS = [
    (tree(lua("a", "shop:wiat")), 'top/a.start.lua: entry not found: "shop:wiat"'),
    (tree(lua("a", "shop:wiat")), "did you mean shop:wait?"),
    (tree(lua("a", 7)), 'top/a.start.lua: must be a Lua entry "<namespace>:<name>"'),
    (tree(lua("a", "wait")), 'top/a.start.lua: must be a Lua entry "<namespace>'),
    (
        tree({"id": "below", "children": [lua("a", "shop:no")]}),
        'top/below/a.start.lua: entry not found: "shop:no"',
    ),
    (tree(python("a", "wait")), "top/a.start.task: 'tasks:wait' cannot be found"),
    (
        tree({"id": "a", "start": {"task": "broken:main"}}),
        "top/a.start.task: 'broken:main' cannot be imported: ZeroDivisionError: division by zero",
    ),
    (
        tree({"id": "a", "start": {"lua": "shop:wait", "host": "app:process"}}),
        "top/a.start.host: 'app:process' is none of the tree's hosts (app:processes); "
        "did you mean app:processes?",
    ),
    (
        tree(hosts=[{"name": "h", "max_mailbox": 0}]),
        "hosts[0] h.max_mailbox: must be a whole number, at least 1, got 0",
    ),
    (tree(hosts=[{"name": "h"}, {"name": "h"}]), "hosts[1] h: is the name of another host too"),
    (tree(hosts=["h"]), "hosts: must be a list of tables, each of a host, got ['h']"),
    (tree(hosts=[]), "hosts: must be a list of tables"),
    (tree(source="lau"), "source: must be a folder, or a list of folders, got 'lau'"),
    (tree(source=["lua", 1]), "source: must be a folder, or a list of folders, got 1"),
    (tree(sources="lua"), "top.sources: is not a key of a supervisor"),
    ("[]", "must be one JSON object, the root of the tree, got []"),
    ("{", "not JSON: Expecting property name"),
]


@pytest.mark.parametrize(("content", "fault"), FAULTS)
def test_a_fault_of_a_tree_has_its_path(write, capsys, content, fault):
    write("lua/broken.py", "1 / 0")
    write("tree.json", content)

    assert main(["check", "tree.json"]) == 1

    out = capsys.readouterr().out
    assert out.startswith("tree.json: ")
    assert fault in out
    assert out.count("\n") == 1


def test_all_faults_of_a_tree_are_told_at_once_in_their_order(write, capsys):
    write(
        "tree.json",
        tree(
            lua("a", "shop:no", shutdown=-1),
            python("b", "no"),
            lua("c", "shop:no"),
            hosts=[{}],
            source="no",
            strategy="all",
        ),
    )

    assert main(["check", "tree.json"]) == 1

    assert re.findall(r"^tree\.json: (\S+?):? ", capsys.readouterr().out, re.MULTILINE) == [
        "source",
        "hosts[0]",
        "top.strategy",
        "top/a.shutdown",
        "top/a.start.lua",
        "top/b.start.task",
        "top/c.start.lua",
    ]


def test_a_syntax_error_has_its_line(write, capsys):
    write("tree.toml", 'id = "top"\nchildren = \n')

    assert main(["check", "tree.toml"]) == 1

    assert re.match(r"tree\.toml: not TOML: .*line 2", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "no.toml"], "cannot read no.toml: No such file"),
        (["run", "no.json"], "cannot read no.json: No such file"),
        (["run", "tree.json", "x"], "a tree takes no arguments, got x"),
        (["run", "planned", "x"], "a tree takes no arguments, got x"),
        (["run", "odd"], "no SPEC of a supervisor"),
    ],
)
def test_what_cannot_be_run_or_checked_as_asked_is_exit_code_2(write, capsys, arguments, message):
    write("tree.json", tree())
    write("planned.py", "import specs\nSPEC = specs.SupervisorSpec('top')")
    write("odd.py", "SPEC = 1")

    assert main(arguments) == 2

    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


# Run


def test_a_tree_runs_until_it_ends(write, capsys):
    write("tree.json", tree(lua("a", "shop:wait"), lua("b", "shop:ends", 7, **LAST), **ENDS))

    assert main(["run", "tree.json"]) == 0

    out, err = capsys.readouterr()
    assert re.fullmatch(rf"{PID} till\t7\n", out)
    assert err == ""


def test_crashes_and_restarts_are_told_as_they_happen_and_then_why_the_tree_gave_up(write, capsys):
    write(
        "tree.json",
        tree(
            lua("a", "shop:fails", "12s", "boom", backoff={"initial": 2, "jitter": 0}),
            max_restarts=1,
            max_seconds=60,
        ),
    )

    assert main(["run", "tree.json"]) == 1

    crash = (
        rf"top/a {PID} crashed after 12 s: lua/shop/fails\.lua:4: boom\n"
        r"stack traceback:\n(\t.*\n)*"
    )
    err = capsys.readouterr().err
    assert "fails.lua:4: in function" in err
    assert re.fullmatch(
        crash
        + r"top/a restarts in 2\.0 s\n"
        + rf"top/a restarted as {PID}\n"
        + crash
        + r"top gave up on a: more than 1 restart within 60 s\n"
        r"supervise: top gave up on a: more than 1 restart within 60 s; last, top/a crashed: "
        r"lua/shop/fails\.lua:4: boom\n",
        err,
    )


def test_a_python_child_that_crashes_is_told_with_the_lines_of_the_user(write, capsys):
    write("tree.json", tree(python("a", "fails"), max_restarts=0))

    assert main(["run", "tree.json"]) == 1

    err = capsys.readouterr().err
    assert re.match(
        r"top/a \{python\|\w+\} crashed after 1\.0 s: ValueError: no change\n"
        r'Traceback .*\n  File ".*tasks\.py", line \d+, in fails\n',
        err,
    )
    assert "_task_child" not in err


def test_a_child_that_does_not_start_is_told_and_is_the_one_error_of_the_run(write, capsys):
    write("lua/shop/bad.lua", "x = = 1")
    write("tree.json", tree(lua("a", "shop:bad")))

    assert main(["run", "tree.json"]) == 1

    assert re.fullmatch(
        r"top/a did not start: .*lua/shop/bad\.lua:1: unexpected symbol.*\n"
        r"supervise: top/a did not start \(error: .*lua/shop/bad\.lua:1: unexpected symbol.*\)\n",
        capsys.readouterr().err,
    )


def test_the_failure_of_a_process_without_a_supervisor_is_told(write, capsys):
    write("tree.json", tree(lua("a", "shop:spawns", **LAST), **ENDS))

    assert main(["run", "tree.json"]) == 0

    assert re.match(
        rf"{PID} shop:fails failed: lua/shop/fails\.lua:4: aside\nstack traceback:",
        capsys.readouterr().err,
    )


def test_a_faulty_tree_is_not_run(write, capsys):
    write("tree.json", tree(lua("a", "shop:no", shutdown=-1), lua("b", "shop:ends")))

    assert main(["run", "tree.json"]) == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(": ")[:3] for line in err.splitlines()] == [
        ["supervise", "tree.json", "top/a.shutdown"],
        ["supervise", "tree.json", "top/a.start.lua"],
    ]


def test_ctrl_c_stops_the_tree_in_order(write, capsys):
    write("tree.json", tree(python("b", "waits", "second"), python("a", "interrupts")))

    assert main(["run", "tree.json"]) == 130

    assert capsys.readouterr() == ("first asked\nsecond asked\n", "")


def test_sigterm_is_no_failure(write, capsys):
    write("lua/tasks.py", TASKS.replace("SIGINT", "SIGTERM"))
    write("tree.json", tree(python("a", "interrupts")))

    assert main(["run", "tree.json"]) == 0

    assert capsys.readouterr() == ("first asked\n", "")


def test_whoever_reads_the_output_may_leave_and_the_tree_stops_in_order(write, capsys, monkeypatch):
    def echo(*_args, **_options):
        raise BrokenPipeError

    write("tree.json", tree(python("a", "waits", "a"), lua("b", "shop:ends", restart="transient")))
    monkeypatch.setattr(click, "echo", echo)

    with pytest.raises(BrokenPipeError):
        run_tree(Path("tree.json"), None)

    assert capsys.readouterr().out == "a asked\n"


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("", r"\{app:processes\|\w+\} till\t7\n"),
        ("async def main():\n    print('main', SPEC.id)\n", "main top\n"),
    ],
    ids=["alone", "beside a main"],
)
def test_a_module_without_a_main_is_run_as_its_spec(write, capsys, text, out):
    write(
        "lua/planned.py",
        "from supervise import *\n"
        "SPEC = SupervisorSpec('top', auto_shutdown=AutoShutdown.ANY_SIGNIFICANT, children=[\n"
        "    ChildSpec('a', lua('shop:ends', 7), restart=Restart.TRANSIENT, significant=True)])\n"
        + text,
    )

    assert main(["run", "planned", "--source", "lua"]) == 0

    assert re.fullmatch(out, capsys.readouterr().out)


def test_the_faults_of_a_spec_are_told(write, capsys):
    write(
        "planned.py",
        "from supervise import *\n"
        "SPEC = SupervisorSpec('top', max_restarts=-1, children=[ChildSpec('a', lua('no:no'))])",
    )

    assert main(["run", "planned"]) == 1

    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["supervise", "top.max_restarts"],
        ["supervise", "top/a.start.lua"],
    ]


def test_what_the_end_waits_for_is_told(write, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging.getLogger("supervise"), "handlers", [])
    last = lua("b", "shop:later", **LAST)
    write("tree.json", tree(python("a", "shields", 60, shutdown=2), last, **ENDS))

    assert main(["run", "tree.json"]) == 0

    err = capsys.readouterr().err
    assert len(re.findall(r"^top/a .* does not stop and was given up", err, re.MULTILINE)) == 1
    told = "top/a swallows its cancellation: the node's block cannot end before it does"
    assert len(re.findall(f"^{told}", err, re.MULTILINE)) == 1
    assert "in shields\n    await trio.sleep(seconds)\n" in err.partition(told)[2]


# The tree on demand


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGUSR1")
def test_sigusr1_shows_the_tree(write, capsys):
    asks = python("b", "asks", int(signal.SIGUSR1), **LAST)
    write("tree.json", tree(lua("a", "shop:wait"), asks, **ENDS))

    assert main(["run", "tree.json"]) == 0

    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(
        r"top  one_for_one  \{supervisor\|\w+\}  up 1 min 1 s *\n"
        rf"├── a  running  {PID}  up 1 min 1 s *\n"
        r"└── b  running  \{python\|\w+\}  up 1 min 1 s *\n",
        err,
    )


@pytest.fixture
def terminal(monkeypatch):
    """Standard input is a terminal; this is its other side."""
    ours, theirs = os.openpty()
    with open(theirs) as stdin, monkeypatch.context() as patch:  # noqa: PTH123 - a descriptor
        patch.setattr(sys, "stdin", stdin)
        yield ours
    os.close(ours)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_t_and_enter_on_a_terminal_shows_the_tree_and_no_other_line_does(write, capsys, terminal):
    write("tree.json", tree(python("b", "types", terminal, **LAST), **ENDS))

    assert main(["run", "tree.json"]) == 0

    assert re.findall(r"top .* up (.*?) *\n", capsys.readouterr().err) == ["2 min 2 s"]


def drawn(supervisor, now):
    console = Console(file=io.StringIO(), width=120)
    console.print(render_tree(supervisor, now))
    text = re.sub(r"\{(\w+).*?\}", r"{\1}", console.file.getvalue())
    return [line.rstrip() for line in text.splitlines()]


async def test_the_drawing_has_states_pids_uptimes_and_restarts():
    spec = root(
        child("a", "s:told"),
        child("b", "s:told", backoff=Backoff(initial=9)),
        SupervisorSpec(
            "below",
            strategy=Strategy.REST_FOR_ONE,
            children=[child("c"), ChildSpec("d", task(forever))],
        ),
        DynamicSupervisorSpec("pool", name="pool"),
    )
    async with trees_node() as node:
        top = await node.start(spec)
        await node.supervisor("pool").start_child(child("x[1]", name=None))
        await top.terminate_child("below")
        await trio.sleep(60)
        for _ in range(2):
            node.send("a", "end", "boom")
            await trio.sleep(1)
        await top.restart_child("below")
        node.send("b", "end", "boom")
        await trio.sleep(1)

        assert drawn(top, trio.current_time() + 3600) == [
            "root  one_for_one  {supervisor}  up 1 h 1 min",
            "├── a  running  {app}  up 1 h 0 min  2 restarts",
            "├── b  waiting",
            # `restart_child` is no restart of the supervisor's own.
            "├── below  rest_for_one  running  {supervisor}  up 1 h 0 min",
            "│   ├── c  running  {app}  up 1 h 0 min",
            "│   └── d  running  {python}  up 1 h 0 min",
            "└── pool  dynamic  running  {supervisor}  up 1 h 1 min",
            "    └── x[1] #1  running  {app}  up 1 h 1 min",
        ]


async def test_a_tree_is_drawn_while_it_starts():
    spec = root(SupervisorSpec("below", children=[child("a", "s:ready", ready=True)]), child("b"))
    async with trees_node() as node, trio.open_nursery() as nursery:
        nursery.start_soon(node.start, spec)
        await trio.sleep(2)

        (top,) = node.trees()
        assert drawn(top, trio.current_time()) == [
            "root  one_for_one  {supervisor}  up 2.0 s",
            "├── below  one_for_one  starting",
            "│   └── a  starting",
            "└── b  waiting",
        ]
        node.send("a", "go")


async def test_of_many_children_some_are_drawn_and_the_others_counted():
    async with trees_node() as node:
        pool = await node.start(DynamicSupervisorSpec("pool"))
        for _ in range(MOST + 2):
            await pool.start_child(child("x", name=None))
        lines = drawn(pool, trio.current_time())
        assert len(lines) == 1 + MOST + 1
        assert lines[-1] == "└── and 2 more, 2 of them up"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (59.9, "59 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86400 * 2 + 3600 * 5, "2 d 5 h"),
    ],
)
def test_times_are_told_in_the_units_that_matter(seconds, words):
    assert duration(seconds) == words


# News


async def news_of(spec, *sends):
    """What is told when a tree starts, its children get messages, and it stops."""
    news = News()
    async with trees_node() as node:
        with node.subscribe() as events:
            top = await node.start(spec)
            for dest, payload in sends:
                node.send(dest, "end", payload)
                await trio.sleep(1)
            await top.stop()
            told_ = []
            while True:
                try:
                    told_.append(news.tell(events.receive_nowait()))
                except trio.WouldBlock:
                    break
    texts = [re.sub(r"\{.*?\}", "{}", text) for text in told_ if text is not None]
    return [text.splitlines()[0] for text in texts]


@pytest.mark.parametrize(
    ("spec", "sends", "lines"),
    [
        (root(child("a", "s:told")), [], []),
        (root(child("a", "s:told")), [("a", False)], ["root/a restarted as {}"]),
        (
            root(child("a", "s:told"), child("b"), strategy=Strategy.ONE_FOR_ALL),
            [("a", "boom")],
            [
                "root/a {} crashed after 0.0 s: boom",
                "root/a restarted as {}",
                "root/b restarted as {}",
            ],
        ),
        (
            root(SupervisorSpec("below", children=[child("a", "s:told")], max_restarts=0)),
            [("a", "boom")],
            [
                "root/below/a {} crashed after 0.0 s: boom",
                "root/below gave up on a: more than 0 restarts within 5 s",
                "root/below restarted as {}",
            ],
        ),
        (
            root(child("a", "s:deaf", shutdown=1)),
            [],
            ["root/a {} was killed after 1.0 s, while it was being stopped"],
        ),
        (
            root(ChildSpec("a", task(told), name="a"), child("b", "s:fails_late")),
            [("a", "two\nlines")],
            [
                "root/a {} crashed after 0.0 s: RuntimeError: two lines",
                "root/a restarted as {}",
                "root/b {} crashed after 1.0 s, while it was being stopped: while stopping",
            ],
        ),
    ],
)
async def test_failures_and_returns_are_news_and_what_is_in_order_is_not(spec, sends, lines):
    assert await news_of(spec, *sends) == lines


def test_a_child_that_was_given_up_is_told_with_where_it_is():
    exited = ChildExited(
        1,
        0.0,
        "top",
        "",
        "a",
        1,
        ExitReason(ExitKind.KILLED, Unstoppable("here\n")),
        3.0,
        ChildState.STOPPED,
    )
    news = News()
    for event in (
        ChildAdded(1, 0.0, "top", "", "a", 0, Restart.PERMANENT, False),
        ChildStarting(2, 0.0, "top", 1, "a", 1),
        ChildStarted(3, 0.0, "top", 2, "a", 1, "{x|1}"),
    ):
        assert news.tell(event) is None
    assert (
        news.tell(exited)
        == "top/a {x|1} does not stop and was given up after 3.0 s; it is at\nhere"
    )


def test_the_last_words_name_the_failure_that_began_it():
    crash = ExitReason(ExitKind.ERROR, Fault("boom", stack="stack"))
    inner = RestartLimitReached("top/below", "a", crash, (1.0,), 0, 5.0)
    outer = RestartLimitReached("top", "below", ExitReason(ExitKind.ERROR, inner), (1.0,), 1, 2.5)
    assert (
        last_words(outer) == "top gave up on below: more than 1 restart within 2.5 s; "
        "last, top/below/a crashed: boom"
    )
