"""The command `supervise`: what it shows, where, and with which exit code."""

import re
import signal
import subprocess
import sys

import pytest

from supervise._cli import main
from tests.command_line import working_in

PID = r"\{app:processes\|0x[0-9a-f]+\}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to give commands in."""
    with working_in(tmp_path, monkeypatch):
        yield tmp_path


@pytest.fixture
def write(folder):
    def write(path, text):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write


def lua(body):
    return f"local function main(...)\n{body}\nend\nreturn {{ main = main }}\n"


# Help


@pytest.mark.parametrize(
    ("arguments", "example"),
    [
        ([], "supervise run specs.examples.worker_pool"),
        (["--help"], "supervise check lua"),
        (["run", "-h"], "supervise run app.jobs:mail alice"),
        (["check", "--help"], "supervise check lua"),
    ],
)
def test_help_shows_examples(capsys, arguments, example):
    assert main(arguments) == 0
    assert example in capsys.readouterr().out


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"supervise-lua \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["walk"], "No such command 'walk'"),
        (["run"], "Missing argument 'TARGET'"),
        (["run", "app:job", "--source", "nowhere"], "Directory 'nowhere' does not exist"),
        (["run", "app:job"], 'entry not found: "app:job"'),
        (["run", "app:mial"], "did you mean app:mail?"),
        (["run", ":mail"], 'invalid entry ":mail"'),
        (["run", "no_such_module"], "no Python module no_such_module below ."),
        (["run", "app/mail.lua"], "a Lua entry is written as app.jobs:mail"),
        (["run", "empty"], "has no `async def main()` to run"),
        (["run", "empty.main"], "no Python module empty.main"),
        (["run", "greedy"], "greedy.main: missing a required argument: 'name'"),
        (["run", "app:mail", "{", "--json"], "argument { is not JSON"),
        (["check", "nowhere"], "Directory 'nowhere' does not exist"),
    ],
)
def test_what_cannot_be_run_as_asked_is_one_line_and_exit_code_2(write, capsys, arguments, message):
    write("app/mail.lua", lua(""))
    write("empty.py", "")
    write("greedy.py", "async def main(name): ...")

    assert main(arguments) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("supervise: ")
    assert err.count("\n") == 1
    assert message in err


# Entries


def test_an_entry_gets_texts_and_what_it_prints_is_shown_with_its_pid(write, capsys):
    write("lua/app/hello.lua", lua('print("hello", ...)'))

    assert main(["run", "app:hello", "Ann", "1", "--source", "lua"]) == 0

    assert re.fullmatch(rf"{PID} hello\tAnn\t1\n", capsys.readouterr().out)


def test_arguments_are_values_if_they_are_said_to_be_json(write, capsys):
    write("app/add.lua", lua("local t, n = ...\nprint(t.a + n, math.type(n))"))

    assert main(["run", "app:add", "--json", '{"a": 1}', "41"]) == 0

    assert capsys.readouterr().out.endswith(" 42\tinteger\n")


def test_text_of_any_bytes_leaves_as_it_is(write, capfdbinary):
    write("app/bytes.lua", lua(r'print("\xff\xfe")'))

    assert main(["run", "app:bytes"]) == 0

    assert capfdbinary.readouterr().out.endswith(b" \xff\xfe\n")


def test_an_error_is_shown_with_the_lines_of_the_user(write, capsys):
    write("app/fail.lua", 'local function inner()\n  error("boom")\nend\n' + lua("  inner()"))

    assert main(["run", "app:fail"]) == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert re.match(rf"{PID} app:fail failed: app/fail\.lua:2: boom\n", err)
    assert "app/fail.lua:5: in function <app/fail.lua:4>" in err
    assert "lua_api" not in err


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('return false, "no luck"', "no luck"),
        ("error({ code = 7 })", "{code = 7}"),
        ("process.terminate(process.pid())", "process terminated"),
    ],
)
def test_every_way_to_fail_is_exit_code_1(write, capsys, body, message):
    write("app/fail.lua", lua(body))

    assert main(["run", "app:fail"]) == 1

    assert f"app:fail failed: {message}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = = 1", "app/bad.lua:1: unexpected symbol"),
        ('\nerror("at load")', "app/bad.lua:2: at load"),
        ("return {}", "app/bad.lua:1: main is missing"),
    ],
)
def test_an_entry_that_cannot_be_loaded_says_where(write, capsys, text, message):
    write("app/bad.lua", text)

    assert main(["run", "app:bad"]) == 1

    assert capsys.readouterr().err.startswith(f"supervise: cannot start app:bad: {message}")


def test_the_failure_of_another_process_is_shown_and_is_not_the_failure_of_the_entry(write, capsys):
    write("app/child.lua", lua('error("child")'))
    write(
        "app/parent.lua",
        lua(
            "local events = process.events()\n"
            'process.spawn_monitored("app:child", "app:processes")\n'
            'events:receive()\nprint("lives")'
        ),
    )

    assert main(["run", "app:parent"]) == 0

    out, err = capsys.readouterr()
    assert out.endswith(" lives\n")
    assert re.match(rf"{PID} app:child failed: app/child\.lua:2: child\n", err)


def test_a_process_that_is_ended_on_purpose_is_no_news(write, capsys):
    write("app/child.lua", lua("process.inbox():receive()"))
    write(
        "app/parent.lua",
        lua('process.terminate(process.spawn("app:child", "app:processes"))'),
    )

    assert main(["run", "app:parent"]) == 0

    assert capsys.readouterr().err == ""


# Modules


def test_a_module_is_run_by_its_main(write, capsys):
    write("shop/__init__.py", "")
    write("shop/till.py", "async def main(*names):\n    print('till', *names)\n")

    assert main(["run", "shop.till", "a", "b"]) == 0

    assert capsys.readouterr().out == "till a b\n"


