"""Parts of the kernel, each against the simplest thing that does the same."""

from __future__ import annotations

import bisect
from collections import deque
from typing import TYPE_CHECKING, Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lua_api import Kernel, Reply, encode, encode_list
from supervise.testing.model import Process
from tests.kernel_state import open_state
from tests.puppets import World

if TYPE_CHECKING:
    from collections.abc import Iterator

STATE = open_state()

# Timers

TIMERS = STATE.execute("""
local timers, clock = require("kernel.timers"), require("kernel.clock")
local procs, made, fired = {}, {}, {}
local M = {}
local function fire(timer) fired[#fired + 1] = timer.id end
function M.set(id, proc, delay)
  procs[proc] = procs[proc] or { timers = false }
  made[id] = { id = id, proc = procs[proc], fire = fire }
  timers.set(made[id], delay)
end
function M.stop(id) return timers.stop(made[id]) end
function M.drop(proc) if procs[proc] then timers.drop_all(procs[proc]) end end
function M.let_pass(time)
  clock.now = clock.now + time
  timers.fire_due(1000)
  local ids = table.concat(fired, " ")
  fired = {}
  return ids, timers.next_at(), timers.count, clock.now
end
return M
""")

TIMER_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 3), st.integers(1, 20)),
        st.tuples(st.just("stop"), st.integers(0, 40)),
        st.tuples(st.just("drop"), st.integers(0, 3)),
        st.tuples(st.just("pass"), st.integers(0, 8)),
    ),
    max_size=60,
)


@given(TIMER_STEPS)
def test_timers_go_off_in_the_order_of_a_sorted_list(steps):
    """By time, then by who was set first; a stopped or dropped one never does (67, 71)."""
    for proc in range(4):
        TIMERS.drop(proc)
    now = TIMERS.let_pass(100)[3]
    pending: list[tuple[int, int, int]] = []
    serial = 0
    for step in steps:
        match step:
            case ("set", proc, delay):
                serial += 1
                bisect.insort(pending, (now + delay, serial, proc))
                TIMERS.set(serial, proc, delay)
            case ("stop", back) if serial > back:
                one = [timer for timer in pending if timer[1] == serial - back]
                assert TIMERS.stop(serial - back) is bool(one)
                pending = [timer for timer in pending if timer not in one]
            case ("drop", proc):
                TIMERS.drop(proc)
                pending = [timer for timer in pending if timer[2] != proc]
            case ("pass", time):
                ids, next_at, count, now = TIMERS.let_pass(time)
                due = [timer for timer in pending if timer[0] <= now]
                pending = pending[len(due) :]
                assert ids.decode() == " ".join(str(timer[1]) for timer in due)
                assert next_at == (pending[0][0] if pending else None)
                assert count == len(pending)


# Relations

RELATION = STATE.execute("""
local relation = require("kernel.relation")
local owner, items = { field = false }, {}
for i = 0, 99 do items[i] = { id = i } end
local function ids(list)
  local texts = {}
  for i = 1, #list do texts[i] = tostring(list[i].id) end
  return table.concat(texts, " ")
end
return {
  add = function(i) return relation.add(owner, "field", items[i]) end,
  remove = function(i) return relation.remove(owner, "field", items[i]) end,
  has = function(i) return relation.has(owner, "field", items[i]) end,
  size = function() return relation.size(owner, "field") end,
  list = function() return ids(relation.list(owner, "field")) end,
  take_all = function() return ids(relation.take_all(owner, "field")) end,
  slots = function()
    local held = owner.field
    return held and held.items and #held.items or 1
  end,
}
""")

RELATION_STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add", "remove", "has"]), st.integers(0, 5)),
        st.tuples(st.sampled_from(["add all", "remove all"]), st.integers(0, 90)),
        st.tuples(st.sampled_from(["list", "take_all"]), st.none()),
    ),
    max_size=40,
)


@given(RELATION_STEPS)
@example([("add", 1), ("add", 1), ("list", None)])
@example([("add all", 0), ("add all", 30), ("remove all", 0), ("remove", 50), ("list", None)])
@example([("add all", 40), ("remove all", 20), ("remove", 0), ("add", 3), ("list", None)])
def test_a_relation_is_an_ordered_set(steps):
    """Order of insertion, and no place is held for what was removed (67, 69)."""
    RELATION.take_all()
    held: dict[int, None] = {}

    def change(name: str, item: int) -> None:
        assert getattr(RELATION, name)(item) is ((item in held) != (name == "add"))
        if name == "add":
            held.setdefault(item)
        elif name == "remove":
            held.pop(item, None)

    for name, item in steps:
        match name:
            case "add all" | "remove all":
                for each in range(item, min(item + 40, 100)):
                    change(name.removesuffix(" all"), each)
            case "list" | "take_all":
                assert getattr(RELATION, name)().decode() == " ".join(map(str, held))
                if name == "take_all":
                    held.clear()
            case _:
                change(name, item)
        assert RELATION.size() == len(held)
        assert RELATION.slots() <= max(17, 2 * len(held) + 1)
    assert RELATION.take_all().decode() == " ".join(map(str, held))


