"""Loads every Lua file of a folder and says what is wrong. Runs no `main`; knows no trio."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import click
from msgspec import Struct

from lua_api import Answer, Fault, Kernel, Need, Reply, encode_list
from supervise._errors import fault_text
from supervise._sources import Source, SourceError, Sources

FAULTY = 1

# It runs in the place of each file's main: the body of the file has the globals and the rules of a
# process, its `...` too, but nothing that the file returns is called.
_LOAD = "supervise:check"
_LOAD_TEXT = b"""
return function(name)
  local main = require(name)
  if type(main) == "table" then
    main = main.main
  end
  return type(main) == "function"
end
"""
_HOST = "supervise:check"
_BUDGET = 1000
_STEPS = 1000
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
    loader = _Loader(sources)
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


def _check(path: Path, sources: Sources, loader: _Loader, required: set[str]) -> _Check:
    folder = ".".join(path.parent.parts)
    name = f"{folder}:{path.stem}" if folder else path.stem
    try:
        source = sources.entry(name) if folder else sources.module(name)
    except SourceError as exc:
        return _Check(f"{sources.roots[0] / path}:1: {exc}")
    loaded = loader.load(name, source)
    if isinstance(loaded, str):
        return _Check(loaded if ".lua:" in loaded else f"{source.path}:1: {loaded}")
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


class _Loader:
    """A kernel for this purpose only, in which time takes no time."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._kernel = Kernel()
        self._kernel.add_host(_HOST, max_processes=1_000_000, max_mailbox=1_000_000)
        self._port = self._kernel.open_system_port()
        self._tickets = 0
        self._now = 0.0

    def load(self, name: str, source: Source) -> bool | str:
        """Run the body of a file.

        Returns:
            Whether it returned a main, or else what is wrong with it.
        """
        self._tickets += 1
        self._kernel.request(
            self._port,
            self._tickets,
            "spawn",
            encode_list([name]),
            _LOAD,
            _HOST,
            False,
            False,
            True,
        )
        for _ in range(_STEPS):
            step = self._kernel.step(self._now, _BUDGET)
            for effect in step.effects:
                if isinstance(effect, Reply) and effect.ticket == self._tickets:
                    return _outcome(effect.answer)
                if isinstance(effect, Need):
                    fault = self._provide(effect, name, source)
                    if fault is not None:
                        return fault
            if not step.busy and step.wake_at is not None:
                self._now = step.wake_at
        self._kernel.abandon(self._tickets)
        return f"{source.path}:1: waits while it is loaded, and goes on waiting; only main may"

    def _provide(self, need: Need, name: str, source: Source) -> str | None:
        """Bring what the kernel needs; returns the syntax error if there is one."""
        kernel = self._kernel
        if need.kind == "zone":
            kernel.provide_zone(need.name)
            return None
        if need.kind == "entry" and need.name != _LOAD:
            kernel.refuse_source(
                need.kind, need.name, "Unavailable", "nothing is started by a check"
            )
            return None
        if need.kind == "entry":
            return kernel.provide_source("entry", _LOAD, _LOAD, _LOAD_TEXT)
        try:
            found = source if need.name == name else self._sources.module(need.name)
        except SourceError as exc:
            kernel.refuse_source(need.kind, need.name, exc.kind, str(exc))
            return None
        return kernel.provide_source(need.kind, need.name, found.path, found.text)


def _outcome(answer: Answer) -> bool | str:
    if isinstance(answer.second, Fault):
        return fault_text(answer.second)
    end = cast("Mapping[str, object]", answer.value)
    error = end.get("error")
    return fault_text(error) if isinstance(error, Fault) else bool(end.get("result"))
