"""Lua programs from a small grammar: plain values that print as Lua, run anywhere, and shrink.

A `Program` is what one process does, step by step; what it spawns are programs inside it. Each
process tells whoever holds the name `observer` what every step gave (see `observe` and `predict`);
where nobody does, it just runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen

from supervise.testing.literals import lua_literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HOST = "app:processes"
"""Where programs spawn."""

OBSERVER = "observer"
"""The name of the process that is told what every step gave."""

RESERVED_TOPICS = ("", "@a")
"""Topics that nobody may use."""


# Whom a step is about.


@frozen
class Me:
    """The process itself."""

    def __str__(self) -> str:
        return "process.pid()"


@frozen
class Parent:
    """The process that spawned this one; nobody for the first one."""

    def __str__(self) -> str:
        return "parent"


@frozen
class Child:
    """What the n-th spawn of the program, from 1, has started."""

    n: int

    def __str__(self) -> str:
        return f"child[{self.n}]"


@frozen
class Name:
    """Whoever holds a name."""

    name: str

    def __str__(self) -> str:
        return lua_literal(self.name)


Dest: TypeAlias = Me | Parent | Child | Name


# Steps. Each is one call; as text, its Lua expression.


@frozen
class Spawn:
    """Start a process that runs `program`; with `wait`, wait for its end (`process.exec`)."""

    program: Program
    link: bool = False
    monitor: bool = False
    wait: bool = False

    @property
    def function(self) -> str:
        """The function of `process` that does it."""
        if self.wait:
            return "exec"
        return "spawn" + "_linked" * self.link + "_monitored" * self.monitor


@frozen
class Watch:
    """`link`, `unlink`, `monitor`, `unmonitor` or `terminate`."""

    act: str
    dest: Dest

    def __str__(self) -> str:
        return f"process.{self.act}({self.dest})"


@frozen
class Cancel:
    """Ask a process to end."""

    dest: Dest
    reason: str = ""

    def __str__(self) -> str:
        return f"process.cancel({self.dest}, {lua_literal(self.reason)})"


@frozen
class Send:
    """Send a payload under a topic."""

    dest: Dest
    topic: str
    payload: Any = None

    def __str__(self) -> str:
        return f"process.send({self.dest}, {lua_literal(self.topic)}, {lua_literal(self.payload)})"


@frozen
class Listen:
    """Open the channel of a topic: of payloads if `raw`, else of messages."""

    topic: str
    raw: bool = False

    def __str__(self) -> str:
        options = "" if self.raw else ", { message = true }"
        return f"process.listen({lua_literal(self.topic)}{options})"


@frozen
class Unlisten:
    """Close the channel of a topic."""

    topic: str

    def __str__(self) -> str:
        return f"process.unlisten(topic[{lua_literal(self.topic)}])"


@frozen
class Receive:
    """Take the first item of the first of these channels that has one.

    Attributes:
        channels: `"inbox"`, `"events"`, or topics that the program has listened to.
        wait: Whether to wait for one.
    """

    channels: tuple[str, ...] = ("inbox",)
    wait: bool = True


@frozen
class Sleep:
    """Wait, for milliseconds."""

    milliseconds: int

    def __str__(self) -> str:
        return f'time.sleep("{self.milliseconds}ms")'


@frozen
class TrapLinks:
    """Whether a failure over a link arrives as an event or ends the process."""

    on: bool = True

    def __str__(self) -> str:
        return f"process.set_options({{ trap_links = {str(self.on).lower()} }})"


@frozen
class Register:
    """Give a name to a process."""

    name: str
    dest: Me | Parent | Child = field(factory=Me)

    def __str__(self) -> str:
        return f"process.registry.register({lua_literal(self.name)}, {self.dest})"


@frozen
class Unregister:
    """Release a name, whoever holds it."""

    name: str

    def __str__(self) -> str:
        return f"process.registry.unregister({lua_literal(self.name)})"


@frozen
class Lookup:
    """Ask who holds a name."""

    name: str

    def __str__(self) -> str:
        return f"process.registry.lookup({lua_literal(self.name)})"


@frozen
class Return:
    """End with a result."""

    result: Any = None

    def __str__(self) -> str:
        return f"return {lua_literal(self.result)}"


@frozen
class Fail:
    """End with an error, raised or returned beside nil; with a kind it is an error object."""

    message: str
    kind: str = ""
    returned: bool = False

    def __str__(self) -> str:
        error = lua_literal(self.message)
        if self.kind:
            error = f"errors.new({{ message = {error}, kind = {lua_literal(self.kind)} }})"
        return f"return nil, {error}" if self.returned else f"error({error}, 0)"


Step: TypeAlias = (
    Spawn
    | Watch
    | Cancel
    | Send
    | Listen
    | Unlisten
    | Receive
    | Sleep
    | TrapLinks
    | Register
    | Unregister
    | Lookup
    | Return
    | Fail
)

# A process tells what a step gave as a table; a message object goes as its three parts.
_HEADER = """\
local child, topic = {}, {}
local function see(step, value, failure, extra)
  process.send("observer", "seen", { step = step, value = value, failure = failure, extra = extra })
  return value
