"""A shell for planners without processes: it performs what it is told and watches the rules."""

from __future__ import annotations

from specs import ExitKind, ExitReason
from supervise import _events as ev
from supervise import _plan_io as io
from supervise._events import ChildState

CRASH = ExitReason(ExitKind.ERROR, "boom")
NORMAL = ExitReason(ExitKind.NORMAL)
SHUTDOWN = ExitReason(ExitKind.SHUTDOWN)
KILLED = ExitReason(ExitKind.KILLED)
LIVE = (ChildState.STARTING, ChildState.RUNNING, ChildState.STOPPING)


class Shell:
    """Holds what a real one would: starts and stops under way, live children, timers, callers."""

    def __init__(self, planner):
        self.planner = planner
        self.now = 100.0
        self.inputs = []
        self.outputs = []
        self.events = []
        self.trace = []
        self.alive = {}
        self.starting = []
        self.running = []
        self.stopping = []
        self.timers = {}
        self.asked = []
        self.answers = {}
        self.finished = None
        self.table = {}
        self.pids = 0
        self.spent = set()

    # What the outside does.

    def send(self, event):
        late = self.finished is not None and not isinstance(event, io.Call)
        self.inputs.append((event, self.now))
        actions = self.planner.handle(event, self.now)
        self.outputs.append(actions)
        assert not (late and actions)
        for action in actions:
            self._perform(action)
        if self.finished is None:
            # Invariant 70: the records, folded, are the table.
            assert list(self.table.items()) == list(self.planner.table().items())
        return actions

    def call(self, make, *args):
        ticket = f"call {len(self.asked)}"
        self.asked.append(ticket)
        self.send(make(ticket, *args))
        return self.answers.get(ticket)

    def start(self):
        return self.call(io.Start)

    def start_child(self, spec):
        return self.call(io.StartChildCall, spec)

    def terminate(self, child):
        return self.call(io.TerminateChildCall, child)

    def restart(self, child):
        return self.call(io.RestartChildCall, child)

    def delete(self, child):
        return self.call(io.DeleteChildCall, child)

    def stop(self, reason=SHUTDOWN):
        self.send(io.Stop(reason))

    def up(self, child=None, info=None):
        """The start of a child, or the oldest one under way, ends well."""
        key = self._take(self.starting, child)
        self.pids += 1
        if key in self.alive:
            self.running.append(key)
        self.send(io.StartSucceeded(*key, f"pid{self.pids}", info))

    def fail(self, child=None, reason=CRASH):
        key = self._take(self.starting, child)
        self._dies(key)
        self.send(io.StartFailed(*key, reason))

    def ignore(self, child=None):
        key = self._take(self.starting, child)
        self._dies(key)
        self.send(io.StartIgnored(*key))

    def down(self, child=None, reason=SHUTDOWN):
        """The stop of a child, or the oldest one under way, is done."""
        key = self._take(self.stopping, child)
        self._dies(key)
        self.send(io.StopFinished(*key, reason))

    def exit(self, *children, reason=CRASH):
        """Running children end by themselves, all seen at once."""
        keys = [self._take(self.running, child) for child in children]
        for key in keys:
            self._dies(key)
        self.send(io.Exits(tuple(io.Exit(*key, reason) for key in keys)))

    def fire(self, key=None):
        """Time passes until the next timer, or this one, is due."""
        key = min(self.timers, key=self.timers.get) if key is None else key
        self.now = max(self.now, self.timers.pop(key))
        self.send(io.TimerFired(key))

    def settle(self):
        """Everything under way ends well, until nothing happens any more."""
        while self.starting or self.stopping or self.timers:
            if self.stopping:
                self.down()
            elif self.starting:
                self.up()
            else:
                self.fire()

    # What it sees.

    def state(self, child):
        row = self.table.get(child)
        return None if row is None else row.state.value

    def states(self):
        return {child: row.state.value for child, row in self.table.items()}

    def take_trace(self):
        trace, self.trace = self.trace, []
        return trace

    @staticmethod
    def _take(keys, child):
        key = keys[0] if child is None else next(key for key in keys if key[0] == child)
        keys.remove(key)
        return key

    def _dies(self, key):
        self.alive.pop(key, None)
        for keys in (self.starting, self.running):
            if key in keys:
                keys.remove(key)

    def _perform(self, action):
        assert self.finished is None or isinstance(action, io.Answer), "nothing follows Finish"
        match action:
            case io.StartChild():
                key = (action.child, action.incarnation)
                assert key not in self.spent, "no incarnation twice"
                assert all(child != action.child for child, _ in self.alive), "invariant 3"
                self.spent.add(key)
                self.alive[key] = action.spec
                self.starting.append(key)
                self.trace.append(f"start {action.child}")
            case io.StopChild():
                key = (action.child, action.incarnation)
                assert key not in self.stopping, "invariant 31: one request"
                assert key in self.alive
                self.stopping.append(key)
                self.trace.append(f"stop {action.child}")
            case io.SetTimer():
                assert action.key not in self.timers
                self.timers[action.key] = action.at
            case io.CancelTimer():
                del self.timers[action.key]
            case io.Answer():
                assert action.ticket not in self.answers, "invariant 36: one answer a caller"
                self.answers[action.ticket] = action.result
            case io.Report():
                assert action.event.number == len(self.events) + 1
                self.events.append(action.event)
                ev.apply(self.table, action.event)
            case io.Finish():
                assert not self.alive, "invariant 2"
                self.finished = action.reason
                self.trace.append(f"exit {action.reason.kind.value}")
