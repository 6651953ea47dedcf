"""Files that changed, run apart from everything else before anybody gets them. No trio."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from supervise._loader import Loader
from supervise._sources import Source, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Key: TypeAlias = tuple[str, str]
"""A kind, `"entry"` or `"module"`, and a name."""


class Reading:
    """Files as they are at one moment: each is read once."""

    def __init__(self, read: Callable[[Key], Source]) -> None:
        self._read = read
        self._found: dict[Key, Source | SourceError] = {}

    def find(self, key: Key) -> Source:
        """The source.

        Raises:
            SourceError: There is none.
        """
        if key not in self._found:
            try:
                self._found[key] = self._read(key)
            except SourceError as exc:
                self._found[key] = exc
        found = self._found[key]
        if isinstance(found, SourceError):
            raise found
        return found

    def get(self, key: Key) -> Source | None:
        """The source, or None."""
        try:
            return self.find(key)
        except SourceError:
            return None


class Trial:
    """A file, run with the newest of what it requires.

    It runs in each Lua that it runs in on the node, and so does all that it requires.

    Args:
        reading: Where files come from.
        key: The file.
        modules: What it may require later: each is loaded by itself.
        versions: In which Lua a file runs on the node.

    Attributes:
        fault: What is wrong, with file and line, or None.
        sources: What was tried.
        tried: In which Lua each of these was.

    Raises:
        SourceError: There is no such file.
    """

    def __init__(
        self,
        reading: Reading,
        key: Key,
        modules: Iterable[str],
        versions: Callable[[Key], frozenset[str]],
    ) -> None:
        self.fault: str | None = None
        self.sources: dict[Key, Source] = {}
        self._reading = reading
        self._versions = versions
        self.tried: set[tuple[Key, str]] = set()
        self._loaders: dict[str, Loader] = {}
        here = versions(key)
        self._run(key, here)
        for module in modules:
            self._run(("module", module), here & versions(("module", module)))
        # Others use the modules, too, perhaps in another Lua.
        while missing := self._missing():
            self._run(*missing)

    def _missing(self) -> tuple[Key, frozenset[str]] | None:
        for key in self.sources if self.fault is None else ():
            left = frozenset(v for v in self._versions(key) if (key, v) not in self.tried)
            if left:
                return key, left
        return None

    def _run(self, key: Key, versions: frozenset[str]) -> None:
        for lua in sorted(versions):
            if self.fault is None and (key, lua) not in self.tried:
                fault = self._fault(key, lua)
                if fault is not None:
                    several = len(self._versions(key) | versions) > 1
                    self.fault = f'{fault} (lua="{lua}")' if several else fault

    def _fault(self, key: Key, lua: str) -> str | None:
        source = self._find(lua, key)
        if lua not in self._loaders:
            self._loaders[lua] = Loader(partial(self._find_module, lua), lua)
        loaded = self._loaders[lua].load(key[1], source)
        if isinstance(loaded, str):
            return loaded
        if key[0] == "entry" and not loaded:
            last_line = source.text.rstrip().count(b"\n") + 1
            return f"{source.path}:{last_line}: {source.main} is missing"
        return None

    def _find_module(self, lua: str, name: str) -> Source:
        return self._find(lua, ("module", name))

    def _find(self, lua: str, key: Key) -> Source:
        self.tried.add((key, lua))
        self.sources[key] = self._reading.find(key)
        return self.sources[key]


def refused(trials: Mapping[Key, Trial], changed: set[Key]) -> set[Key]:
    """What is faulty, and what shares a changed module with it, and so on."""
    modules = {key for key in changed if key[0] == "module"}
    found = {key for key, trial in trials.items() if trial.fault is not None}
    while True:
        held = {part for key in found for part in (key, *trials[key].sources) if part in modules}
        more = {key for key, trial in trials.items() if not held.isdisjoint(trial.sources)}
        if more <= found:
            return found
        found |= more
