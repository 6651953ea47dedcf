"""The command `supervise`: its words, its help and its exit codes. Knows not how a run goes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from supervise import _cli_check, _cli_run

INTERRUPTED = 130  # as shells have it: 128 + SIGINT

_HELP = """Run Lua processes that live, talk and fail in isolation.

\b
  supervise run app.jobs:mail --source lua     the Lua entry lua/app/jobs/mail.lua
  supervise run specs.examples.worker_pool     a Python module: see a pool at work
  supervise check lua                          every Lua file below lua/

`supervise COMMAND --help` tells more.
"""

_RUN_HELP = """Run a Lua entry or a Python module until it ends, or until Ctrl-C.

An entry is `<namespace>:<name>`: app.jobs:mail is the file app/jobs/mail.lua below DIR, and
its main gets the arguments. What processes print is shown with their pids; what fails is
shown on stderr with its traceback.

A module is run by its `async def main()`, under trio. It may take the arguments, too.

\b
Examples:
  supervise run app.jobs:mail
  supervise run app.jobs:mail alice "two words" --source lua
  supervise run app.jobs:add 1 2.5 '{"unit": "kg"}' --json
  supervise run app.jobs:add -- -1
  supervise run specs.examples.worker_pool

Exit code: 0, 1 if it failed, 2 if it could not be run as asked, 130 after Ctrl-C.
"""

_CHECK_HELP = """Load every Lua file below DIR, and report what is wrong with file and line.

Each file is compiled, and its body is run in a process that is thrown away; no main is run. A
file must return a main, or a function, or whatever it likes if another file requires it.

\b
Example:
  supervise check lua

Exit code: 0, 1 if there are faults, 2 if DIR is no folder.
"""

_Folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group(help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="supervise-lua", message="%(package)s %(version)s")
def supervise() -> None:
    """What all commands have in common: nothing but the name."""


@supervise.command(help=_RUN_HELP)
@click.argument("target", metavar="ENTRY_OR_MODULE")
@click.argument("args", nargs=-1)
@click.option(
    "--source",
    type=_Folder,
    default=".",
    metavar="DIR",
    help="The folder with the Lua files, or with the Python module.  [default: this one]",
)
@click.option("--json", "as_json", is_flag=True, help="Read each argument as JSON, not as text.")
def run(target: str, args: tuple[str, ...], source: Path, *, as_json: bool) -> int:
    """Run an entry or a module; returns the exit code."""
    values = [_from_json(text) for text in args] if as_json else args
    if ":" in target:
        return _cli_run.run_entry(target, values, source)
    return _cli_run.run_module(target, values, source)


@supervise.command(
    help=_CHECK_HELP, short_help="Load every Lua file below DIR, and report what is wrong."
)
@click.argument("folder", type=_Folder, metavar="DIR")
def check(folder: Path) -> int:
    """Check a folder; returns the exit code."""
    return _cli_check.check_folder(folder)


def _from_json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise click.UsageError(f"argument {text} is not JSON: {exc}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows the word `supervise`; by default what the shell gave.

    Returns:
        The exit code.
    """
    given = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        # Strings of Lua are bytes, which leave as they are; and a line is seen when it is printed.
        stream.reconfigure(errors="surrogateescape", line_buffering=True)  # type: ignore[union-attr]
    try:
        return int(supervise.main(given or ["--help"], "supervise", standalone_mode=False))
    except click.ClickException as exc:
        click.echo(f"supervise: {exc.format_message()}", err=True)
        return exc.exit_code
    except click.Abort:  # what click makes of KeyboardInterrupt
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()


def _reader_gone() -> int:
    """Whoever read the output has left, as `head` does: what is left of it goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
