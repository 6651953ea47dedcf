"""The soak itself: storms, and between them rests in which everything must be as it was."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from contextlib import ExitStack, contextmanager

import trio

from supervise import (
    ChildNotFoundError,
    ChildRunningError,
    ChildState,
    NoProcessError,
    StartError,
    SuperviseError,
    SupervisorStoppedError,
    open_node,
)
from supervise._reload import reload_on_change
from supervise.testing import INVARIANTS, assert_tree, check
from supervise.testing._inside import backoff_chance
from supervise.testing._tree_text import describe
from supervise.testing.invariants import failures_cross_links
from tests.soak import actions
from tests.soak.files import Files
from tests.soak.measures import COUNTED, counted, growth, measured
from tests.soak.tree import HOSTS, MAX_SECONDS, SUPERVISORS, TREE, WHOLE
from tests.soak.windows import Windows

# Seconds: of a storm, between two actions on average, that an action may take, and that the node may
# take to come to rest.
STORM = 8.0
PAUSE = 0.004
ACTION = 30.0
REST = 15.0

# No event says who is linked to whom.
RULES = [rule for rule in INVARIANTS.values() if rule is not failures_cross_links]

# Rests after which everything has been used: what is measured is held against that.
WARM = 3

# Actions that go on at once.
MOST = 50


class SoakError(AssertionError):
    """What a soak has found."""

    def __init__(self, soak, what):
        super().__init__(f"{what}\nafter {soak.took():.0f} s, with SEED={soak.seed}")


class Soak:
    """A node in a storm.

    Args:
        seed: Decides what happens. What comes of it depends on threads and the real time, too.
        folder: Where its Lua files are to be; it must be empty.
        tell: Gets a line after each storm.
        what: What may happen: a weight and a function by the name of each.

    Attributes:
        node: The node, while it runs.
        files: Its Lua files.
        code: Held by who changes them.
        done: How often each action was done.
        refused: How often it was refused.
        longest: The most seconds that it took.
        lost: How many Lua states were lost.
        first: What there was before the first storm, and what of it is measured, after it.
        last: What there was at the last rest.
    """

    def __init__(self, seed, folder, tell=print, what=None):
        self.seed = seed
        self.files = Files(folder)
        self.code = trio.Lock()
        self.done, self.refused, self.longest = Counter(), Counter(), Counter()
        self.lost = 0
        self.first = self.last = None
        self._tell = tell
        self._what = actions.ACTIONS if what is None else what
        self._chance = random.Random(seed)
        self._windows = Windows(seed, TREE)
        self._under_way = Counter()
        self._began = time.monotonic()
        self._rests = 0

    def took(self):
        """For how many seconds it has gone on."""
        return time.monotonic() - self._began

    async def run(self, seconds):
        """Soak for about this long.

        Raises:
            SoakError: Something is not as it must be.
        """
        error = None
        with self._heard():
            try:
                await self._run(seconds)
            except* SuperviseError as exc:
                error = exc
        if error is not None:
            raise SoakError(self, f"the node has ended: {error.exceptions}") from error

    async def _run(self, seconds):
        async with open_node(self.files.folder, HOSTS, output=lambda _pid, _text: None) as node:
            self.node = node
            backoff_chance(node).seed(self.seed)
            with ExitStack() as closing:
                self._events = closing.enter_context(node.subscribe())
                self._changes, changes = trio.open_memory_channel(0)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(reload_on_change, node, changes, lambda _line: None)
                    with trio.fail_after(REST):
                        await node.start(TREE)
                    await self._rest()
                    until = trio.current_time() + seconds
                    while trio.current_time() < until:
                        await self._storm(min(STORM, until - trio.current_time()))
                        await self._rest()
                        self._report()
                    nursery.cancel_scope.cancel()
                for root in node.trees():
                    await root.stop()
                self._take_in()
            left = node.statistics()
        self._check(self._windows.finish(None, left))

    @contextmanager
    def _heard(self):
        """Count the states that are lost; what is critical ends it all."""
        handler = logging.Handler()
        handler.emit = self._hear
        logger = logging.getLogger("supervise")
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)

    def _hear(self, record):
        self.lost += record.msg == "%s" and " of host " in record.getMessage()
        if record.levelno >= logging.CRITICAL:
            raise SoakError(self, record.getMessage())

    # What actions ask

    def states(self):
        """The Lua states beside the hub."""
        return [*self.node.states._states.values()]

    async def reload(self):
        """Have the files looked at, as `--reload` does when they change."""
        await self._changes.send(None)

    # Storms

    async def _storm(self, seconds):
        names = [*self._what]
        weights = [weight for weight, _ in self._what.values()]
        until = trio.current_time() + seconds
        async with trio.open_nursery() as nursery:
            if self._rests == 1:
                for name in names:
                    nursery.start_soon(self._act, name, random.Random(self.seed))
            while trio.current_time() < until:
                await trio.sleep(self._chance.expovariate(1 / PAUSE))
                self._take_in()
                (name,) = self._chance.choices(names, weights)
                # Each has chances of its own: others do not depend on how long it takes.
                chance = random.Random(self._chance.getrandbits(64))
                if self._under_way.total() < MOST:
                    nursery.start_soon(self._act, name, chance)

    async def _act(self, name, chance):
        began = trio.current_time()
        self._under_way[name] += 1
        try:
            with trio.fail_after(ACTION):
                await self._what[name][1](self, chance)
            self.done[name] += 1
        except SuperviseError:
            self.refused[name] += 1
        except trio.TooSlowError as exc:
            what = f"{name} does not come to an end\n{describe(self.node)}"
            raise SoakError(self, what) from exc
        except AssertionError as exc:
            raise SoakError(self, f"{name}: {exc}") from exc
        finally:
            self._under_way[name] -= 1
            self.longest[name] = max(self.longest[name], trio.current_time() - began)

    def _take_in(self):
        while True:
            try:
                self._windows.add(self._events.receive_nowait())
            except trio.WouldBlock:
                return

    # Rests

    async def _rest(self):
        """Let everything come to rest; then it must be as it was."""
        await trio.sleep(1.1 * MAX_SECONDS)
        trouble = ""
        with trio.move_on_after(REST):
            # No one event says that all is well.
            while trouble := await self._trouble():  # noqa: ASYNC110
                await trio.sleep(0.1)
        if trouble:
            raise SoakError(self, f"it does not come to rest:\n{trouble}\n{describe(self.node)}")
        self._check(self._windows.cut())
        self._measure()

    async def _trouble(self):
        """What is not yet as it must be; "" if nothing."""
        for name in SUPERVISORS:
            await self._put_back(name)
        self._take_in()
        try:
            assert_tree(self.node, WHOLE)
        except AssertionError as exc:
            return str(exc)
        return "\n".join([*self._not_told(), *self._not_counted()])

    async def _put_back(self, name):
        """Undo what calls have done to the children of a supervisor."""
        try:
            above = self.node.supervisor(name)
            for key, row in above.which_children().items():
                if name == "pool":
                    await above.terminate_child(str(row.pid))
                elif key == "extra":
                    await above.terminate_child(key)
                    await above.delete_child(key)
                elif row.state is ChildState.STOPPED:
                    await above.restart_child(key)
        except (
            ChildNotFoundError,
            ChildRunningError,
            NoProcessError,
            StartError,
            SupervisorStoppedError,
        ):
            return

    def _not_told(self):
        """Where what the events say is not what there is."""
        lua = [info for info in self.node.processes() if info.state != "python"]
        held = {name: info.pid for info in self.node.processes() for name in info.names}
        told = {name: record.pid for name, record in self._windows.names.items()}
        for what, is_, said in (
            ("alive", {info.pid: info.entry for info in lua}, self._entries()),
            ("held", held, told),
        ):
            if is_ != said:
                yield f"{what}, and no event says so: {dict(is_.items() - said.items())}"
                yield f"{what} if the events were right: {dict(said.items() - is_.items())}"

    def _entries(self):
        return {pid: record.entry for pid, record in self._windows.alive.items()}

    def _not_counted(self):
        """Where there is more, or less, than at the beginning."""
        return [] if self.first is None else growth(self.first, counted(self.node), COUNTED)

    def _measure(self):
        self.last = measured(self.node)
        self._rests += 1
        if self._rests <= WARM:
            self.first = self.last
        lines = growth(self.first, self.last)
        if lines:
            raise SoakError(self, "left over:\n" + "\n".join(lines))

    def _check(self, trace):
        try:
            check(trace, *RULES)
        except AssertionError as exc:
            raise SoakError(self, str(exc)) from exc

    def _report(self):
        last = self.last
        self._tell(
            f"{self.took():6.0f} s  {self.done.total():,} actions, {self.refused.total():,} refused, "
            f"{self._windows.count:,} events, {self.lost:,} states lost; "
            f"Lua {last.lua_bytes / 1e6:.1f} MB, in all {last.resident / 1e6:.0f} MB"
        )
