"""A Lua state with only the kernel in it. Knows lupa, not what the kernel does."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import Any, Final, NoReturn

from specs import SuperviseError

_MODULES: Final = {"5.4": "lupa.lua54", "5.5": "lupa.lua55", "jit": "lupa.luajit21"}


@functools.cache
def _kernel_files() -> tuple[tuple[str, str, bytes], ...]:
    """Every Lua file of this package: module name, path for error messages, text."""
    root = Path(__file__).parent / "lua"
    files = []
    for path in sorted(root.rglob("*.lua")):
        parts = path.parts[len(root.parts) :]
        module = ".".join(parts).removesuffix(".lua").removesuffix(".init")
        files.append((module, "lua_api/lua/" + "/".join(parts), path.read_bytes()))
    return tuple(files)


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


@functools.cache
def _runtime_class(lua: str) -> Any:  # noqa: ANN401 - a class of one of lupa's modules
    try:
        return importlib.import_module(_MODULES[lua]).LuaRuntime
    except ImportError as exc:
        raise SuperviseError(f'lua "{lua}": the installed lupa comes without it ({exc})') from exc


def check_lua(lua: str) -> None:
    """Make sure that lupa has a version of Lua: `"5.4"`, `"5.5"` or `"jit"`.

    Raises:
        SuperviseError: It has not.
    """
    _runtime_class(lua)


def _new_runtime(lua: str) -> Any:  # noqa: ANN401 - a LuaRuntime
    return _runtime_class(lua)(
        encoding=None,
        unpack_returned_tuples=True,
        register_eval=False,
        register_builtins=False,
        attribute_filter=_refuse,
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
        for name, path, text in _kernel_files()
    ]


def new_kernel_state(local_zone: bytes, lua: str = "5.4") -> Any:  # noqa: ANN401 - a Lua table
    """Make a Lua state and load the kernel into it.

    Args:
        local_zone: The transitions of the machine's zone, in wire form.
        lua: Which Lua: `"5.4"`, `"5.5"` or `"jit"`.

    Returns:
        The table of kernel functions (see `lua/kernel/init.lua`); strings cross it as bytes.

    Raises:
        SuperviseError: lupa comes without this Lua.
    """
    runtime = _new_runtime(lua)
    _preload_kernel(runtime, lua)
    return _function(runtime, _BOOT)(local_zone)
