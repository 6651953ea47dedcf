"""Finds the Lua text behind entries and modules. Knows files; does not know who runs them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from specs import Entry, SuperviseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_-]*"
_ENTRY = re.compile(rf"({_SEGMENT}(?:\.{_SEGMENT})*):({_SEGMENT})")
_MODULE = re.compile(rf"{_SEGMENT}(?:\.{_SEGMENT})*")


class SourceError(SuperviseError, LookupError):
    """There is no source for an entry or a module.

    Attributes:
        kind: The kind of error a Lua process sees: `"NotFound"` or `"Invalid"`.
    """

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


class Source(Struct, frozen=True):
    """Lua text.

    Attributes:
        path: What errors and tracebacks call it.
        text: The text, as it is in the file.
        main: The function of the module that is run.
    """

    path: str
    text: bytes
    main: str = "main"


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


class Sources:
    """The source roots of a node and what is mapped explicitly.

    Args:
        roots: Folders; the first one that has the file wins.
        entries: Entry reference -> where its source is; they win over files.
    """

    def __init__(
        self, roots: Iterable[str | Path] = (), entries: Mapping[str, Entry | str | Path] = {}
    ) -> None:
        self.roots = tuple(Path(root) for root in roots)
        for root in self.roots:
            if not root.is_dir():
                raise SourceError("NotFound", f"source root {root} is not a folder")
        self._entries = {
            name: entry if isinstance(entry, Entry) else Entry(Path(entry))
            for name, entry in entries.items()
        }

    def entry(self, name: str) -> Source:
        """The source of `"<namespace>:<name>"`.

        Raises:
            SourceError: The reference is malformed, or there is no such file.
        """
        mapped = self._entries.get(name)
        if mapped is not None:
            return self._mapped(name, mapped)
        match = _ENTRY.fullmatch(name)
        if match is None:
            raise SourceError(
                "Invalid",
                f'invalid entry "{name}": write "<namespace>:<name>", as in "app.jobs:mail"',
            )
        return self._first("entry", name, [match[1].replace(".", "/") + f"/{match[2]}.lua"])

    def module(self, name: str) -> Source:
        """The source of a module that `require("a.b")` names.

        Raises:
            SourceError: The name is malformed, or there is no such file.
        """
        if _MODULE.fullmatch(name) is None:
            raise SourceError("Invalid", f'invalid module name "{name}"')
        stem = name.replace(".", "/")
        return self._first("module", name, [f"{stem}.lua", f"{stem}/init.lua"])

    def entries(self) -> list[str]:
        """Every entry: what is mapped, and every Lua file below the roots."""
        found = set(self._entries)
        for root in self.roots:
            for path in root.rglob("*.lua"):
                folder = path.relative_to(root).parent
                found.add(f"{'.'.join(folder.parts)}:{path.stem}")
        return sorted(found)

    def _mapped(self, name: str, entry: Entry) -> Source:
        if entry.text is not None:
            return Source(name, entry.text.encode(), entry.main)
        path = Path(entry.file or "")
        try:
            return Source(_shown(path), path.read_bytes(), entry.main)
        except OSError as exc:
            raise SourceError("NotFound", f'entry not found: "{name}": {exc}') from exc

    def _first(self, kind: str, name: str, files: list[str]) -> Source:
        candidates = [root / file for root in self.roots for file in files]
        for path in candidates:
            try:
                return Source(_shown(path), path.read_bytes())
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as exc:
                raise SourceError("NotFound", f'{kind} not found: "{name}": {exc}') from exc
        looked = "looked for " + ", ".join(map(str, candidates))
        where = looked if candidates else "this node has no source roots"
        raise SourceError("NotFound", f'{kind} not found: "{name}" ({where})')
