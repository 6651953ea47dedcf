"""A kernel for simulations: a seed decides what it leaves open, and every step of it is noted.

Making a Lua state and compiling the kernel takes longer than running a small tree, so one state
serves one simulation after the other. Each gets a kernel that is as new: one that nobody uses any
more, brought back to what it was when it was made (see `simulation/rewind.lua`), or else another
one, for which every module is run anew. What kernels share is Lua's own library and compiled code,
and the modules of plain functions and values, which hold nothing of a kernel and which no process
can change.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from lua_api._kernel import NANOSECONDS, Kernel, Step
from lua_api._runtime import kernel_files, lua_files, new_runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from lua_api._effects import Answer, ChildDown
    from lua_api._values import Fault

_LOADER = rb"""
local chunks = {}

local function add(name, chunk_name, text)
  chunks[name] = assert(load(text, chunk_name, "t"))
end

-- What was compiled for an earlier kernel: functions that make the body of a program anew.
local compiled = {}
local compile = load

local function load_once(text, chunk_name, mode, env)
  local key = tostring(chunk_name) .. "\n" .. tostring(text)
  local found = compiled[key]
  if not found then
    local message
    found, message = compile(text, chunk_name, mode, env)
    if not found then
      return nil, message
    end
    compiled[key] = found
  end
  return found
end

local shared = {}
for name in string.gmatch([[
  kernel.int kernel.numbers54 kernel.classes kernel.refuse kernel.op kernel.work kernel.copy
  kernel.stack kernel.fault kernel.relation kernel.wire kernel.wire_reader kernel.wire_writer
  api.argument api.errors api.text api.message
  api.time.chunks api.time.civil api.time.digits api.time.duration api.time.duration_text
  api.time.instant api.time.layout api.time.location kernel.memo api.time.object
  api.time.reading api.time.rounding api.time.zone_text
  simulation.ordered simulation.rewind simulation.rng
]], "%S+") do
  shared[name] = false
end

local function fresh()
  local loaded, loaders, for_all = {}, chunks, false
  require = function(name)
    local is_shared = shared[name] ~= nil
    if for_all and not is_shared then
      error("what kernels share must not need " .. name .. ", which each has for itself")
    end
    local place = is_shared and shared or loaded
    if not place[name] then
      local before = for_all
      for_all = is_shared
      place[name] = loaders[name](name)
      for_all = before
    end
    return place[name]
  end
  -- The classes of one kernel go with it.
  setmetatable(require("kernel.classes").by_metatable, { __mode = "k" })
  load = load_once
  require("kernel.sources")
  load = compile
  local kernel = require("simulation")
  local rewind = require("simulation.rewind")
  -- It would lead to all that this kernel has loaded.
  require = nil
  for name, module in pairs(shared) do
    loaded[name] = module
  end
  return kernel, rewind.to_this_moment(kernel, loaded, { shared, load_once })
end

local removed = { "python", "io", "dofile", "loadfile" }
for _, name in ipairs(removed) do
  _G[name] = nil
end
os.execute, os.exit, os.remove, os.rename, os.tmpname, os.getenv = nil, nil, nil, nil, nil, nil
for name in pairs(package.loaded) do
  if not _G[name] then
    package.loaded[name] = nil
  end