end
local function open(step, name, ch, failure)
  topic[name] = ch
  see(step, ch ~= nil or nil, failure)
end
local function take(step, wait, ...)
  local channels, cases, index = { ... }, { default = not wait or nil }, {}
  for i, ch in ipairs(channels) do
    cases[i], index[ch] = ch:case_receive(), i
  end
  if wait and #channels == 1 then
    local value, ok = channels[1]:receive()
    return see(step, { index = 1, value = value, ok = ok })
  end
  local got = channel.select(cases)
  see(step, { index = index[got.channel] or 0, value = got.value, ok = got.ok })
end
"""


def _as_steps(steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(steps)


@frozen
class Program:
    """What a process does, one step after the other; after the last one it returns.

    Keep it short: a process that makes 64 calls in a row lets the others run in between, which
    `predict` does not know.

    Raises:
        ValueError: A step is about a child or a channel that no step before it has made.
    """

    steps: tuple[Step, ...] = field(default=(), converter=_as_steps)

    @steps.validator
    def _check(self, _attribute: object, steps: tuple[Step, ...]) -> None:
        for number, step, fault in faults(steps):
            raise ValueError(f"step {number}, {step!r}: {fault}")

    def entries(self, name: str = "program:main") -> dict[str, str]:
        """The Lua source of each process: `name` is this one, `name.n` the n-th it spawns."""
        texts = {name: _HEADER + self._main(name)}
        for n, program in enumerate(self.children, 1):
            texts |= program.entries(f"{name}.{n}")
        return texts

    @property
    def children(self) -> list[Program]:
        """The programs it spawns, in order."""
        return [step.program for step in self.steps if isinstance(step, Spawn)]

    def _main(self, name: str) -> str:
        lines, spawned = [], 0
        for number, step in enumerate(self.steps, 1):
            spawned += isinstance(step, Spawn)
            lines.append("  " + _line(number, step, f"{name}.{spawned}", spawned))
            if isinstance(step, Return | Fail):
                break
        return "\n".join(["return function(parent)", *lines, "end\n"])

    def __str__(self) -> str:
        return "\n".join(
            f"-- {name}\n{text.removeprefix(_HEADER)}" for name, text in self.entries().items()
        )


def _line(number: int, step: Step, entry: str, spawned: int) -> str:
    match step:
        case Return() | Fail():
            return str(step)
        case Spawn():
            call = f'process.{step.function}("{entry}", "{HOST}", process.pid())'
            if step.wait:
                return f'see({number}, {call}) child[{spawned}] = "nobody"'
            return f'child[{spawned}] = see({number}, {call}) or "nobody"'
        case Listen():
            return f"open({number}, {lua_literal(step.topic)}, {step})"
        case Receive():
            channels = "".join(f", {_channel(name)}" for name in step.channels)
            return f"take({number}, {str(step.wait).lower()}{channels})"
        case _:
            return f"see({number}, {step})"


def _channel(name: str) -> str:
    if name in {"inbox", "events"}:
        return f"process.{name}()"
    return f"topic[{lua_literal(name)}]"


def faults(steps: tuple[Step, ...]) -> Iterator[tuple[int, Step, str]]:
    """The steps that speak of what is not there: number from 1, step, what is wrong."""
    spawned, topics = 0, {"inbox", "events"}
    for number, step in enumerate(steps, 1):
        dest = getattr(step, "dest", None)
        unknown = set(getattr(step, "channels", ())) - topics
        if isinstance(dest, Child) and not 1 <= dest.n <= spawned:
            yield number, step, f"child {dest.n} is not there: {spawned} spawned so far"
        elif unknown:
            yield number, step, f"no step before it listens to {', '.join(sorted(unknown))}"
        elif isinstance(step, Unlisten) and step.topic not in topics:
            yield number, step, f"no step before it listens to {step.topic}"
        spawned += isinstance(step, Spawn)
        if isinstance(step, Listen) and step.topic not in RESERVED_TOPICS:
            topics.add(step.topic)
