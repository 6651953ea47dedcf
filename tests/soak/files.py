"""The Lua files of a soak, in a folder of their own, where newer versions are written."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path

_LUA = Path(__file__).parent / "lua"
_FIRST = "local VERSION = 1\n"


class Files:
    """A source root.

    Args:
        folder: Where; it must be empty.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        shutil.copytree(_LUA, self.folder, dirs_exist_ok=True)
        self._versions = {}

    def version(self, name):
        """The version of an entry that was written last."""
        return self._versions.get(name, 1)

    def write_next(self, name):
        """Write a newer version of an entry."""
        self._versions[name] = self.version(name) + 1
        text = (_LUA / "soak" / f"{name}.lua").read_text()
        self._write(name, text.replace(_FIRST, f"local VERSION = {self.version(name)}\n"))

    @contextmanager
    def broken(self, name):
        """Have a faulty version there for a while."""
        path = self._path(name)
        text = path.read_text()
        self._write(name, text.replace("return { main", "return {{ main"))
        try:
            yield
        finally:
            self._write(name, text)

    def _path(self, name):
        return self.folder / "soak" / f"{name}.lua"

    def _write(self, name, text):
        """At once: a process that starts reads all of it."""
        part = self._path(name).with_suffix(".part")
        part.write_text(text)
        part.replace(self._path(name))