# Channels

RUNNER = b"""
local function main(controller, sizes)
  local channels, index_of = {}, {}
  for i, size in ipairs(sizes) do
    channels[i] = channel.new(size)
    index_of[channels[i]] = i
  end
  local commands = process.listen("do")
  local answers = {}
  local function answer(id, ...)
    answers[#answers + 1] = { id, ... }
  end
  while true do
    local id, act, a, b = table.unpack(commands:receive(), 1, 4)
    answers = {}
    if act == "close" then
      channels[a]:close()
    else
      coroutine.spawn(function()
        if act == "send" then
          local results = table.pack(pcall(channels[a].send, channels[a], b))
          if results[1] then
            answer(id, results[2] == true, tostring(results[3]))
          else
            answer(id, "raised", string.find(results[2], "send on closed channel") ~= nil)
          end
        elseif act == "receive" then
          local value, ok = channels[a]:receive()
          answer(id, value or false, ok)
        else
          local cases = { default = act == "poll" }
          for i, case in ipairs(a) do
            local ch = channels[case[1]]
            cases[i] = case[2] and ch:case_send(case[2]) or ch:case_receive()
          end
          local got = channel.select(cases)
          answer(id, got.channel and index_of[got.channel] or "default", got.value or false, got.ok)
        end
      end)
    end
    -- Who was woken answers before this coroutine comes round again.
    time.sleep(1)
    process.send(controller, "answers", answers)
  end
end
return main
"""


class Runner:
    """A Lua process that runs a script of channel operations."""

    def __init__(self, sizes: list[int]) -> None:
        self.kernel = Kernel()
        self.kernel.add_host("host", max_processes=1, max_mailbox=10)
        self.kernel.provide_source("entry", "runner", "runner.lua", RUNNER)
        self.port, self.ticket, self.now = self.kernel.open_port(), 0, 0.0
        self.inbox = self.ask("inbox").value
        self.pid = self.ask("spawn", encode_list([self.port, sizes]), "runner", "host").value

    def ask(self, name: str, payload: bytes | None = None, *arguments: Any) -> Any:
        self.ticket += 1
        answer = self.kernel.request(self.port, self.ticket, name, payload, *arguments)
        return answer or self.replied()

    def replied(self) -> Any:
        while True:
            self.now += 1e-6
            for effect in self.kernel.step(self.now, 1000).effects:
                if isinstance(effect, Reply):
                    return effect.answer

    def run(self, *command: Any) -> list[tuple[Any, ...]]:
        self.ask("send", encode(list(command)), self.pid, "do", False)
        answer = self.ask("receive", encode([self.inbox]), False)
        return [tuple(row) for row in answer.value or ()]


