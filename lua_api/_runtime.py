"""A Lua state with only the kernel in it. Knows lupa, not what the kernel does."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

from specs import SuperviseError

_MODULES: Final = {"5.4": "lupa.lua54", "5.5": "lupa.lua55", "jit": "lupa.luajit21"}


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


_COMPILE = b"""
local name, chunk_name, text = ...
package.preload[name] = assert(load(text, chunk_name, "t"))
return string.dump(package.preload[name])
"""

_PRELOAD = b"""
local name, code = ...
package.preload[name] = assert(load(code, name, "b"))
"""

# Once the kernel is loaded nothing may be loaded from outside; nothing of Python is left inside.
_BOOT = b"""
local zone = ...
string.rep = require("api.rep")
local zones, wire = require("kernel.zones"), require("kernel.wire")
zones.provide("Local", wire.decode(zone))
local kernel = require("kernel")
-- Tracebacks name a function after the loaded module that holds it, and search them all for it.
debug.getregistry()._LOADED = {}
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


@functools.cache
def lupa_module(lua: str) -> Any:  # noqa: ANN401 - one of lupa's modules
    """The module of lupa for a version of Lua: `"5.4"`, `"5.5"` or `"jit"`.

    Raises:
        SuperviseError: lupa comes without it.
    """
    try:
        return importlib.import_module(_MODULES[lua])
    except ImportError as exc:
        raise SuperviseError(f'lua "{lua}": the installed lupa comes without it ({exc})') from exc


def check_lua(lua: str) -> None:
    """Make sure that lupa has a version of Lua.

    Raises:
        SuperviseError: It has not.
    """
    lupa_module(lua)


def new_runtime(lua: str = "5.4", *, capped: bool = False) -> Any:  # noqa: ANN401 - a LuaRuntime
    """A Lua state that reaches nothing of Python; strings cross it as bytes.

    Args:
        lua: Which Lua.
        capped: Whether its memory will be limited; there is no limit yet.
    """
    return lupa_module(lua).LuaRuntime(
        encoding=None,
        unpack_returned_tuples=True,
        register_eval=False,
        register_builtins=False,
        attribute_filter=_refuse,
        max_memory=0 if capped else None,
    )


def _function(runtime: Any, body: bytes) -> Any:  # noqa: ANN401 - a Lua function
    return runtime.execute(b"return function(...) " + body + b" end")


# Version of Lua -> every module and its bytecode. Compiling takes longer than all the rest, and so
# only the first state does it.
_compiled: dict[str, list[tuple[bytes, bytes]]] = {}


def _preload_kernel(runtime: Any, lua: str) -> None:  # noqa: ANN401 - a LuaRuntime
    known = _compiled.get(lua)
    if known is not None:
        preload = _function(runtime, _PRELOAD)
        for name, code in known:
            preload(name, code)
        return
    compile_ = _function(runtime, _COMPILE)
    _compiled[lua] = [
        (name.encode(), compile_(name.encode(), b"@" + path.encode(), text))
        for name, path, text in kernel_files()
    ]


def new_kernel_state(
    local_zone: bytes, *, lua: str = "5.4", capped: bool = False
) -> tuple[Any, Any]:
    """Make a Lua state and load the kernel into it.

    Args:
        local_zone: The transitions of the machine's zone, in wire form.
        lua: Which Lua.
        capped: Whether the memory of the state will be limited; there is no limit yet.

    Returns:
        The table of kernel functions (see `lua/kernel/init.lua`), which strings cross as bytes, and
        the state.

    Raises:
        SuperviseError: lupa comes without this Lua.
    """
    runtime = new_runtime(lua, capped=capped)
    _preload_kernel(runtime, lua)
    return _function(runtime, _BOOT)(local_zone), runtime
