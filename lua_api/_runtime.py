"""One Lua 5.4 state with only the kernel in it. Knows lupa, not what the kernel does."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from lupa import lua54


def lua_files(folder: str) -> list[tuple[str, str, bytes]]:
    """Every Lua file of a folder of this package: module name, path for error messages, text."""
    root = Path(__file__).parent / folder
    files = []
    for path in sorted(root.rglob("*.lua")):
        parts = path.parts[len(root.parts) :]
        module = ".".join(parts).removesuffix(".lua").removesuffix(".init")
        files.append((module, f"lua_api/{folder}/" + "/".join(parts), path.read_bytes()))
    return files


@functools.cache
def kernel_files() -> tuple[tuple[str, str, bytes], ...]:
    """Every Lua file of the kernel and the API, as `lua_files` has them."""
    return tuple(lua_files("lua"))


_PRELOAD = b"""
local name, chunk_name, text = ...
package.preload[name] = assert(load(text, chunk_name, "t"))
"""

# Once the kernel is loaded nothing may be loaded from outside; nothing of Python is left inside.
_BOOT = b"""
local zone = ...
string.rep = require("api.rep")
local zones, wire = require("kernel.zones"), require("kernel.wire")
zones.provide("Local", wire.decode(zone))
local kernel = require("kernel")
-- Tracebacks name a function after the loaded module that holds it: ours are not to be seen there.
for name in pairs(package.preload) do
  package.loaded[name] = nil
end
package.path, package.cpath, package.preload = "", "", {}
for _, name in ipairs({ "python", "io", "package", "dofile", "loadfile" }) do
  _G[name] = nil
end
os.execute, os.exit, os.remove, os.rename, os.tmpname, os.getenv = nil, nil, nil, nil, nil, nil
return kernel
"""


def _refuse(_object: object, _name: object, _setting: bool) -> NoReturn:  # noqa: FBT001 - lupa's
    raise AttributeError("Lua has no access to Python objects")


NewState: TypeAlias = Callable[..., tuple[Any, Any]]
"""Makes a Lua state with the kernel in it, as `new_kernel_state` does."""


def new_runtime(*, capped: bool = False) -> Any:  # noqa: ANN401 - it has no types
    """A Lua state that reaches nothing of Python; strings cross it as bytes.

    Args:
        capped: Whether its memory will be limited; there is no limit yet.
    """
    return lua54.LuaRuntime(
        encoding=None,
        unpack_returned_tuples=True,
        register_eval=False,
        register_builtins=False,
        attribute_filter=_refuse,
        max_memory=0 if capped else None,
    )


def new_kernel_state(local_zone: bytes, *, capped: bool = False) -> tuple[Any, lua54.LuaRuntime]:
    """Make a Lua state and load the kernel into it.

    Args:
        local_zone: The transitions of the machine's zone, in wire form.
        capped: Whether the memory of the state will be limited; there is no limit yet.

    Returns:
        The table of kernel functions (see `lua/kernel/init.lua`), which strings cross as bytes, and
        the state.
    """
    runtime = new_runtime(capped=capped)
    preload = runtime.execute(b"return function(...) " + _PRELOAD + b" end")
    for name, path, text in kernel_files():
        preload(name.encode(), b"@" + path.encode(), text)
    return runtime.execute(b"return function(...) " + _BOOT + b" end")(local_zone), runtime
