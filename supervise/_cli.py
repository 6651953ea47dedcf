"""The command `supervise`: its words, its help and its exit codes. Knows not how a run goes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from supervise import _cli_check, _cli_reload, _cli_run, _cli_tree
from supervise._cli_tree import INTERRUPTED
from supervise._tree_file import SUFFIXES

_HELP = """Run Lua processes that live, talk and fail in isolation.

\b
  supervise run tree.toml                      a supervision tree, until Ctrl-C
  supervise run app.jobs:mail --source lua     the Lua entry lua/app/jobs/mail.lua
  supervise run specs.examples.worker_pool     a Python module: see a pool at work
  supervise check tree.toml                    what is wrong with the tree
  supervise check lua                          every Lua file below lua/

`supervise COMMAND --help` tells more.
"""

_RUN_HELP = """Run a supervision tree, a Lua entry or a Python module, until its end or Ctrl-C.

A tree is a TOML or JSON file with the fields of its root supervisor. It may also have `source`,
a folder or a list of them, relative to the file (by default its own folder), for the Lua files
and the Python modules of its tasks; and `[[hosts]]`, each with name, max_processes and
max_mailbox.

\b
  id = "shop"
  source = "lua"
  [[children]]
  id = "stock"
  start = {lua = "shop:stock", args = [10]}
  [[children]]
  id = "till"
  restart = "transient"
  start = {task = "shop.till:serve"}

Crashes and restarts are shown on stderr as they happen. SIGUSR1, or `t` and Enter on a terminal,
shows the tree: states, pids, uptimes and restarts. Ctrl-C and SIGTERM stop it in order, a second
one at once.

An entry is `<namespace>:<name>`: app.jobs:mail is the file app/jobs/mail.lua below DIR, and
its main gets the arguments. What processes print is shown with their pids; what fails is
shown on stderr with its traceback.

A module is run by its `async def main()`, under trio. It may take the arguments, too. One without
a main is run as the tree that is its `SPEC`, with the Lua files below DIR.

With --reload the Lua files of a tree or an entry are watched. A new version is tried apart from
everything else; one that fails is reported, and the old one runs on. Otherwise new processes get
it. A process that has called `process.upgrades()` is asked to upgrade, a supervised one that has
not is restarted by its supervisor, and any other runs on as it is. The tree itself and Python
modules are not reloaded. It needs the package watchfiles: pip install 'supervise-lua[reload]'.

\b
Examples:
  supervise run tree.toml
  supervise run tree.toml --reload
  supervise run app.jobs:mail
  supervise run app.jobs:mail alice "two words" --source lua
  supervise run app.jobs:add 1 2.5 '{"unit": "kg"}' --json
  supervise run app.jobs:add -- -1
  supervise run specs.examples.worker_pool

Exit code: 0, 1 if it failed, 2 if it could not be run as asked, 130 after Ctrl-C.
"""

_CHECK_HELP = """Report all that is wrong with a supervision tree, or with the Lua files below DIR.

A tree is checked as a whole: its fields, the entries, functions and hosts that it names. Nothing
is started, but the modules of its Python functions are imported.

Of a folder each file is compiled, and its body is run in a process that is thrown away; no main
is run. A file must return a main, or a function, or whatever it likes if another file requires
it.

\b
Examples:
  supervise check tree.toml
  supervise check lua

Exit code: 0, 1 if there are faults, 2 if there is no such tree or folder.
"""

_Folder = click.Path(exists=True, file_okay=False, path_type=Path)
_Source = click.option(
    "--source",
    type=_Folder,
    metavar="DIR",
    help="The folder with the Lua files and the Python modules.  "
    "[default: what the tree says, otherwise this one]",
)


@click.group(help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="supervise-lua", message="%(package)s %(version)s")
def supervise() -> None:
    """What all commands have in common: nothing but the name."""


@supervise.command(
    help=_RUN_HELP, short_help="Run a tree, a Lua entry or a Python module until it ends."
)
@click.argument("target", metavar="TARGET")
@click.argument("args", nargs=-1)
@_Source
@click.option(
    "--reload", is_flag=True, help="Load Lua files anew when they change, without a stop."
)
@click.option("--json", "as_json", is_flag=True, help="Read each argument as JSON, not as text.")
def run(
    target: str, args: tuple[str, ...], source: Path | None, *, reload: bool, as_json: bool
) -> int:
    """Run a tree, an entry or a module; returns the exit code."""
    if reload:
        _cli_reload.need_watcher()
    if target.endswith(SUFFIXES):
        _cli_tree.refuse_arguments(args)
        return _cli_tree.run_tree(Path(target), source, reload=reload)
    values = [_from_json(text) for text in args] if as_json else args
    source = source or Path()
    if ":" in target:
        return _cli_run.run_entry(target, values, source, reload=reload)
    return _cli_run.run_module(target, values, source, reload=reload)


@supervise.command(
    help=_CHECK_HELP, short_help="Report what is wrong with a tree, or with a folder of Lua files."
)
@click.argument("target", type=click.Path(path_type=Path), metavar="TREE_OR_DIR")
@_Source
def check(target: Path, source: Path | None) -> int:
    """Check a tree or a folder; returns the exit code."""
    if target.suffix in SUFFIXES and not target.is_dir():
        return _cli_tree.check_tree(target, source)
    return _cli_check.check_folder(_Folder.convert(target, None, click.get_current_context()))


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
