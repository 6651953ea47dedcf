"""Runs the body of a Lua file apart from everything else, to see what is wrong with it. No trio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from lua_api import Answer, Fault, Kernel, Need, Reply, encode_list
from supervise._errors import fault_text
from supervise._sources import Source, SourceError

# It runs in the place of each file's main: the body of the file has the globals and the rules of a
# process, its `...` too, but nothing that the file returns is called.
_LOAD = "supervise:check"
_LOAD_TEXT = b"""
return function(name, method)
  local main = require(name)
  if type(main) == "table" then
    main = main[method]
  end
  return type(main) == "function"
end
"""
_HOST = "supervise:check"
_BUDGET = 1000
_STEPS = 1000


class Loader:
    """A kernel for this purpose only, in which time takes no time.

    Args:
        find_module: Where modules come from that the files require; raises a `SourceError` for
            those that are nowhere.
        lua: Which Lua it is tried in.
    """

    def __init__(self, find_module: Callable[[str], Source], lua: str = "5.4") -> None:
        self._find_module = find_module
        self._kernel = Kernel(lua=lua)
        self._kernel.add_host(_HOST, max_processes=1_000_000, max_mailbox=1_000_000)
        self._port = self._kernel.open_system_port()
        self._tickets = 0
        self._now = 0.0

    def load(self, name: str, source: Source) -> bool | str:
        """Run the body of a file.

        Returns:
            Whether it returned a main, or else what is wrong with it, with file and line.
        """
        loaded = self._run(name, source)
        if isinstance(loaded, bool) or ".lua:" in loaded or f"{source.path}:" in loaded:
            return loaded
        return f"{source.path}:1: {loaded}"

    def _run(self, name: str, source: Source) -> bool | str:
        self._tickets += 1
        self._kernel.request(
            self._port,
            self._tickets,
            "spawn",
            encode_list([name, source.main]),
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
        return "waits while it is loaded, and goes on waiting; only main may"

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
            found = source if need.name == name else self._find_module(need.name)
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
