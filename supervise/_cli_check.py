"""Loads every Lua file of a folder and says what is wrong. Runs no `main`; knows no trio."""

from __future__ import annotations

import re
from pathlib import Path

import click
from msgspec import Struct

from supervise._loader import Loader
from supervise._sources import SourceError, Sources

FAULTY = 1

_REQUIRE = re.compile(rb"""\brequire\s*\(?\s*(["'])([\w.-]+)\1""")


def check_folder(root: Path) -> int:
    """Load every Lua file below a folder, and print what is wrong, a line for each fault.

    Args:
        root: A source root.

    Returns:
        The exit code.
    """
    sources = Sources([root])
    paths = sorted(root.rglob("*.lua"))
    required = {name.decode() for path in paths for _, name in _REQUIRE.findall(path.read_bytes())}
    loader = Loader(sources.module)
    checks = [_check(path.relative_to(root), sources, loader, required) for path in paths]
    # What is wrong with a module is found by everyone who requires it, too.
    faults = dict.fromkeys(check.fault for check in checks if check.fault is not None)
    for fault in faults:
        click.echo(fault)
    if not paths:
        click.echo(f"{root}: there are no Lua files")
    if faults or not paths:
        return FAULTY
    entries = sum(check.is_entry for check in checks)
    modules = len(checks) - entries
    click.echo(f"{_count(entries, 'entry', 'entries')}{_and_modules(modules)}: no faults")
    return 0


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _and_modules(number: int) -> str:
    return f" and {_count(number, 'module', 'modules')}" if number else ""


class _Check(Struct, frozen=True):
    """What is known of a file: a fault, or whether it is an entry or else a module."""

    fault: str | None
    is_entry: bool = False


def _check(path: Path, sources: Sources, loader: Loader, required: set[str]) -> _Check:
    folder = ".".join(path.parent.parts)
    name = f"{folder}:{path.stem}" if folder else path.stem
    try:
        source = sources.entry(name) if folder else sources.module(name)
    except SourceError as exc:
        return _Check(f"{sources.roots[0] / path}:1: {exc}")
    loaded = loader.load(name, source)
    if isinstance(loaded, str):
        return _Check(loaded)
    if loaded and folder:
        return _Check(None, is_entry=True)
    module = name.replace(":", ".")
    if not required.isdisjoint((module, module.removesuffix(".init"))):
        return _Check(None)
    last_line = source.text.rstrip().count(b"\n") + 1
    where = f"{source.path}:{last_line}"
    if not folder:
        return _Check(
            f"{where}: no file requires {module}, and it is no entry: "
            f"the file of an entry is in a folder, as app/{path} for app:{path.stem}"
        )
    return _Check(
        f"{where}: main is missing: end the file with return {{ main = main }} "
        f"(or is it a module? no file requires {module})"
    )
