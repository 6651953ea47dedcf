"""Lets Lua coroutines yield after a number of instructions: a hook of C, which lupa does not offer.

Knows ctypes and Lua's C API, which lupa's extension modules export on most platforms. Knows neither
lupa nor the kernel.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Final

_MASK_COUNT: Final = 8

# Where Lua cannot suspend a coroutine, as in the comparator of a sort, the hook looks again soon,
# and after this many looks in one step of the kernel it lets the coroutine fail.
_SHORT_SLICE: Final = 1000
_MOST_LOOKS: Final = 50_000

_Hook = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


class HookError(Exception):
    """This platform does not let us set a hook."""


@functools.cache
def _lua_library(path: str) -> ctypes.PyDLL:
    """The C API of Lua in an extension module.

    Raises:
        HookError: The module hides it.
    """
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    try:
        library = ctypes.PyDLL(path)
        library.lua_sethook.argtypes = [pointer, pointer, integer, integer]
        library.lua_sethook.restype = None
        library.lua_gethookcount.argtypes = [pointer]
        library.lua_isyieldable.argtypes = [pointer]
        library.lua_yieldk.argtypes = [pointer, integer, pointer, pointer]
        library.luaL_error  # noqa: B018 - it must be there
    except (OSError, AttributeError) as exc:
        raise HookError(str(exc)) from exc
    return library


class SliceHook:
    """A hook that stops coroutines after each slice. Keep it for as long as the Lua state lives.

    Args:
        path: The file of the extension module that holds the state.
        instructions: How long a slice is.

    Raises:
        HookError: The module hides what it takes.
    """

    def __init__(self, path: str, instructions: int) -> None:
        library = _lua_library(path)
        set_hook, count_of = library.lua_sethook, library.lua_gethookcount
        is_yieldable, suspend = library.lua_isyieldable, library.lua_yieldk
        # As a hook it is called with the state and a pointer, which it takes for its format. There
        # stands the number of the event, 3 in a count hook: an error with the text "\3" on a
        # little-endian machine. An error that a hook of Python raised would jump over frames of
        # Python, and they would never be left.
        fail = ctypes.cast(library.luaL_error, ctypes.c_void_p)

        def look(state: int, _event: int) -> None:
            if is_yieldable(state):
                self.looks = 0
                if count_of(state) != instructions:
                    set_hook(state, self._look, _MASK_COUNT, instructions)
                suspend(state, 0, None, None)
                return
            self.looks += 1
            if self.looks > _MOST_LOOKS:
                # At each instruction, so that no pcall of the process helps.
                set_hook(state, fail, _MASK_COUNT, 1)
            elif count_of(state) != _SHORT_SLICE:
                set_hook(state, self._look, _MASK_COUNT, _SHORT_SLICE)

        self._callback = _Hook(look)
        self._look = ctypes.cast(self._callback, ctypes.c_void_p)
        self._set_hook = set_hook
        self._instructions = instructions
        self.looks = 0
        """How often in a row something ran on that could not be suspended."""

    def attach(self, thread: str) -> None:
        """Stop a coroutine, and those it will create.

        Args:
            thread: What `tostring` of Lua makes of it.
        """
        address = int(thread.removeprefix("thread: "), 16)
        self._set_hook(address, self._look, _MASK_COUNT, self._instructions)
