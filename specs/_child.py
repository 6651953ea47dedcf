"""What one child of a supervisor is: how it starts, when it restarts, how it is stopped."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import Factory, field, frozen

from specs import _fields as f
from specs._repr import show, spec_repr

if TYPE_CHECKING:
    from specs._supervisor import DynamicSupervisorSpec, SupervisorSpec

TaskFunction: TypeAlias = Callable[..., Awaitable[object]]


class Restart(Enum):
    """When a child that ended is started again."""

    PERMANENT = "permanent"
    """Always: for services. The default."""
    TRANSIENT = "transient"
    """After an error or a kill: for work that may end well."""
    TEMPORARY = "temporary"
    """Never: for work nobody repeats. Its spec is dropped when it ends."""


class BrutalKill(Enum):
    """The type of `BRUTAL_KILL`."""

    BRUTAL_KILL = "brutal_kill"

    def __repr__(self) -> str:
        return self.name


BRUTAL_KILL: Final = BrutalKill.BRUTAL_KILL
"""As a child's `shutdown`: end it by force at once, without asking."""

Shutdown: TypeAlias = float | Literal[BrutalKill.BRUTAL_KILL]

WORKER_SHUTDOWN: Final = 5.0
"""Seconds of grace for a child that is not a supervisor."""

WORKER_START_TIMEOUT: Final = 30.0
"""Seconds until a child that is not a supervisor has started."""


def _accepts_shutdown(value: object) -> bool:
    return value is BRUTAL_KILL or (f.is_number(value) and value >= 0)  # type: ignore[operator]


def _read_shutdown(value: object) -> object:
    return BRUTAL_KILL if value == BRUTAL_KILL.value else f.read_infinity(value)


def _write_shutdown(value: object) -> object:
    return BRUTAL_KILL.value if value is BRUTAL_KILL else f.write_infinity(value)


_SHUTDOWN = f.Rule(
    want="seconds, at least 0, infinity or brutal_kill",
    accepts=_accepts_shutdown,
    schema={
        "anyOf": [
            {"type": "number", "minimum": 0},
            {"enum": [f.INFINITY, BRUTAL_KILL.value]},
        ]
    },
    read=_read_shutdown,
    write=_write_shutdown,
    words=(f.INFINITY, BRUTAL_KILL.value),
)
_START_TIMEOUT = f.Rule(
    want="seconds, more than 0, or infinity",
    accepts=lambda value: f.is_number(value) and value > 0,
    schema={"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": f.INFINITY}]},
    read=f.read_infinity,
    write=f.write_infinity,
)
_WORD = r"[A-Za-z0-9_][A-Za-z0-9_-]*"
_ENTRY_PATTERN = rf"{_WORD}(\.{_WORD})*:{_WORD}"
_is_entry = re.compile(_ENTRY_PATTERN).fullmatch
_ENTRY = f.Rule(
    want='a Lua entry "<namespace>:<name>", such as "shop:stock"',
    accepts=lambda value: isinstance(value, str) and bool(_is_entry(value)),
    schema={"type": "string", "pattern": f"^{_ENTRY_PATTERN}$"},
)


@frozen(repr=False)
class LuaStart:
    """A child that is a Lua process. Made by `lua()`.

    Attributes:
        entry: What it runs, such as `"app.jobs:mail"`; its `main` is called.
        args: What `main` is called with, copied into the process; none by default.
        host: The host that runs it; the node's first one by default.
    """

    entry: str = field(metadata=f.must(_ENTRY, key="lua"))
    args: tuple[Any, ...] = field(default=(), converter=f.as_tuple, metadata=f.must(f.ARGUMENTS))
    host: str | None = field(default=None, metadata=f.must(f.OPTIONAL_NAME))

    def __repr__(self) -> str:
        host = "" if self.host is None else f", host={self.host!r}"
        return f"lua({', '.join(map(repr, (self.entry, *self.args)))}{host})"


def lua(entry: str, *args: Any, host: str | None = None) -> LuaStart:  # noqa: ANN401
    """A child that is a Lua process.

    Args:
        entry: What it runs, such as `"app.jobs:mail"`: the file `app/jobs/mail.lua`.
        *args: Plain data, copied into the process.
        host: The host that runs it; the node's first one by default.
    """
    return LuaStart(entry, args, host)


def task_reference(fn: object) -> str | None:
    """How data names a function: `"package.module:function"`; None if no import finds it."""
    module = getattr(fn, "__module__", None)
    name = getattr(fn, "__qualname__", None)
    return f"{module}:{name}" if module and name and "<" not in name else None


_TASK = f.Rule(
    want='an async function, in data "package.module:function"',
    accepts=callable,
    schema={"type": "string", "pattern": r"^[^:]+:[^:]+$"},
)


