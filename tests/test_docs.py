"""Every code block of the README does what the README says."""

import logging
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from supervise._cli import main
from tests.command_line import working_in

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
USED = re.compile(r'"(\w+:\w+|\w+\.toml)"')
BLOCKS = [(match[1], match[2]) for match in BLOCK.finditer((ROOT / "README.md").read_text())]
FILES = [text for kind, text in BLOCKS if kind in {"lua", "python", "toml"}]

COMMANDS = [
    (command.strip(), shown)
    for kind, text in BLOCKS
    if kind == "console"
    for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
]
# Which of the smallest plans Hypothesis ends with depends on its version.
PLAN = re.compile(r"FaultPlan\(\[.*\]\)")
QUICK = """
from hypothesis import Phase, settings

phases = [Phase.explicit, Phase.generate, Phase.shrink]
settings.register_profile(
    "quick", deadline=None, derandomize=True, database=None, max_examples=30, phases=phases
)
settings.load_profile("quick")
"""


@pytest.fixture
def _every_file(tmp_path, monkeypatch):
    """A folder with every file the README shows; each has its name in the first line."""
    with working_in(tmp_path, monkeypatch):
        for text in FILES:
            path = tmp_path / re.match(r"(?:--|#) (\S+)\n", text)[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "conftest.py").write_text(QUICK)
        yield


def run(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def run_python(words, shown):
    """Run a script or tests with this Python; three dots stand for lines of no interest."""
    if words[0] == "pytest":
        words = ["-m", *words, "-p", "no:cacheprovider", "-p", "supervise.testing.plugin"]
    else:
        words = words[1:]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, env=environment
    )
    parts = PLAN.sub("PLAN", shown).split("...\n")
    pattern = ".*".join(map(re.escape, parts))
    said = PLAN.sub("PLAN", done.stdout)
    assert re.fullmatch(pattern, said, re.DOTALL), f"{done.stdout}\n{done.stderr}"
    assert done.returncode == (1 if "violated" in shown else 0)


def rehearse(words):
    """Run a command that sets up or tests the project, as far as it leaves everything alone."""
    match words:
        case ["make", target]:
            run("make", "--dry-run", target)
        case ["python3", "-m", "venv", ".venv"]:
            run(sys.executable, "-m", "venv", "--help")
        case [".venv/bin/python", "-m", "pip", "install", *what]:
            alone = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
            run(sys.executable, "-m", "pip", "install", "--dry-run", *alone, *what)
        case [".venv/bin/python", "-m", "pytest", *how]:
            run(sys.executable, "-m", "pytest", *how, "--version")
        case _:
            pytest.fail(f"nobody knows how to try this: {shlex.join(words)}")


@pytest.mark.usefixtures("_every_file")
@pytest.mark.parametrize(("command", "shown"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_a_command_shows_what_the_readme_says(capfd, monkeypatch, command, shown):
    words = shlex.split(command)
    if words[0] in {"pytest", "python"}:
        run_python(words, shown)
        return
    if not words[0].endswith("supervise"):
        rehearse(words)
        return

    # On a terminal both are seen as they come, and nobody but the program logs anything.
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    for logger in ("", "supervise"):
        monkeypatch.setattr(logging.getLogger(logger), "handlers", [])

    code = main(words[1:])

    if shown:
        assert capfd.readouterr().out == shown
    assert code == (1 if "failed" in shown else 0)


def test_every_block_is_run():
    assert {kind for kind, _ in BLOCKS} == {"lua", "python", "toml", "console"}
    names = [re.match(r"(?:# |-- lua/)(\S+?)(?:\.py|\.lua)?\n", text)[1] for text in FILES]
    words = {word for command, _ in COMMANDS for word in shlex.split(command)}
    targets = {word.removesuffix(".py") for word in words}
    # An entry, or a file, that no command runs is used by a Python block.
    targets |= {word for kind, text in BLOCKS if kind == "python" for word in USED.findall(text)}
    assert {name.replace("/", ":") for name in names} <= targets
