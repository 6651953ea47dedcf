"""Reads a tree from a TOML or JSON file, with its sources and hosts. Runs nothing, prints nothing.

Beside the fields of the root supervisor the file may have `source`, a folder or a list of folders
with the Lua files and Python modules, relative to the file (by default the folder it is in), and
`hosts`, a list of the tables of `HostSpec`s.
"""

from __future__ import annotations

import difflib
import json
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from specs import (
    AnySupervisorSpec,
    HostSpec,
    LuaStart,
    SpecError,
    host_from_data,
    spec_from_data,
)
from supervise._open import DEFAULT_HOSTS
from supervise._sources import SourceError, Sources

SUFFIXES: Final = (".toml", ".json")
"""What the names of tree files end in."""


class TreeFile(Struct, frozen=True):
    """What a tree file says.

    Attributes:
        spec: The root of the tree.
        sources: The source roots.
        hosts: The hosts.
    """

    spec: AnySupervisorSpec
    sources: Sequence[Path]
    hosts: Sequence[HostSpec]


def read_tree(path: Path, source: Path | None = None) -> TreeFile:
    """Read a tree and check it as a whole, with the entries and the hosts that it names.

    The source roots are put before all others from which Python imports.

    Args:
        path: The file.
        source: The source root, whatever the file says.

    Raises:
        SpecError: With one line for every fault.
        OSError: The file cannot be read.
    """
    data = _load(path)
    faults: list[str] = []
    said = data.pop("source", ".")
    roots = [source] if source is not None else _roots(said, path.parent, faults)
    hosts = _hosts(data.pop("hosts", None), faults)
    sys.path[:0] = [str(root.resolve()) for root in roots]
    try:
        spec = spec_from_data(data, partial(_start_faults, Sources(roots), hosts))
    except SpecError as exc:
        faults += exc.problems
    if faults:
        raise SpecError(faults)
    return TreeFile(spec, roots, hosts)


def checker(source: Path) -> Callable[[LuaStart], Iterable[str]]:
    """Says what is wrong with the Lua starts of a tree that runs on the usual host."""
    return partial(_start_faults, Sources([source]), DEFAULT_HOSTS)


def entry_fault(sources: Sources, entry: str) -> str | None:
    """What is wrong with the name of an entry; None if there is such an entry."""
    try:
        sources.entry(entry)
    except SourceError as exc:
        return f"{exc}{_did_you_mean(entry, sources.entries())}"
    return None


def _did_you_mean(given: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(given, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _load(path: Path) -> dict[str, Any]:
    kind = path.suffix[1:].upper()
    try:
        text = path.read_text("utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as exc:  # of the syntax, or of the bytes
        raise SpecError([f"not {kind}: {exc}"]) from None
    if not isinstance(data, dict):
        raise SpecError([f"must be one {kind} object, the root of the tree, got {data!r}"])
    return data


def _roots(said: object, folder: Path, faults: list[str]) -> list[Path]:
    listed = said if isinstance(said, list) else [said]
    roots = []
    for name in listed:
        root = folder / name if isinstance(name, str) else None
        if root is not None and root.is_dir():
            roots.append(root)
        else:
            faults.append(f"source: must be a folder, or a list of folders, got {name!r}")
    return roots


def _hosts(said: object, faults: list[str]) -> Sequence[HostSpec]:
    if said is None:
        return DEFAULT_HOSTS
    if not (isinstance(said, list) and said and all(isinstance(host, Mapping) for host in said)):
        faults.append(f"hosts: must be a list of tables, each of a host, got {said!r}")
        return ()
    hosts: dict[str, HostSpec] = {}
    for position, data in enumerate(said):
        try:
            host = host_from_data(data)
        except SpecError as exc:
            faults += [f"hosts[{position}] {problem}" for problem in exc.problems]
            continue
        if host.name in hosts:
            faults.append(f"hosts[{position}] {host.name}: is the name of another host too")
        hosts[host.name] = host
    return tuple(hosts.values())


def _start_faults(sources: Sources, hosts: Sequence[HostSpec], start: LuaStart) -> Iterable[str]:
    fault = entry_fault(sources, start.entry)
    if fault is not None:
        yield f"lua: {fault}"
    names = [host.name for host in hosts]
    # Hosts that are faulty themselves are no reason to complain of their children.
    if start.host is not None and names and start.host not in names:
        yield (
            f"host: {start.host!r} is none of the tree's hosts ({', '.join(names)})"
            f"{_did_you_mean(start.host, names)}"
        )