end
package = nil
return add, fresh
"""


class _Kernels:
    """The kernels of one thread, in one Lua state."""

    def __init__(self) -> None:
        self.runtime = new_runtime()
        add, self._fresh = self.runtime.execute(_LOADER)
        for name, path, text in kernel_files():
            add(name.encode(), b"@" + path.encode(), text)
        for name, path, text in lua_files("simulation"):
            module = "simulation" if name == "init" else f"simulation.{name}"
            add(module.encode(), b"@" + path.encode(), text)
        self._idle: list[tuple[Any, Callable[[], None]]] = []

    def take(self) -> tuple[Any, Callable[[], None]]:
        """The functions of a kernel that is as new, and what brings it back to that."""
        taken: tuple[Any, Callable[[], None]] = self._idle.pop() if self._idle else self._fresh()
        return taken

    def give_back(self, kernel: Any, rewind: Callable[[], None]) -> None:  # noqa: ANN401 - a Lua table
        """Nobody uses this kernel any more."""
        rewind()
        self._idle.append((kernel, rewind))


_local = threading.local()


def _kernels() -> _Kernels:
    found: _Kernels | None = getattr(_local, "kernels", None)
    if found is None:
        found = _local.kernels = _Kernels()
    return found


class _Gone:
    """What is left of a kernel that was given back: it does nothing, whatever it is asked."""

    def __getattr__(self, _: str) -> _Gone:
        return self

    def __call__(self, *_: object) -> None:
        pass


# As in `simulation/facts.lua`.
_WIDTH: Final = 9
_MOST_FIELDS: Final = 1000 * _WIDTH


class RestlessProcessesError(Exception):
    """The processes of a simulation never wait."""


class SimulatedKernel(Kernel):
    """A kernel for one simulation.

    Args:
        epoch: The unix time in seconds at which its clock shows 0.
        on_facts: Called with rows of what happened, in order, after everything that ran: kind (see
            `simulation/facts.lua`), time in nanoseconds, and seven fields, of which a kind has
            only the first ones: bytes for text and for values in wire form, False for nothing.
        child_of: Says which child the supervisor with this pid starts: its path, and which life of
            it this is.
        max_turns: How many turns processes may take in all.
    """

    def __init__(
        self,
        epoch: float,
        on_facts: Callable[[list[tuple[Any, ...]]], None],
        child_of: Callable[[str], tuple[str, int]],
        max_turns: int,
    ) -> None:
        self._kernels = _kernels()
        kernel, self._rewind = self._kernels.take()
        super().__init__(0.0, epoch, new_state=lambda *_, **__: (kernel, self._kernels.runtime))
        self._max_turns = max_turns
        self._child_of = child_of
        self._on_facts = on_facts
        self._take, self._turns, self._expect = kernel.facts, kernel.turns, kernel.expect

    # What the simulation asks for

    def begin(self, seed: int) -> None:
        """Seed what is left open; every fault has been planned."""
        self._lua.begin(seed)

    def plan(
        self,
        number: int,
        key: str,
        at: str,
        act: str,
        *,
        n: int = 1,
        message: str = "",
        call: str = "",
        delay: float = 0.0,
    ) -> None:
        """Let a fault wait for a process (see `simulation/faults.lua`)."""
        self._lua.plan(
            number,
            key.encode(),
            at.encode(),
            act.encode(),
            n,
            message.encode(),
            call.encode(),
            round(delay * NANOSECONDS),
        )

    def calls(self) -> list[str]:
        """The calls of the API that can be made to raise."""
        names: bytes = self._lua.calls()
        return names.decode().split()

    def lose_host(self, name: str) -> int:
        """End every Lua process of a host at once; returns how many there were."""
        lost: int = self._lua.lose_host(name.encode())
        self._note()
        return lost

    def close(self) -> None:
        """End it: nothing happens any more, and what it was made of serves the next one."""
        kernel = self._lua
        self._use(_Gone())
        self._take = self._turns = self._expect = _Gone()
        self._kernels.give_back(kernel, self._rewind)

    # What changes something, and what happened then

    def _note(self) -> None:
        fields = self._take()
        while fields is not None:
            starts = range(0, len(fields), _WIDTH)
            self._on_facts([fields[start : start + _WIDTH] for start in starts])
            fields = self._take() if len(fields) >= _MOST_FIELDS else None

    def step(self, now: float, budget: int) -> Step:
        """See `Kernel.step`.

        Raises:
            RestlessProcessesError: Processes have taken more turns than they may.
        """
        step = super().step(now, budget)
        self._note()
        if self._turns() > self._max_turns:
            raise RestlessProcessesError
        return step

    def open_port(
        self, label: str = "python", owner: str | None = None, max_mailbox: int | None = None
    ) -> str:
        """See `Kernel.open_port`."""
        pid = super().open_port(label, owner, max_mailbox)
        self._note()
        return pid

    def open_supervisor(self, label: str, owner: str | None = None) -> str:
        """See `Kernel.open_supervisor`."""
        pid = super().open_supervisor(label, owner)
        self._note()
        return pid

    def close_port(self, pid: str, failure: str | None = None) -> None:
        """See `Kernel.close_port`."""
        super().close_port(pid, failure)
        self._note()

    def request(
        self,
        pid: str | None,
        ticket: int,
        name: str,
        payload: bytes | None = None,
        *arguments: str | int | bool,
    ) -> Answer | None:
        """See `Kernel.request`."""
        answer = super().request(pid, ticket, name, payload, *arguments)
        self._note()
        return answer

    def abandon(self, ticket: int) -> None:
        """See `Kernel.abandon`."""
        super().abandon(ticket)
        self._note()

    def start_child(
        self,
        ticket: int,
        owner: str,
        entry: str,
        host: str,
        *,
        args: bytes | None,
        name: str | None,
        ready: bool,
    ) -> str | Fault | None:
        """See `Kernel.start_child`."""
        path, incarnation = self._child_of(owner)
        self._expect(ticket, path.encode(), incarnation)
        outcome = super().start_child(ticket, owner, entry, host, args=args, name=name, ready=ready)
        self._note()
        return outcome

    def stop_child(self, ticket: int, reason: str) -> ChildDown | None:
        """See `Kernel.stop_child`."""
        ended = super().stop_child(ticket, reason)
        self._note()
        return ended

    def kill_child(self, ticket: int) -> bool:
        """See `Kernel.kill_child`."""
        ended = super().kill_child(ticket)
        self._note()
        return ended
