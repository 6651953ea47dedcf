"""A fresh Lua state that can require the kernel's modules, with stand-ins for the value classes."""

from __future__ import annotations

import importlib
from typing import Any

from lua_api import _runtime

_VALUE_CLASSES = b"""
local classes = require("kernel.classes")
Error, Time, Duration, Channel = {}, {}, {}, {}
classes.register(Error, 1, function(e)
  return { message = e.message, kind = e.kind, retryable = e.retryable, details = e.details,
           stack = e.stack, context = e.context }
end, function(data) return setmetatable(data, Error) end)
classes.register(Time, 2, function(t)
  return { t.sec, t.nsec, t.zone, t.offset, t.abbreviation }
end, function(d)
  return setmetatable({ sec = d[1], nsec = d[2], zone = d[3], offset = d[4],
                        abbreviation = d[5] }, Time)
end)
classes.register(Duration, 3, function(d) return d.ns end, function(ns)
  return setmetatable({ ns = ns }, Duration)
end)
classes.refuse(Channel, "channel")
"""


def open_state(lua: str = "lua54") -> Any:
    """A state of `lupa.<lua>` without any Lua code of users."""
    state = importlib.import_module(f"lupa.{lua}").LuaRuntime(encoding=None)
    preload(state)
    state.execute(_VALUE_CLASSES)
    return state


def preload(state: Any) -> None:
    """Let `require` find every Lua file of the package."""
    add = state.execute(
        b"return function(name, text) package.preload[name] = assert(load(text, '@' .. name)) end"
    )
    for name, _, text in _runtime.kernel_files():
        add(name.encode(), text)


def call(state: Any, body: str, *args: object) -> Any:
    """Run a chunk that may use `wire`, `copy` and its arguments `...`."""
    head = 'local wire, copy = require("kernel.wire"), require("kernel.copy") '
    return state.execute((head + body).encode(), *args)