@frozen(repr=False)
class TaskStart:
    """A child that is a Python async function. Made by `task()`.

    Attributes:
        fn: The async function; if it takes a `task_status`, it is up once it calls
            `task_status.started()`.
        args: What it is called with; none by default.
    """

    fn: TaskFunction = field(metadata=f.must(_TASK, key="task"))
    args: tuple[Any, ...] = field(default=(), converter=f.as_tuple, metadata=f.must(f.ARGUMENTS))

    def __repr__(self) -> str:
        name = getattr(self.fn, "__qualname__", repr(self.fn))
        return f"task({', '.join((name, *map(show, self.args)))})"


def task(fn: TaskFunction, *args: Any) -> TaskStart:  # noqa: ANN401
    """A child that is a Python async function, given as trio takes it: `fn, *args`.

    Args:
        fn: The async function.
        *args: What it is called with.
    """
    return TaskStart(fn, args)


@frozen(kw_only=True)
class Backoff:
    """How long to wait before each restart of a child that keeps failing.

    A restart is charged when the child ends, not when its wait is over. Waits that are longer than
    `max_seconds` still keep a crash loop below the limit: raise `max_seconds` with `maximum`.

    Attributes:
        initial: Seconds before the first restart; 1.0 by default.
        maximum: No wait is longer than these seconds, but for its jitter; 60.0 by default.
        factor: Each wait is this many times the one before; 2.0 by default, 1.0 for a steady pace.
        jitter: The share of a wait that is left to chance, 0 to 1, so that children that fell
            together do not come back together; 0.1 by default.
        stable: A child that was up for these seconds starts over at `initial`; 10.0 by default.
    """

    initial: float = field(
        default=1.0,
        converter=f.as_float,
        metadata=f.must(f.number("seconds, more than 0", above=0)),
    )
    maximum: float = field(
        default=60.0,
        converter=f.as_float,
        metadata=f.must(f.number("seconds, more than 0", above=0)),
    )
    factor: float = field(
        default=2.0, converter=f.as_float, metadata=f.must(f.number("a number from 1", least=1))
    )
    jitter: float = field(
        default=0.1,
        converter=f.as_float,
        metadata=f.must(f.number("a number from 0 to 1", least=0, most=1)),
    )
    stable: float = field(
        default=10.0,
        converter=f.as_float,
        metadata=f.must(f.number("seconds, more than 0", above=0)),
    )
    __repr__ = spec_repr


def _default_name(child: ChildSpec) -> str | None:
    return child.start.name if child.is_supervisor else None  # type: ignore[union-attr]


def _default_shutdown(child: ChildSpec) -> Shutdown:
    return math.inf if child.is_supervisor else WORKER_SHUTDOWN


def _default_start_timeout(child: ChildSpec) -> float:
    return math.inf if child.is_supervisor else WORKER_START_TIMEOUT


@frozen(repr=False)
class ChildSpec:
    """One child of a supervisor.

    Attributes:
        id: What the supervisor calls it; unique among its siblings.
        start: What it is: `lua(...)`, `task(...)`, or the spec of another supervisor.
        name: A name to register it under, unique in the node, by which others reach it after a
            restart too; none by default.
        restart: When it is started again; permanent by default, which suits services.
        shutdown: Seconds it has to end once asked, `math.inf`, or `BRUTAL_KILL`; 5.0 by default,
            `math.inf` for a supervisor, which you most likely want to keep.
        significant: Whether its end of its own accord may end the supervisor, see `AutoShutdown`;
            false by default.
        start_timeout: Seconds it has until it has started; 30.0 by default, `math.inf` for a
            supervisor, each of whose children has its own.
        ready: Whether a Lua child has started only when it calls `process.started()`; false by
            default. Set it for children that others rely on at once.
        backoff: How long to wait before restarts; none by default, which restarts at once.
        labels: Strings that are kept and shown, never interpreted; none by default.
    """

    id: str = field(metadata=f.must(f.NAME))
    start: LuaStart | TaskStart | SupervisorSpec | DynamicSupervisorSpec
    name: str | None = field(
        kw_only=True,
        default=Factory(_default_name, takes_self=True),
        metadata=f.must(f.OPTIONAL_NAME),
    )
    restart: Restart = field(
        kw_only=True, default=Restart.PERMANENT, metadata=f.must(f.one_of(Restart))
    )
    shutdown: Shutdown = field(
        kw_only=True,
        default=Factory(_default_shutdown, takes_self=True),
        converter=f.as_float,
        metadata=f.must(_SHUTDOWN),
    )
    significant: bool = field(kw_only=True, default=False, metadata=f.must(f.FLAG))
    start_timeout: float = field(
        kw_only=True,
        default=Factory(_default_start_timeout, takes_self=True),
        converter=f.as_float,
        metadata=f.must(_START_TIMEOUT),
    )
    ready: bool = field(kw_only=True, default=False, metadata=f.must(f.FLAG))
    backoff: Backoff | None = field(kw_only=True, default=None)
    labels: dict[str, str] = field(
        kw_only=True, factory=dict, converter=f.as_dict, metadata=f.must(f.LABELS), hash=False
    )
    __repr__ = spec_repr

    @property
    def is_supervisor(self) -> bool:
        """Whether the child is a supervisor itself."""
        return hasattr(self.start, "max_restarts")
