"""The Lua code that a node runs, and newer versions: read, tried, only then loaded. No trio.

There is one version of each file, whichever Lua states run it: a state that needs a file for the
first time gets what the others have. What is new reaches all of them, or none.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from msgspec import Struct

from lua_api import Fault, ModuleRequired, Need
from supervise._errors import SpawnError, fault_text
from supervise._sources import Source, SourceError, Sources
from supervise._trial import Key, Reading, Trial, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lua_api import Kernel


class Refresh(Struct, frozen=True):
    """What became of the files that changed.

    Attributes:
        loaded: The paths of those whose new version is loaded.
        faults: What is wrong with the others, each with file and line; no fault is told twice.
    """

    loaded: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


class Code:
    """What the Lua states of a node run.

    Args:
        sources: Where the code is from.
        lua: Which Lua tries an entry that nothing has run.
        renew: Brings a newer source to every state that has an older one.
    """

    def __init__(self, sources: Sources, lua: str, renew: Callable[[Key, Source], None]) -> None:
        self._sources = sources
        self._lua = lua
        self._renew = renew
        # What states need is brought to them on their threads.
        self._lock = threading.Lock()
        self._loaded: dict[Key, Source] = {}
        self._versions: dict[Key, frozenset[str]] = {}
        self._required: dict[str, frozenset[str]] = {}
        self._refused: dict[Key, Mapping[Key, Source]] = {}

    def serve(self, kernel: Kernel, effect: Need | ModuleRequired) -> None:
        """Bring a kernel of the node what it needs, newer versions apart; on any thread."""
        if isinstance(effect, ModuleRequired):
            self._note(effect)
        elif effect.kind == "zone":
            kernel.provide_zone(effect.name)
        else:
            self._provide(kernel, effect)

    def _provide(self, kernel: Kernel, need: Need) -> None:
        key = (need.kind, need.name)
        with self._lock:
            try:
                source = self._loaded.get(key) or self._read(key)
            except SourceError as exc:
                kernel.refuse_source(need.kind, need.name, exc.kind, str(exc))
                return
            if kernel.provide_source(*key, source.path, source.text, source.main) is None:
                self._loaded[key] = source
                self._runs_in(key, kernel.lua)

    def _note(self, required: ModuleRequired) -> None:
        """Remember what an entry requires, for when that changes."""
        with self._lock:
            known = self._required.get(required.entry, frozenset())
            self._required[required.entry] = known | {required.module}

    def find_newest(self, entry: str) -> Fault | None:
        """As `load_newest`, for a process that upgrades itself; returns what is wrong."""
        try:
            self.load_newest(entry)
        except SourceError as exc:
            return Fault(str(exc), exc.kind)
        except SpawnError as exc:
            return Fault(fault_text(exc.fault), exc.fault.kind)
        return None

    def load_newest(self, entry: str) -> None:
        """Load the newest versions of an entry and of what it requires.

        Raises:
            SourceError: There is no such entry.
            SpawnError: It is faulty; the old version stays, in every state.
        """
        key = ("entry", entry)
        reading = Reading(self._read)
        changed = self._changed(reading)
        if changed or key not in self._loaded:
            reading.find(key)
            trial = self._try_out(reading, key, self._required_by(entry, changed))
            if trial.fault is not None:
                raise SpawnError(entry, Fault(trial.fault, "Invalid"))
            self._load_all(trial)

    def refresh(self) -> Refresh:
        """Load the newest version of every file that changed.

        What is faulty is not loaded, nor what it shares a changed module with: their old versions
        go together.
        """
        reading = Reading(self._read)
        changed = self._changed(reading)
        users = {entry for entry in tuple(self._required) if self._required_by(entry, changed)}
        keys = {key for key in changed if key[0] == "entry"} | {("entry", user) for user in users}
        trials = {
            key: self._try_out(reading, key, self._required_by(key[1], changed))
            for key in sorted(keys)
        }
        tried = {key for trial in trials.values() for key in trial.sources}
        for key in sorted(changed - tried):
            trials[key] = self._try_out(reading, key, ())
        held = refused(trials, changed)
        faults = self._new_faults(trials)
        fine = [trial for key, trial in trials.items() if key not in held]
        loaded = [path for trial in fine for path in self._load_all(trial)]
        return Refresh(tuple(sorted(loaded)), tuple(faults))

    def _read(self, key: Key) -> Source:
        kind, name = key
        return self._sources.entry(name) if kind == "entry" else self._sources.module(name)

    def _changed(self, reading: Reading) -> set[Key]:
        """What is loaded in an older version than is there; what is not there any more stays."""
        return {
            key
            for key, source in self._snapshot().items()
            if (newest := reading.get(key)) is not None and newest.text != source.text
        }

    def _snapshot(self) -> dict[Key, Source]:
        with self._lock:
            return dict(self._loaded)

    def _required_by(self, entry: str, changed: set[Key]) -> list[str]:
        """The changed modules that processes of this version of an entry have loaded."""
        required = self._required.get(entry, ())
        return sorted(module for module in required if ("module", module) in changed)

    def _try_out(self, reading: Reading, key: Key, modules: Iterable[str]) -> Trial:
        return Trial(reading, key, modules, self._versions_of)

    def _versions_of(self, key: Key) -> frozenset[str]:
        """In which Lua a file runs, or would first."""
        nowhere = frozenset({self._lua} if key[0] == "entry" else ())
        return self._versions.get(key, nowhere)

    def _new_faults(self, trials: Mapping[Key, Trial]) -> list[str]:
        before, self._refused = self._refused, {}
        faults: dict[str, None] = {}
        for key, trial in trials.items():
            if trial.fault is not None:
                self._refused[key] = trial.sources
                if before.get(key) != trial.sources:
                    faults[trial.fault] = None
        return list(faults)

    def _runs_in(self, key: Key, lua: str) -> None:
        self._versions[key] = self._versions.get(key, frozenset()) | {lua}

    def _load_all(self, trial: Trial) -> list[str]:
        """Load what is newer; returns the paths of what takes the place of an older version."""
        replaced = []
        for key, source in trial.sources.items():
            old = self._swap(key, source)
            if old is not None and old.text != source.text:
                self._renew(key, source)
                replaced.append(source.path)
        with self._lock:
            for key, lua in trial.tried:
                self._runs_in(key, lua)
        return replaced

    def _swap(self, key: Key, source: Source) -> Source | None:
        with self._lock:
            old = self._loaded.get(key)
            self._loaded[key] = source
            if key[0] == "entry" and old != source:
                # Its processes say anew what they require.
                self._required.pop(key[1], None)
        return old
