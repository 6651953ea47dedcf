"""How a run ends in an exit code, and how its errors look on stderr. Knows not what runs."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import click
import trio

from lua_api import Fault
from specs import SuperviseError
from supervise._errors import fault_text

FAILED = 1

_OURS = (
    str(Path(__file__).parent),
    str(Path(trio.__file__).parent),
    str(Path(importlib.__file__).parent),
    "<frozen importlib",
)


def run_to_exit(function: Callable[..., Awaitable[int]], *args: Any) -> int:  # noqa: ANN401
    """Run an async function under trio; returns its exit code, or shows its error."""
    try:
        return trio.run(function, *args)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is not None:
            raise KeyboardInterrupt from None
        if group.subgroup(lambda exc: not isinstance(exc, Exception)) is not None:
            raise
        if group.subgroup(BrokenPipeError) is not None:
            raise BrokenPipeError from None
        return show_error(group)
    except BrokenPipeError:
        raise
    except Exception as exc:  # noqa: BLE001 - it is code of the user that runs here
        return show_error(exc)


def show_error(exc: BaseException) -> int:
    """Show what ended a run: our errors as a line and what Lua says, others as Python does."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    if not isinstance(exc, SuperviseError):
        traceback.print_exception(exc.with_traceback(of_user(exc.__traceback__)))
        return FAILED
    click.echo(f"supervise: {exc}", err=True)
    fault = getattr(exc, "fault", None)
    if isinstance(fault, Fault) and fault.stack:
        click.echo(fault.stack, err=True)
    return FAILED


def of_user(frames: TracebackType | None) -> TracebackType | None:
    """The frames from the first one that is neither ours nor trio's."""
    first = frames
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_OURS):
        first = first.tb_next
    return first or frames


def text_of(value: str | bytes) -> str:
    """What a process printed, as a string that stands for any bytes."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def show_fault(label: str, fault: Fault) -> None:
    """Show an error of Lua after a label, with its stack below."""
    click.echo(label + fault_text(fault), err=True)
    if fault.stack:
        click.echo(fault.stack, err=True)
