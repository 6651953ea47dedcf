"""A Lua state as the kernel needs it: preempted, capped, stepped. Knows not what is in its rows."""

from __future__ import annotations

import math
import warnings
from typing import Any, TypeAlias

from lua_api._errors import StateLostError
from lua_api._memory import MemoryCap
from lua_api._preemption import HookError, SliceHook
from lua_api._runtime import NewState, lupa_module

StepResult: TypeAlias = tuple[bool, float | None, bytes | None]
"""Whether there is more to run, when the next timer goes off, and the rows."""


class LuaState:
    """A Lua state with the kernel in it.

    Args:
        local_zone: The transitions of the machine's zone, in wire form.
        max_memory: How many bytes it may take while processes run.
        lua: Which Lua it is.
        new_state: Makes the state (see `new_kernel_state`).

    Attributes:
        kernel: The table of kernel functions (see `lua/kernel/init.lua`).
        max_memory: As given.
    """

    def __init__(self, local_zone: bytes, max_memory: float, lua: str, new_state: NewState) -> None:
        self.max_memory = max_memory
        self._module = lupa_module(lua)
        capped = max_memory < math.inf
        self.kernel, runtime = new_state(local_zone, lua=lua, capped=capped)
        # LuaJIT looks at no hook in what it has compiled.
        self._may_preempt = lua != "jit"
        self._hook = self._open_hook() if self._may_preempt else None
        self._step = self.kernel.step
        if capped:
            self._cap = MemoryCap(runtime, int(max_memory))
            self.kernel.set_cap(self._cap.limit)
            self._step = self._step_capped

    def _open_hook(self) -> SliceHook | None:
        """Have processes preempted, or else ended when they run for long."""
        try:
            hook = SliceHook(self._module.__file__, self.kernel.SLICE)
        except HookError:
            self.kernel.limit_turns()
            return None
        hook.attach(self.kernel.open_factory().decode())
        return hook

    def step(self, now: int, budget: int) -> StepResult:
        """Let time be `now` (nanoseconds) and run for about `budget` requests.

        Raises:
            StateLostError: Memory ran out in a way that no process can pay for.
        """
        if self._hook is not None:
            self._hook.looks = 0
        outcome: StepResult = self._step(now, budget)
        return outcome

    def warn_of_limits(self, host: str) -> None:
        """Say so if processes cannot be preempted here."""
        if self._hook is None and self._may_preempt:
            warnings.warn(
                f"host {host}: Lua processes cannot be preempted on this platform; one that runs "
                f"{self.kernel.LONGEST_TURN:,} instructions without giving others a turn is ended",
                RuntimeWarning,
                stacklevel=3,
            )

    def _step_capped(self, now: int, budget: int) -> StepResult:
        """Step under the cap; whoever cannot go on for want of memory has ended."""
        self._fit()
        kernel = self.kernel
        kernel.begin_step(now)
        kernel.answer_first()
        try:
            with self._cap:
                exhausted = kernel.run_capped(budget)
        except self._module.LuaMemoryError:
            exhausted = True
        if exhausted:
            self._recover()
        kernel.answer_first()
        outcome: StepResult = kernel.finish_step()
        return outcome

    def _fit(self) -> None:
        """Make sure that the state is under its cap, after what came from outside."""
        cap = self._cap
        if not cap.is_exceeded():
            return
        self.kernel.collect_garbage()
        if cap.is_exceeded():
            raise StateLostError(
                f"what came from outside does not fit in (max_memory of {cap.limit} bytes)"
            )

    def _recover(self) -> None:
        if not self.kernel.recover():
            raise StateLostError(
                f"the kernel ran out of memory (max_memory of {self._cap.limit} bytes)"
            )
        address: Any = self.kernel.reopen_factory()
        if address is not None and self._hook is not None:
            self._hook.attach(address.decode())
        # To build a string Lua takes no garbage away first, but gives up.
        self.kernel.collect_garbage()
