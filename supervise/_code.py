"""The Lua code that a node runs, and newer versions: read, tried, only then loaded. No trio."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from lua_api import Fault, Need
from supervise._errors import SpawnError, fault_text
from supervise._loader import Loader
from supervise._sources import Source, SourceError, Sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lua_api import Kernel

Key: TypeAlias = tuple[str, str]
"""A kind, `"entry"` or `"module"`, and a name."""


class Refresh(Struct, frozen=True):
    """What became of the files that changed.

    Attributes:
        loaded: The paths of those whose new version is loaded.
        faults: What is wrong with the others, each with file and line; no fault is told twice.
    """

    loaded: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


class _Trial(Struct, frozen=True):
    """A file that was run apart from everything else, with the newest of what it requires."""

    fault: str | None
    sources: Mapping[Key, Source]


class Code:
    """What a kernel has of the sources of its node.

    Args:
        kernel: The kernel.
        sources: Where its code is from.
    """

    def __init__(self, kernel: Kernel, sources: Sources) -> None:
        self._kernel = kernel
        self._sources = sources
        self._loaded: dict[Key, Source] = {}
        self._refused: dict[Key, Mapping[Key, Source]] = {}

    def provide(self, kernel: Kernel, need: Need) -> None:
        """Bring an entry or a module to a kernel of the node, or newer versions of them."""
        if kernel is not self._kernel:
            self._provide_elsewhere(kernel, need)
            return
        try:
            if need.kind == "upgrade":
                self.load_newest(need.name)
                self._kernel.confirm_source(need.name)
            else:
                self._load((need.kind, need.name), self._read((need.kind, need.name)))
        except SourceError as exc:
            self._kernel.refuse_source(need.kind, need.name, exc.kind, str(exc))
        except SpawnError as exc:
            message = fault_text(exc.fault)
            self._kernel.refuse_source(need.kind, need.name, exc.fault.kind, message)

    def _provide_elsewhere(self, kernel: Kernel, need: Need) -> None:
        """Bring what another Lua state of the node needs, as the files are now; on any thread."""
        kind = "entry" if need.kind == "upgrade" else need.kind
        try:
            source = self._read((kind, need.name))
        except SourceError as exc:
            kernel.refuse_source(need.kind, need.name, exc.kind, str(exc))
            return
        fault = kernel.provide_source(kind, need.name, source.path, source.text, source.main)
        if need.kind == "upgrade":
            if fault is None:
                kernel.confirm_source(need.name)
            else:
                kernel.refuse_source(need.kind, need.name, "Invalid", fault)

    def load_newest(self, entry: str) -> None:
        """Load the newest versions of an entry and of what it requires.

        Raises:
            SourceError: There is no such entry.
            SpawnError: It is faulty; the old version stays.
        """
        key = ("entry", entry)
        reading = _Reading(self._read)
        changed = self._changed(reading)
        if changed or key not in self._loaded:
            reading.find(key)
            trial = self._try_out(reading, key, self._required_by({entry}, changed))
            if trial.fault is not None:
                raise SpawnError(entry, Fault(trial.fault, "Invalid"))
            self._load_all(trial.sources)

    def refresh(self) -> Refresh:
        """Load the newest version of every file that changed.

        What is faulty is not loaded, nor what it shares a changed module with: their old versions
        go together.
        """
        reading = _Reading(self._read)
        changed = self._changed(reading)
        modules = {name for kind, name in changed if kind == "module"}
        users = {entry for entry, module in self._kernel.requirers() if module in modules}
        keys = {key for key in changed if key[0] == "entry"} | {("entry", user) for user in users}
        trials = {
            key: self._try_out(reading, key, self._required_by({key[1]}, changed))
            for key in sorted(keys)
        }
        tried = {key for trial in trials.values() for key in trial.sources}
        for key in sorted(changed - tried):
            trials[key] = self._try_out(reading, key, ())
        refused = _refused(trials, changed)
        faults = self._new_faults(trials)
        fine = [trial.sources for key, trial in trials.items() if key not in refused]
        loaded = [path for sources in fine for path in self._load_all(sources)]
        return Refresh(tuple(sorted(loaded)), tuple(faults))

    def _read(self, key: Key) -> Source:
        kind, name = key
        return self._sources.entry(name) if kind == "entry" else self._sources.module(name)

    def _changed(self, reading: _Reading) -> set[Key]:
        """What is loaded in an older version than is there; what is not there any more stays."""
        return {
            key
            for key, source in self._loaded.items()
            if (newest := reading.get(key)) is not None and newest.text != source.text
        }

    def _required_by(self, entries: set[str], changed: set[Key]) -> Iterable[str]:
        """The changed modules that live processes of these entries have loaded."""
        pairs = self._kernel.requirers() if changed else ()
        return sorted(
            module for entry, module in pairs if entry in entries and ("module", module) in changed
        )

    def _try_out(self, reading: _Reading, key: Key, modules: Iterable[str]) -> _Trial:
        used: dict[Key, Source] = {}

        def find(wanted: Key) -> Source:
            used[wanted] = reading.find(wanted)
            return used[wanted]

        loader = Loader(lambda name: find(("module", name)))
        fault = _fault(loader, key, find(key))
        for name in modules:
            # What `main` requires later is loaded here by itself.
            if fault is None and ("module", name) not in used:
                fault = _fault(loader, ("module", name), find(("module", name)))
        return _Trial(fault, used)

    def _new_faults(self, trials: Mapping[Key, _Trial]) -> list[str]:
        before, self._refused = self._refused, {}
        faults: dict[str, None] = {}
        for key, trial in trials.items():
            if trial.fault is not None:
                self._refused[key] = trial.sources
                if before.get(key) != trial.sources:
                    faults[trial.fault] = None
        return list(faults)

    def _load_all(self, sources: Mapping[Key, Source]) -> list[str]:
        """Load what is newer; returns the paths of it."""
        return [
            source.path
            for key, source in sources.items()
            if self._text(key) != source.text and self._load(key, source)
        ]

    def _text(self, key: Key) -> bytes | None:
        loaded = self._loaded.get(key)
        return None if loaded is None else loaded.text

    def _load(self, key: Key, source: Source) -> bool:
        """Bring a source to the kernel; returns whether it takes the place of an older one."""
        fault = self._kernel.provide_source(*key, source.path, source.text, source.main)
        if fault is not None:
            return False
        is_newer = key in self._loaded
        self._loaded[key] = source
        return is_newer


class _Reading:
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


def _fault(loader: Loader, key: Key, source: Source) -> str | None:
    kind, name = key
    loaded = loader.load(name, source)
    if isinstance(loaded, str):
        return loaded
    if kind == "entry" and not loaded:
        last_line = source.text.rstrip().count(b"\n") + 1
        return f"{source.path}:{last_line}: {source.main} is missing"
    return None


def _refused(trials: Mapping[Key, _Trial], changed: set[Key]) -> set[Key]:
    """What is faulty, and what shares a changed module with it, and so on."""
    modules = {key for key in changed if key[0] == "module"}
    refused = {key for key, trial in trials.items() if trial.fault is not None}
    while True:
        held = {part for key in refused for part in (key, *trials[key].sources) if part in modules}
        more = {key for key, trial in trials.items() if not held.isdisjoint(trial.sources)}
        if more <= refused:
            return refused
        refused |= more