def test_a_module_is_imported_from_its_source(write, capsys):
    write("src/distant.py", "async def main():\n    print('here')\n")

    assert main(["run", "distant", "--source", "src"]) == 0

    assert capsys.readouterr().out == "here\n"


@pytest.mark.parametrize(
    "call",
    [
        "await node.exec('app:fail')",
        "async with trio.open_nursery() as n: n.start_soon(node.exec, 'app:fail')",
    ],
    ids=["alone", "in a nursery"],
)
def test_a_lua_error_that_ends_a_module_is_shown_as_lua_shows_it(write, capsys, call):
    write("app/fail.lua", lua('error("boom")'))
    write(
        "lonely.py",
        "import trio\nfrom supervise import open_node\n"
        f"async def main():\n    async with open_node('.') as node:\n        {call}\n",
    )

    assert main(["run", "lonely"]) == 1

    err = capsys.readouterr().err
    assert err.startswith("supervise: app:fail: app/fail.lua:2: boom\nstack traceback:\n")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("raises", "async def main():\n    1 / 0\n"),
        ("raises_at_import", "1 / 0\n"),
    ],
)
def test_an_error_of_python_is_shown_from_the_line_of_the_user_on(write, capsys, name, text):
    write(f"{name}.py", text)

    assert main(["run", name]) == 1

    err = capsys.readouterr().err
    assert re.match(rf'Traceback .*\n  File ".*{name}\.py", line \d', err)
    assert "ZeroDivisionError" in err


def test_an_import_that_is_missing_in_a_module_is_its_own_failure(write, capsys):
    write("needy.py", "import no_such_thing\n")

    assert main(["run", "needy"]) == 1

    err = capsys.readouterr().err
    assert 'needy.py", line 1' in err
    assert "No module named 'no_such_thing'" in err


@pytest.mark.parametrize(
    "raised", ["KeyboardInterrupt", "BaseExceptionGroup('', [KeyboardInterrupt()])"]
)
def test_ctrl_c_is_exit_code_130_and_says_nothing(write, capsys, raised):
    write("stopped.py", f"async def main():\n    raise {raised}\n")

    assert main(["run", "stopped"]) == 130

    assert capsys.readouterr().err.strip() == ""


def test_the_command_runs_until_ctrl_c(write, folder):
    write("app/wait.lua", lua('print("up")\nprocess.inbox():receive()'))
    command = [sys.executable, "-m", "supervise", "run", "app:wait"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline().endswith(" up\n")
        running.send_signal(signal.SIGINT)
        assert running.wait() == 130


# Check


def test_a_folder_without_faults_is_counted(write, capsys):
    write("app/one.lua", lua('error("never run")'))
    write("app/two.lua", 'local shared = require("app.lib.shared")\nreturn function() end\n')
    write("app/lib/shared.lua", 'return require("tools")\n')
    write("tools.lua", 'return require("app.kit")\n')
    write("app/kit/init.lua", "return {}\n")

    assert main(["check", "."]) == 0

    assert capsys.readouterr().out == "2 entries and 3 modules: no faults\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = = 1\n", "lua/app/bad.lua:1: unexpected symbol near '='"),
        ('\nerror("at load")\n', "lua/app/bad.lua:2: at load"),
        ("error({})\n", "lua/app/bad.lua:1: {}"),
        ("return { man = 1 }\n\n", "lua/app/bad.lua:1: main is missing: end the file with"),
        ("local x\n", "lua/app/bad.lua:1: main is missing"),
        ('local m =\n  require("a.b")', 'lua/app/bad.lua:2: module not found: "a.b"'),
        ("process.inbox():receive()", "lua/app/bad.lua:1: waits while it is loaded"),
        ("while true do time.sleep('1h') end", "lua/app/bad.lua:1: waits while it is loaded"),
    ],
)
def test_a_fault_is_reported_with_file_and_line(write, capsys, text, fault):
    write("lua/app/bad.lua", text)
    write("lua/app/good.lua", lua(""))

    assert main(["check", "lua"]) == 1

    out = capsys.readouterr().out
    assert out.startswith(fault)
    assert out.count("\n") == 1


def test_all_faults_are_reported_each_once(write, capsys):
    write("app/lib.lua", "return = 1\n")
    write("app/uses.lua", 'require("app.lib")\n' + lua(""))
    write("app/wrong.lua", "x = = 1\n")
    write("alone.lua", lua(""))
    write("app/a b.lua", lua(""))

    assert main(["check", "."]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "alone.lua",
        "app/a b.lua",
        "app/lib.lua",
        "app/wrong.lua",
    ]
    assert "is in a folder, as app/alone.lua for app:alone" in lines[0]
    assert "invalid entry" in lines[1]


def test_a_body_that_waits_for_a_moment_or_a_zone_is_fine(write, capsys):
    write("app/slow.lua", 'time.sleep("1h")\ntime.load_location("Europe/Berlin")\n' + lua(""))

    assert main(["check", "."]) == 0

    assert capsys.readouterr().out == "1 entry: no faults\n"


def test_a_body_starts_nothing_in_a_check(write, capsys):
    write("app/other.lua", lua('error("was run")'))
    write(
        "app/eager.lua",
        'local _, err = process.spawn("app:other", "supervise:check")\n'
        "assert(not err, tostring(err))\n" + lua(""),
    )

    assert main(["check", "."]) == 1

    assert "nothing is started by a check" in capsys.readouterr().out


def test_a_folder_without_lua_files_is_a_mistake(folder, capsys):
    assert main(["check", str(folder)]) == 1

    assert "there are no Lua files" in capsys.readouterr().out
