"""The reference model of processes, mailboxes, links, monitors and names. Knows no Lua.

It is written to be read: lists and dicts, one method for each thing a process can ask for. A method
returns what the asker gets. What happens to others is collected in `log` (what a watching node is
told, in order) and in `woken` (the answers of those who waited, by ticket). Numbers in brackets are
the invariants of supervision.
"""

from __future__ import annotations

from collections import deque

from attrs import Factory, define

from supervise.testing.model.values import CLOSED, Event, Failure, Message, Refusal, Value


@define(eq=False)
class Wait:
    """Somebody who waits for the first item of several channels."""

    process: Process
    ticket: int
    channels: list[Channel]


@define(eq=False)
class Channel:
    """A part of a mailbox. A raw one shows payloads, the others whole messages or events."""

    raw: bool = False
    closed: bool = False
    items: deque[Message | Event] = Factory(deque)
    waits: list[Wait] = Factory(list)

    @property
    def is_empty(self) -> bool:
        """Whether a receive would wait."""
        return not self.items and not self.closed

    def shown(self, item: Message | Event) -> Value:
        """What a receive of the item gives."""
        return item.payload if self.raw and isinstance(item, Message) else item


@define(eq=False)
class Process:
    """A live or dead process; dicts without values are ordered sets."""

    pid: str
    host: str
    since: int = 0
    trap_links: bool = False
    alive: bool = True
    inbox: Channel = Factory(Channel)
    events: Channel = Factory(Channel)
    listeners: dict[str, Channel] = Factory(dict)
    ended_listeners: dict[str, Channel] = Factory(dict)
    links: dict[Process, None] = Factory(dict)
    watchers: dict[Process, None] = Factory(dict)
    watching: dict[Process, None] = Factory(dict)
    names: dict[str, None] = Factory(dict)
    awaited_by: list[tuple[Process, int]] = Factory(list)
    waits: dict[int, Wait | Process] = Factory(dict)
    begun: dict[int, Process] = Factory(dict)  # what the waits with these tickets started

    @property
    def is_port(self) -> bool:
        """Whether its code is Python."""
        return self.host == "python"

    @property
    def mail(self) -> int:
        """How many messages nobody has received yet."""
        return len(self.inbox.items) + sum(len(ch.items) for ch in self.listeners.values())

    def channel(self, name: str) -> Channel:
        """The inbox, the events, or the listener of a topic, the last one if it has ended."""
        if name in ("inbox", "events"):
            found: Channel = getattr(self, name)
            return found
        return self.listeners.get(name) or self.ended_listeners[name]


TERMINATED = Failure("Canceled", "process terminated")