class ChannelModel:
    """Buffers with waiting receivers and senders, all served first come, first served."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = dict(enumerate(sizes, 1))
        self.buffers: dict[int, deque[int]] = {ch: deque() for ch in self.sizes}
        self.closed: set[int] = set()
        # Who waits: (channel, value to send or None, operation); an operation is (id, kind).
        self.waiting: list[tuple[int, int | None, tuple[int, str]]] = []

    def first(self, ch: int, *, sends: bool) -> tuple[int, int | None, tuple[int, str]] | None:
        return next((w for w in self.waiting if w[0] == ch and (w[1] is not None) == sends), None)

    def answered(self, op: tuple[int, str], ch: int, *, sent: bool, value: Any, ok: bool) -> Any:
        self.waiting = [w for w in self.waiting if w[2] != op]
        number, kind = op
        if kind in ("select", "poll"):
            return (number, ch, False if sent else value, ok)
        if not sent:
            return (number, value, ok)
        return (number, True, "nil") if ok else (number, False, "channel was closed")

    def attempt(self, ch: int, value: int | None, op: tuple[int, str]) -> list[Any] | None:
        """The answers if the operation can be done at once, its own first in this list."""
        return self.receive(ch, op) if value is None else self.send(ch, value, op)

    def send(self, ch: int, value: int, op: tuple[int, str]) -> list[Any] | None:
        if ch in self.closed:
            if op[1] == "send":
                return [(op[0], "raised", True)]
            return [self.answered(op, ch, sent=True, value=None, ok=False)]
        done = self.answered(op, ch, sent=True, value=None, ok=True)
        if receiver := self.first(ch, sends=False):
            return [done, self.answered(receiver[2], ch, sent=False, value=value, ok=True)]
        if len(self.buffers[ch]) < self.sizes[ch]:
            self.buffers[ch].append(value)
            return [done]
        return None

    def receive(self, ch: int, op: tuple[int, str]) -> list[Any] | None:
        sender, woken = self.first(ch, sends=True), []
        if sender:
            self.buffers[ch].append(sender[1] or 0)
            woken = [self.answered(sender[2], ch, sent=True, value=None, ok=True)]
        if self.buffers[ch]:
            got = self.buffers[ch].popleft()
            return [self.answered(op, ch, sent=False, value=got, ok=True), *woken]
        if ch in self.closed:
            return [self.answered(op, ch, sent=False, value=False, ok=False)]
        return None

    def run(self, number: int, act: str, a: Any, b: Any = None) -> list[Any]:
        if act == "close":
            return self.close(a)
        op = (number, act)
        cases = a if act in ("select", "poll") else [[a, b if act == "send" else None]]
        for ch, value in cases:
            answers = self.attempt(ch, value or None, op)
            if answers is not None:
                return answers
        if act == "poll":
            return [(number, "default", False, True)]
        self.waiting += [(ch, value or None, op) for ch, value in cases]
        return []

    def close(self, ch: int) -> list[Any]:
        self.closed.add(ch)
        receivers = self.refuse_all(ch, sends=False)
        return [*receivers, *self.refuse_all(ch, sends=True)]

    def refuse_all(self, ch: int, *, sends: bool) -> Iterator[Any]:
        while waiter := self.first(ch, sends=sends):
            yield self.answered(waiter[2], ch, sent=sends, value=False, ok=False)


CHANNELS = st.integers(1, 3)
VALUES = st.integers(1, 1000)
CASES = st.lists(
    st.tuples(CHANNELS, st.one_of(st.just(False), VALUES)).map(list),
    min_size=1,
    max_size=4,
)
CHANNEL_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), CHANNELS, VALUES),
        st.tuples(st.just("receive"), CHANNELS),
        st.tuples(st.sampled_from(["select", "poll"]), CASES),
        st.tuples(st.just("close"), CHANNELS),
    ),
    max_size=30,
)


@given(st.lists(st.integers(0, 2), min_size=3, max_size=3), CHANNEL_STEPS)
@example([0, 0, 0], [("select", [[1, 7], [2, False]]), ("close", 1)])
@example([0, 0, 0], [("send", 1, 7), ("receive", 1)])
@example(
    [0, 0, 0], [("receive", 1), ("receive", 1), ("receive", 1), ("send", 1, 1), ("send", 1, 2)]
)
@example(
    [1, 0, 0], [("send", 1, 1), ("send", 1, 2), ("send", 1, 3), ("receive", 1), ("receive", 1)]
)
@example(
    [0, 0, 0],
    [
        ("receive", 1),
        ("select", [[1, False], [2, False]]),
        ("send", 2, 1),
        ("receive", 1),
        ("send", 1, 2),
        ("send", 1, 3),
    ],
)
def test_channels_serve_first_come_first_served(sizes, steps):
    """Each value is received once and in order; who waits is answered in the order of waiting."""
    runner, model = Runner(sizes), ChannelModel(sizes)
    for number, step in enumerate(steps, 1):
        assert runner.run(number, *step) == model.run(number, *step)


# Determinism

ACTS = st.sampled_from(
    ["link", "link", "monitor", "cancel", "terminate", "unlink", "register", "send", "raise"]
)


def trace(script: list[list[tuple[int, str, int]]]) -> Any:
    """Every effect and answer of several puppets that act in the same steps."""
    world = World()
    port = Process(world.kernel.open_port(), "python")
    pids = [port.pid]
    attached = {"link": False, "monitor": True}
    pids += [world.spawn(port, "puppet", "roomy", **attached) for _ in range(6)]
    answers: list[Any] = []
    for commands in script:
        world.now += 1_000_000
        for actor, act, dest in commands:
            pid, target = pids[1:][actor], pids[dest]
            if act == "register":
                arguments: list[Any] = [f"name {dest}", target]
            else:
                arguments = [target, "topic", actor]
            answers.append(world.post_command(pid, act, *arguments, failure="why"))
        world.settle()
        answers.append(list(world.done))
        world.done.clear()
    for pid in pids:
        world.request(world.controller, "terminate", None, pid)
    world.settle()
    return world.effects, answers


COMMANDS = st.tuples(st.integers(0, 5), ACTS, st.integers(0, 6))


@settings(max_examples=max(12, settings.default.max_examples // 4))
@given(st.lists(st.lists(COMMANDS, max_size=8), max_size=6))
def test_the_same_inputs_have_the_same_effects(script):
    """Two fresh kernels tell the same story to the last field (71)."""
    assert trace(script) == trace(script)
