"""The node: hosts, sources and processes inside one trio run. Nothing global."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import trio

from lua_api import (
    ChildDown,
    ChildUp,
    Effect,
    Fault,
    HowEnded,
    Kernel,
    LifecycleEffect,
    LinePrinted,
    ModuleRequired,
    NameRegistered,
    Need,
    Outdated,
    PortEnded,
    ProcessInfo,
    StateDone,
    StateNeeded,
    SupervisorCalled,
    Term,
    encode,
    encode_list,
)
from supervise._code import Code
from supervise._driver import Driver
from supervise._errors import (
    NameTakenError,
    NodeClosedError,
    NoProcessError,
    ProcessEndedError,
    ProcessExitedError,
    SpawnError,
    checked,
    fault_text,
)
from supervise._host_limits import host_limits
from supervise._life import Life
from supervise._process import Exit, PythonProcess
from supervise._sources import Sources
from supervise._statistics import Statistics, node_statistics
from supervise._subscribers import Subscribers

if TYPE_CHECKING:
    from specs import AnySupervisorSpec, HostSpec
    from supervise._events import Event as SupervisionEvent
    from supervise._lifecycle import LifecycleEvent
    from supervise._sources import Source
    from supervise._states import States
    from supervise._supervisor import Supervisor
    from supervise._trial import Key
    from supervise._upgrade import Upgraded


class Node:
    """A running node. Made by `open_node`.

    Everywhere a `dest` is a pid, or a registered name, which is resolved once, at the call.
    """

    def __init__(
        self,
        kernel: Kernel,
        sources: Sources,
        hosts: Sequence[HostSpec],
        output: _Output,
        epoch: float,
    ) -> None:
        self.driver = Driver(kernel, self._on_effect, self._on_step)
        self._kernel = kernel
        self.life = Life(self)
        self.code = Code(sources, hosts[0].lua if hosts else "5.4", self._renew)
        self._hosts = hosts
        self._output = output
        self._subscribers = Subscribers(self._watch)
        self._processes: dict[str, PythonProcess] = {}
        for host in hosts:
            if not host.has_own_states:
                kernel.add_host(host.name, **host_limits(host))
        apart = [host for host in hosts if host.has_own_states]
        self._states = self._open_states(apart, epoch) if apart else None
        self._pid = kernel.open_system_port()

    def _open_states(self, hosts: Sequence[HostSpec], epoch: float) -> States:
        # Who has one Lua state does not wait for what several need.
        from supervise._states import States  # noqa: PLC0415

        states = self.driver.states = States(self.driver, self._kernel, hosts, epoch, self.code)
        return states

    # Processes

    async def spawn(self, entry: str, *args: Term, host: str | None = None) -> str:
        """Start a Lua process.

        Args:
            entry: The entry to run, as `"app.jobs:mail"`.
            args: What its `main` gets; copied.
            host: Where it runs; may be left out if the node has one host.

        Returns:
            Its pid. Messages sent to it from now on wait for it in order.

        Raises:
            SpawnError: Unknown entry or host, a faulty file, or a full host.
            TermError: An argument holds something that cannot cross.
        """
        return await self.spawn_for(self._pid, entry, args, host, link=False, monitor=False)

    async def spawn_for(
        self,
        parent: str,
        entry: str,
        args: tuple[Term, ...],
        host: str | None,
        *,
        link: bool,
        monitor: bool,
    ) -> str:
        """Start a Lua process for the Python process `parent` (see `spawn`)."""
        answer = await self.driver.request(
            parent,
            "spawn",
            encode_list(args, "args"),
            entry,
            self._host(host),
            link,
            monitor,
            False,
        )
        if isinstance(answer.second, Fault):
            raise SpawnError(entry, answer.second)
        return cast("str", answer.value)

    async def exec(self, entry: str, *args: Term, host: str | None = None) -> Term:
        """Start a Lua process, wait for its end, and return the first result of its `main`.

        Cancelled, it terminates the process. See `spawn` for the arguments.

        Raises:
            SpawnError: The process did not start.
            ProcessExitedError: It ended with an error.
        """
        answer = await self.driver.request(
            self._pid,
            "spawn",
            encode_list(args, "args"),
            entry,
            self._host(host),
            False,
            False,
            True,
        )
        if isinstance(answer.second, Fault):
            raise SpawnError(entry, answer.second)
        end = cast("dict[str, Any]", answer.value)
        if end.get("error") is not None:
            raise ProcessExitedError(entry, end["error"])
        return cast("Term", end.get("result"))

    async def wait_exit(self, dest: str) -> Exit:
        """Wait for the end of a process.

        Raises:
            NoProcessError: `dest` is not alive now.
        """
        pid = self.whereis(dest) or dest
        answer = checked(await self.driver.request(self._pid, "await", None, pid), dest)
        end = cast("dict[str, Any]", answer.value)
        return Exit(pid, end.get("result"), end.get("error"), end["at"])

    def terminate(self, dest: str) -> None:
        """End a process by force: it runs no more Lua.

        Raises:
            NoProcessError: `dest` is not alive.
        """
        self._ask("terminate", dest, dest=dest)

    def cancel(self, dest: str, reason: str = "") -> None:
        """Ask a process to end: it gets a CANCEL event, which it may ignore.

        Raises:
            NoProcessError: `dest` is not alive.
            MailboxFullError: As many such events wait for it as its host allows.
        """
        self._ask("cancel", dest, reason, dest=dest)

    @asynccontextmanager
    async def open_process(
        self, name: str | None = None, *, max_mailbox: int = 1_000_000
    ) -> AsyncGenerator[PythonProcess, None]:
        """Give the current task a pid for as long as the block lasts.

        Args:
            name: A name to register it under.
            max_mailbox: How many messages may wait for it; further ones are refused at their
                senders.

        Raises:
            NameTakenError: Another process holds the name.
            ProcessEndedError: A link or a terminate ended the process; its block was cancelled.
        """
        process = PythonProcess(self, "python", max_mailbox=max_mailbox)
        self._processes[process.pid] = process
        try:
            with process.running():
                if name is not None:
                    process.register(name)
                yield process
        finally:
            del self._processes[process.pid]

    # Code

    async def upgrade(self, entry: str) -> Upgraded:
        """Load the newest version of an entry, and of what it requires, for all of its processes.

        It is tried first, apart from everything else, in each Lua that runs it: it reaches all Lua
        states of the node, or none. New processes get it at once. A running one
        that has called `process.upgrades()` is asked to upgrade, and waited for; a supervised one
        that has not is restarted by its supervisor, one by one and without counting as a restart;
        any other runs on as it is. Cancelled, it waits no more; who was asked is still asked.

        Args:
            entry: The entry, as `"app.jobs:mail"`.

        Returns:
            What became of its processes that ran an older version.

        Raises:
            SourceError: There is no such entry.
            SpawnError: It is faulty, with file and line; nothing has changed.
        """
        # A node that upgrades nothing does not wait for what is there for it.
        from supervise._upgrade import Upgrade  # noqa: PLC0415

        await trio.lowlevel.checkpoint_if_cancelled()
        self.driver.kernel()
        self.code.load_newest(entry)
        with Upgrade(self, entry) as upgrade:
            await upgrade.ask()
            await upgrade.restart_supervised()
            await upgrade.wait_for_asked()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return upgrade.result()

    # Messages

    def send(self, dest: str, topic: str, payload: Term = None) -> None:
        """Send a message without a sender (see `PythonProcess.send`)."""
        answer = self.driver.request_nowait(self._pid, "send", encode(payload), dest, topic, True)
        checked(answer, dest)

    async def call(self, dest: str, topic: str, payload: Term = None) -> Term:
        """Send a request and wait for its reply.

        The request goes to `dest` as an ordinary message; the reply is whatever is first sent to
        `msg:from()`. Give up with a cancel scope: a later reply is refused at its sender.

        Raises:
            NoProcessError: `dest` is not alive.
            ProcessExitedError: It ended before it replied.
            MailboxFullError: It has as many unread messages as its host allows.
            TermError: `payload` holds something that cannot cross.

        Example:
            with trio.fail_after(1):
                left = await node.call("stock", "take", {"item": "widgets", "n": 3})
        """
        answer = await self.driver.request(None, "call", encode(payload), dest, topic)
        checked(answer, dest)
        if answer.index == _ENDED:
            raise ProcessExitedError(dest, cast("dict[str, Any]", answer.value).get("error"))
        return answer.value

    # Names

    def register(self, name: str, pid: str) -> None:
        """Give a name to a process.

        Raises:
            NameTakenError: Another process holds it.
            NoProcessError: `pid` is not alive.
        """
        answer = self.driver.request_nowait(self._pid, "register", None, name, pid)
        if isinstance(answer.second, Fault) and answer.second.kind == "AlreadyExists":
            raise NameTakenError(name, fault_text(answer.second))
        checked(answer, pid)

    def unregister(self, name: str) -> bool:
        """Free a name; returns False if nobody held it."""
        return bool(self._ask("unregister", name))

    def whereis(self, name: str) -> str | None:
        """The pid that holds a name, or None."""
        value = self.driver.request_nowait(self._pid, "lookup", None, name).value
        return cast("str | None", value)

    async def wait_registered(self, name: str) -> str:
        """Wait until somebody holds a name; returns the pid."""
        with self.subscribe() as events:
            pid = self.whereis(name)
            if pid is not None:
                await trio.lowlevel.checkpoint()
                return pid
            async for event in events:
                if isinstance(event, NameRegistered) and event.name == name:
                    return event.pid
        raise NodeClosedError

    # What can be seen

    @contextmanager
    def subscribe(
        self, *, max_events: int = 1_000_000
    ) -> Generator[trio.MemoryReceiveChannel[LifecycleEvent], None, None]:
        """Receive every lifecycle event of the node from now on, in order, until the block ends.

        Args:
            max_events: How many events may wait to be received. With one more the channel ends
                after those that wait, and the block with an error.

        Raises:
            SubscriberTooSlowError: At the end of the block: some events were not kept.
        """
        self.driver.kernel()
        with self._subscribers.subscribe(max_events) as events:
            yield events

    @contextmanager
    def listen(self, listener: Callable[[LifecycleEvent], object]) -> Generator[None, None, None]:
        """Call back with every lifecycle event of the node from now on, in order, until the end.

        Args:
            listener: Called at once, in the middle of things: it may look at the event, and must
                not call the node. What it raises ends the node's block.
        """
        self.driver.kernel()
        with self._subscribers.listen(listener):
            yield

    def processes(self) -> list[ProcessInfo]:
        """Every live process, oldest first, with its state, unread messages and uptime.

        Of a thread that is busy for long, what was last known.
        """
        found = self.driver.kernel().processes()
        return found if self._states is None else self._states.add_processes(found)

    def statistics(self) -> Statistics:
        """Processes, names, timers, and the memory of the Lua states, together and of each."""
        hub = self.driver.kernel().statistics()
        return node_statistics(hub, [] if self._states is None else self._states.statistics())

    # Supervision

    async def start(self, spec: AnySupervisorSpec) -> Supervisor:
        """Start a supervision tree; it stops, in order, when the node's block ends.

        A tree that gives up ends the block with a `RestartIntensityError`.

        Args:
            spec: The root of the tree.

        Returns:
            The running root, once every child has started.

        Raises:
            SpecError: The tree is faulty; nothing was started.
            StartError: A child did not start; what had started was stopped again.
        """
        return await self.life.need_trees().start(spec)

    def trees(self) -> list[Supervisor]:
        """The roots of the trees that start, run or stop, the first one started first."""
        return [] if self.life.trees is None else self.life.trees.roots()

    def supervisor(self, dest: str) -> Supervisor:
        """The running supervisor with this pid or name.

        Raises:
            NoProcessError: There is none.
        """
        trees, pid = self.life.trees, self.whereis(dest) or dest
        found = None if trees is None else trees.supervisors.get(pid)
        if found is None:
            raise NoProcessError(dest, f"supervisor not found: {dest}")
        return found

    # Inside

    @property
    def states(self) -> States | None:
        """The Lua states beside the node's own, if it has hosts with states of their own."""
        return self._states

    def running(self) -> AbstractAsyncContextManager[None]:
        """The life of the node. However the block ends, first the trees stop, in order."""
        return self.life.running()

    def break_down(self, error: BaseException) -> None:
        """End the node's block with this error, and everything else at once."""
        self.life.break_down(error)

    def interrupt(self, error: BaseException) -> None:
        """End the node's block with this error; the first one counts."""
        self.life.interrupt(error)

    def has_subscribers(self) -> bool:
        """Whether anybody gets lifecycle events."""
        return len(self._subscribers) > 0

    def publish(self, event: SupervisionEvent) -> None:
        """Let everybody know of a step of a supervisor, and of what has happened before it."""
        if self.has_subscribers():
            for effect in self._kernel.take_effects():
                if isinstance(effect, LifecycleEffect):
                    self._tell(effect)
                else:
                    self.driver.put_off(effect)
            self._subscribers.publish(event)

    def open_supervised(self, label: str, owner: str) -> PythonProcess:
        """Give a pid to a Python child of the supervisor `owner`."""
        process = PythonProcess(self, label, owner)
        self._processes[process.pid] = process
        return process

    def forget(self, process: PythonProcess) -> None:
        """A Python process has ended."""
        self._processes.pop(process.pid, None)

    async def ask_to_upgrade(self, entry: str | None) -> list[Outdated]:
        """Ask the processes of an entry, or all, whose code is outdated to upgrade."""
        if self._states is not None:
            # What was sent to them before is to be there before.
            self.driver.catch_up()
        found = self.driver.kernel().ask_to_upgrade(entry)
        self.driver.kick()
        if self._states is not None:
            for more in await self._states.ask(Kernel.ask_to_upgrade, entry):
                found += more
        return found

    def first_host(self) -> str:
        """The host of a Lua child that names none."""
        return self._hosts[0].name if self._hosts else "?"

    def _on_step(self) -> None:
        if self.life.trees is not None:
            self.life.trees.settle()

    def _host(self, host: str | None) -> str:
        if host is None:
            if len(self._hosts) == 1:
                return self._hosts[0].name
            known = ", ".join(spec.name for spec in self._hosts) or "none"
            raise ValueError(f"say which host: this node has {len(self._hosts)} ({known})")
        return host

    def _ask(self, name: str, *arguments: str, dest: str = "") -> Term:
        answer = self.driver.request_nowait(self._pid, name, None, *arguments)
        return checked(answer, dest).value

    def close(self) -> None:
        """The block has ended: nobody outside it waits for this node any more."""
        for process in list(self._processes.values()):
            process.end(NodeClosedError())
        self.driver.close()
        self._subscribers.close()
        if self._states is not None:
            self._states.close()

    def _on_effect(self, effect: Effect) -> None:
        if isinstance(effect, ChildDown):
            self.life.need_trees().on_child_down(effect)
        elif isinstance(effect, ChildUp):
            self.life.need_trees().on_child_up(effect)
        elif isinstance(effect, Need | ModuleRequired):
            self._on_source(effect)
        elif isinstance(effect, StateNeeded | StateDone):
            self._on_state(effect)
        elif isinstance(effect, SupervisorCalled):
            self.life.need_trees().on_call(effect)
        elif isinstance(effect, PortEnded):
            self._on_port_ended(effect)
        else:
            self._tell(cast("LifecycleEvent", effect))

    def _tell(self, event: LifecycleEvent) -> None:
        if isinstance(event, LinePrinted):
            self._output(event.pid, event.text)
        self._subscribers.publish(event)

    def _on_port_ended(self, effect: PortEnded) -> None:
        trees = self.life.trees
        supervisor = None if trees is None else trees.supervisors.get(effect.pid)
        process = self._processes.get(effect.pid)
        if supervisor is not None:
            supervisor.kill()
        elif process is not None:
            terminated = effect.how is HowEnded.TERMINATED
            process.end(ProcessEndedError(effect.pid, effect.error, terminated=terminated))

    def _on_state(self, effect: StateNeeded | StateDone) -> None:
        assert self._states is not None  # noqa: S101 - only hosts with states of their own ask
        if isinstance(effect, StateNeeded):
            self._states.need(effect.host)
        else:
            self._states.done(effect.number)

    def _watch(self, on: bool) -> None:  # noqa: FBT001 - the callback of Subscribers
        self._kernel.watch(on=on)
        if self._states is not None:
            self._states.watch(on=on)

    def _on_source(self, effect: Need | ModuleRequired) -> None:
        if isinstance(effect, Need) and effect.kind == "upgrade":
            self._kernel.answer_upgrade(effect.name, self.code.find_newest(effect.name))
        else:
            self.code.serve(self._kernel, effect)
        self.driver.kick()

    def _renew(self, key: Key, source: Source) -> None:
        """Bring a newer source to every Lua state that has an older one."""
        renewed = (*key, source.path, source.text, source.main)
        self._kernel.renew_source(*renewed)
        if self._states is not None:
            self._states.tell("renew_source", *renewed)


_Output: TypeAlias = Callable[[str, str], None]

# The index of an answer to a call that is the end of the other process instead of its reply.
_ENDED = 2