class Model:
    """All processes of a node.

    Args:
        max_processes: How many each host runs.
        max_mailbox: How many unread messages a process of each host holds.
        now: The time, in nanoseconds.
    """

    def __init__(
        self, max_processes: dict[str, float], max_mailbox: dict[str, float], now: int = 0
    ) -> None:
        self.max_processes, self.max_mailbox = max_processes, max_mailbox
        self.now = now
        self.live: dict[str, Process] = {}
        self.dead: dict[str, Process] = {}
        self.names: dict[str, Process] = {}
        self.sleepers: list[tuple[int, int, Process]] = []
        self.log: list[tuple[Value, ...]] = []
        self.woken: dict[int, tuple[Process, Value]] = {}

    def find(self, dest: str) -> Process | None:
        """The live process behind a pid or a name."""
        return self.live.get(dest) or self.names.get(dest)

    # Life

    def host_is_full(self, host: str) -> bool:
        """Whether the host takes no more processes."""
        return sum(p.host == host for p in self.live.values()) >= self.max_processes[host]

    def born(
        self,
        pid: str,
        host: str,
        parent: Process | None = None,
        *,
        link: bool = False,
        monitor: bool = False,
    ) -> Process:
        """Pids are never reused (42); what the parent asked for is attached at birth."""
        if pid in self.live or pid in self.dead:
            raise AssertionError(f"pid {pid} was used before")
        child = self.live[pid] = Process(pid, host, self.now)
        if parent is not None:
            self.log.append(("spawned", pid, parent.pid))
            if link:
                self.link(parent, pid)
            if monitor:
                self.monitor(parent, pid)
        return child

    def finish(self, process: Process, result: Value = None, error: Failure | None = None) -> None:
        """An abnormal end takes along every linked process that does not trap links (52, 55)."""
        doomed = deque([(process, result, error, process.pid, error and error.message)])
        while doomed:
            victim, result, error, origin, cause = doomed.popleft()
            if not victim.alive:
                continue
            for peer in self._end(victim, result, error):
                details = {"origin": origin, "error": cause}
                failure = Failure("Canceled", "linked process failed", details)
                doomed.append((peer, None, failure, origin, cause))

    def _end(self, process: Process, result: Value, error: Failure | None) -> list[Process]:
        """Ends one process; returns those that follow it."""
        process.alive = False
        self.dead[process.pid] = self.live.pop(process.pid)
        for name in process.names:  # released once, before anybody is told (44, 45)
            del self.names[name]
            self.log.append(("released", name, process.pid))
        for watcher in process.watchers:  # one EXIT each (50)
            del watcher.watching[process]
            if watcher is not process:
                self.event(watcher, Event("EXIT", process.pid, result, error, at=self.now))
        followers = [] if error is None else self._break_links(process, error)
        for peer in process.links:  # links are symmetric, and gone after an end (48)
            del peer.links[process]
        process.links.clear()
        for waiting, ticket in process.awaited_by:
            if waiting.alive:
                del waiting.waits[ticket]
                self.woken[ticket] = (waiting, (result, error))
        for target in process.watching:
            del target.watchers[process]
        process.watching.clear()
        self.sleepers = [s for s in self.sleepers if s[2] is not process]
        self._end_waits(process)
        if process.is_port:
            self._end_port(process, error)
        else:
            self.log.append(("exited", process.pid, result, error, self.now - process.since))
        return followers

    def _end_port(self, process: Process, error: Failure | None) -> None:
        """Outside is told of a failure, and what its waits have started ends."""
        if error is not None:
            self.log.append(("port ended", process.pid, error))
        for ticket in process.waits:
            self._end_begun(process, ticket)

    def _end_begun(self, process: Process, ticket: int) -> None:
        """What a wait has started does not outlive the wait; to the waiting port it never was."""
        child = process.begun.get(ticket)
        if child is not None and child.alive:
            self.unlink(process, child.pid)
            self.unmonitor(process, child.pid)
            self.terminate(child.pid)

    def _break_links(self, process: Process, error: Failure) -> list[Process]:
        """Tells those who trap links (51); returns the others."""
        for peer in process.links:
            if peer.trap_links:
                self.event(peer, Event("LINK_DOWN", process.pid, None, error, at=self.now))
        return [peer for peer in process.links if not peer.trap_links]

    def _end_waits(self, process: Process) -> None:
        """The dead are told nothing, not even what was on its way; a port hears that it is over."""
        too_late = [ticket for ticket, (waiting, _) in self.woken.items() if waiting is process]
        for ticket in [*too_late, *process.waits]:
            self.woken.pop(ticket, None)
            if process.is_port:
                self.woken[ticket] = (process, (None, CLOSED))

    def terminate(self, dest: str) -> Value:
        """Forces an end."""
        target = self.find(dest)
        if target is None:
            return Refusal("NotFound")
        self.finish(target, None, TERMINATED)
        return True

    def cancel(self, process: Process, dest: str, reason: str) -> Value:
        """Asks for an end: an event like any other."""
        target = self.find(dest)
        if target is None:
            return Refusal("NotFound")
        self.event(target, Event("CANCEL", process.pid, reason=reason, at=self.now))
        return True

    # Messages

    def send(self, process: Process, dest: str, topic: str, payload: Value) -> Value:
        """In order, once, to whoever holds the pid or the name now (47, 57, 58)."""
        target = self.find(dest)
        if target is None:
            return Refusal("NotFound")
        if topic == "" or topic.startswith("@"):
            return Refusal("Invalid")
        channel = target.listeners.get(topic, target.inbox)
        if not channel.waits and target.mail >= self.max_mailbox[target.host]:
            return Refusal("RateLimited")
        self._put(channel, Message(topic, process.pid, payload))
        return True

    def event(self, target: Process, event: Event) -> None:
        """Events are never dropped."""
        self._put(target.events, event)

    def _put(self, channel: Channel, item: Message | Event) -> None:
        if channel.waits:
            self._wake(channel.waits[0], channel, channel.shown(item))
        else:
            channel.items.append(item)

    def _wake(self, wait: Wait, channel: Channel, shown: Value) -> None:
        self._withdraw(wait)
        self.woken[wait.ticket] = (wait.process, (wait.channels.index(channel), shown))

    def _withdraw(self, wait: Wait) -> None:
        for channel in wait.channels:
            if wait in channel.waits:
                channel.waits.remove(wait)
        wait.process.waits.pop(wait.ticket, None)

    def listen(self, process: Process, topic: str, *, raw: bool) -> Value:
        """What waits in the inbox under the topic moves to the listener, in order."""
        if topic == "" or topic.startswith("@"):
            return Refusal("Invalid")
        listener = process.listeners.get(topic)
        if listener is None:
            listener = process.listeners[topic] = Channel(raw=raw)
            inbox = process.inbox
            claimed = [m for m in inbox.items if isinstance(m, Message) and m.topic == topic]
            listener.items.extend(claimed)
            inbox.items = deque(m for m in inbox.items if m not in claimed)
        elif not raw:
            listener.raw = False
        return True

    def unlisten(self, process: Process, topic: str) -> Value:
        """What the listener still holds can be received; then it is closed."""
        if topic not in process.listeners:
            return Refusal("Invalid")
        listener = process.ended_listeners[topic] = process.listeners.pop(topic)
        listener.closed = True
        while listener.waits:
            self._wake(listener.waits[0], listener, CLOSED)
        return True

    @staticmethod
    def drain(channel: Channel) -> list[Value]:
        """Everything that can be received without waiting."""
        items = [channel.shown(item) for item in channel.items]
        channel.items.clear()
        return [*items, CLOSED] if channel.closed else items

    def wait(self, process: Process, ticket: int, names: list[str]) -> None:
        """The first item of the first channel in list order, at once or later."""
        channels = [process.channel(name) for name in names]
        for index, channel in enumerate(channels):
            if channel.items:
                item = channel.shown(channel.items.popleft())
                self.woken[ticket] = (process, (index, item))
                return
            if channel.closed:
                self.woken[ticket] = (process, (index, CLOSED))
                return
        wait = process.waits[ticket] = Wait(process, ticket, channels)
        for channel in channels:
            channel.waits.append(wait)

    def abandon(self, process: Process, ticket: int) -> None:
        """A wait that is given up takes nothing."""
        wait = process.waits.pop(ticket)
        if isinstance(wait, Wait):
            self._withdraw(wait)
        else:
            wait.awaited_by.remove((process, ticket))
            self._end_begun(process, ticket)

    def give_back(self, ticket: int, channel: Channel, item: Message | Event) -> None:
        """An item that was on its way to a wait that is given up is the next one again (58)."""
        del self.woken[ticket]
        if channel.waits:
            self._wake(channel.waits[0], channel, channel.shown(item))
        else:
            channel.items.appendleft(item)

    def wait_for_end(self, process: Process, ticket: int, target: Process) -> None:
        """The answer is how the target ends."""
        process.waits[ticket] = target
        target.awaited_by.append((process, ticket))

    # Watching

    def monitor(self, process: Process, dest: str) -> Value:
        """One monitor for each watcher and target."""
        target = self.find(dest)
        if target is None:  # an answer, never silence (54)
            return Refusal("NotFound")
        if process in target.watchers:
            return Refusal("AlreadyExists")
        target.watchers[process] = process.watching[target] = None
        return True

    def unmonitor(self, process: Process, dest: str) -> Value:
        """Idempotent."""
        target = self.find(dest)
        if target is not None and process in target.watchers:
            del target.watchers[process], process.watching[target]
        return True

    def link(self, process: Process, dest: str) -> Value:
        """Symmetric and idempotent (48, 49); a process is not linked to itself."""
        target = self.find(dest)
        if target is None:
            return Refusal("NotFound")
        if target is not process:
            process.links[target] = target.links[process] = None
        return True

    def unlink(self, process: Process, dest: str) -> Value:
        """Idempotent, both directions."""
        target = self.find(dest)
        if target is not None and target in process.links:
            del process.links[target], target.links[process]
        return True

    # Names

    def register(self, name: str, pid: str) -> Value:
        """A name has one holder (43)."""
        if name == "" or name.startswith(("@", "{")) or not pid.startswith("{"):
            return Refusal("Invalid")
        target = self.live.get(pid)
        if target is None:
            return Refusal("NotFound")
        holder = self.names.setdefault(name, target)
        if holder is not target:
            return Refusal("AlreadyExists")
        if name not in target.names:
            target.names[name] = None
            self.log.append(("registered", name, pid))
        return True

    def unregister(self, name: str) -> Value:
        """Anyone may release a name."""
        holder = self.names.pop(name, None)
        if holder is None:
            return False
        del holder.names[name]
        self.log.append(("released", name, holder.pid))
        return True

    def lookup(self, name: str) -> Value:
        """No name of the dead is found (46)."""
        holder = self.names.get(name)
        return Refusal("NotFound") if holder is None else holder.pid

    # Time

    def sleep(self, process: Process, ticket: int, until: int) -> None:
        """The ticket is among those of `advance` when the time has come."""
        self.sleepers.append((until, ticket, process))

    def advance(self, now: int) -> list[int]:
        """The tickets of those who wake, by time, then by who went to sleep first."""
        self.now = now
        woken = sorted((until, ticket) for until, ticket, _ in self.sleepers if until <= now)
        self.sleepers = [s for s in self.sleepers if s[0] > now]
        return [ticket for _, ticket in woken]
