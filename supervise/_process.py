"""Processes whose code is Python: a pid, a mailbox, names, links and monitors for a trio task."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

import trio
from msgspec import Struct

from lua_api import Answer, Fault, Term, as_text, encode
from supervise._errors import NodeClosedError, ProcessEndedError, checked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Sequence

    from specs import SuperviseError
    from supervise._node import Node


class Message(Struct, frozen=True):
    """A message.

    Attributes:
        topic: Its topic.
        payload: The value that was sent; a copy of its own.
        sender: The pid of the sender, or None.
    """

    topic: str
    payload: Term
    sender: str | None


class Exit(Struct, frozen=True):
    """A process that this one monitors has ended.

    Attributes:
        pid: The process.
        result: The first result of its `main`; None after a failure.
        error: None after a normal end.
        at: Unix time in seconds.
    """

    pid: str
    result: Term
    error: Fault | None
    at: float


class LinkDown(Struct, frozen=True):
    """A linked process has failed, and this process traps links.

    Attributes:
        pid: The process.
        error: Its error.
        at: Unix time in seconds.
    """

    pid: str
    error: Fault
    at: float


class Cancel(Struct, frozen=True):
    """Somebody asks this process to end.

    Attributes:
        pid: Who asks.
        reason: Why; may be empty.
        at: Unix time in seconds.
    """

    pid: str
    reason: str
    at: float


ProcessEvent: TypeAlias = Exit | LinkDown | Cancel
"""What the events of a process consist of."""

_Item = TypeVar("_Item", Message, ProcessEvent)


def event_of(fields: dict[str, Any]) -> ProcessEvent:
    """The record for an event as Lua has it."""
    pid, at = fields["from"], fields["at"]
    if fields["kind"] == "EXIT":
        return Exit(pid, fields.get("result"), fields.get("error"), at)
    if fields["kind"] == "LINK_DOWN":
        return LinkDown(pid, fields["error"], at)
    return Cancel(pid, as_text(fields["reason"]), at)


def _item(answer: Answer) -> Message | ProcessEvent:
    """What a channel gave: a message has its topic beside it, an event has True."""
    if answer.second is False or answer.second is None:
        raise trio.EndOfChannel
    if answer.second is True:
        return event_of(cast("dict[str, Any]", answer.value))
    return Message(cast("str", answer.second), answer.value, answer.sender)


class Mailbox(Generic[_Item]):
    """One of the channels of a Python process: its inbox, its events, or the listener of a topic.

    Iterate over it, or call `receive`. Made by `PythonProcess`.
    """

    def __init__(self, process: PythonProcess, number: int) -> None:
        self.process = process
        self.number = number

    async def receive(self) -> _Item:
        """Wait for the next item: a `Message`, or a `ProcessEvent` from the events.

        Raises:
            trio.EndOfChannel: The listener was ended and nothing is left.
        """
        _, item = await self.process.receive_first(self)
        return cast("_Item", item)

    def receive_nowait(self) -> _Item:
        """The next item.

        Raises:
            trio.WouldBlock: There is none.
            trio.EndOfChannel: The listener was ended and nothing is left.
        """
        return cast("_Item", self.process.receive_nowait(self))

    def __aiter__(self) -> AsyncIterator[_Item]:
        return self

    async def __anext__(self) -> _Item:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None


class PythonProcess:
    """A trio task with a pid. Made by `Node.open_process`; gone when its block ends.

    It is held to the rules of Lua processes by the same kernel: the same order of messages, the
    same links, monitors and names. A failure of a linked process cancels the block, unless
    `set_trap_links(True)` turns it into a `LinkDown` event.

    Attributes:
        pid: Its pid.
        inbox: Messages whose topic has no listener.
        events: `Exit`, `LinkDown` and `Cancel` events.
    """

    def __init__(
        self, node: Node, label: str, owner: str | None = None, max_mailbox: int | None = None
    ) -> None:
        self._node = node
        self.pid = node.driver.kernel().open_port(label, owner, max_mailbox)
        self._scope = trio.CancelScope()
        self._ended: SuperviseError | None = None
        self.inbox: Mailbox[Message] = self._mailbox("inbox")
        self.events: Mailbox[ProcessEvent] = self._mailbox("events")

    def request_nowait(
        self, name: str, payload: bytes | None = None, *arguments: str | int | bool
    ) -> Answer:
        """Make a request of the kernel for this process (see `Kernel.request`)."""
        return self._node.driver.request_nowait(self.pid, name, payload, *arguments)

    def _ask(self, name: str, *arguments: str | int | bool, dest: str = "") -> Term:
        answer = self.request_nowait(name, None, *arguments)
        return checked(answer, dest).value

    def _mailbox(self, name: str, *arguments: str) -> Mailbox[Any]:
        return Mailbox(self, cast("int", self._ask(name, *arguments)))

    def send(self, dest: str, topic: str, payload: Term = None) -> None:
        """Send a message; it is in the mailbox of `dest` when this returns.

        Args:
            dest: A pid, or a name, which is resolved once, now.
            topic: Must not be empty or start with `@`.
            payload: Copied; later changes on either side are not seen by the other.

        Raises:
            NoProcessError: `dest` is not alive.
            MailboxFullError: It has as many unread messages as its host allows.
            TermError: `payload` holds something that cannot cross.
        """
        answer = self.request_nowait("send", encode(payload), dest, topic, False)
        checked(answer, dest)

    def listen(self, topic: str) -> Mailbox[Message]:
        """The messages of one topic, those that wait in the inbox already included."""
        return self._mailbox("listen", topic)

    def unlisten(self, mailbox: Mailbox[Message]) -> None:
        """End a listener: later messages of its topic go to the inbox.

        Raises:
            RequestError: It is not a listener of this process, or was ended before.
        """
        self._ask("unlisten", self._own(mailbox).number)

    async def receive(self) -> Message:
        """Wait for the next message of the inbox."""
        return await self.inbox.receive()

    async def receive_first(self, *mailboxes: Mailbox[Any]) -> tuple[Mailbox[Any], Any]:
        """Wait for the first item of several mailboxes, which are looked at in this order.

        Returns:
            The mailbox and the item.

        Raises:
            trio.EndOfChannel: A listener among them was ended and nothing is left in it.
        """
        numbers = self._numbers(mailboxes)
        answer = await self._node.driver.request(self.pid, "receive", numbers, False)
        if isinstance(answer.second, Fault) and self._ended is not None:
            raise self._ended
        item = _item(checked(answer, self.pid))
        return mailboxes[cast("int", answer.index) - 1], item

    def receive_nowait(self, mailbox: Mailbox[Any]) -> Message | ProcessEvent:
        """The next item of a mailbox (see `Mailbox.receive_nowait`)."""
        answer = self.request_nowait("receive", self._numbers([mailbox]), True)
        if checked(answer, self.pid).index == 0:
            raise trio.WouldBlock
        return _item(answer)

    def _numbers(self, mailboxes: Sequence[Mailbox[Any]]) -> bytes:
        if not mailboxes:
            raise ValueError("give at least one mailbox: no item ever comes from none")
        for mailbox in mailboxes:
            self._own(mailbox)
        return encode([mailbox.number for mailbox in mailboxes])

    def _own(self, mailbox: Mailbox[Any]) -> Mailbox[Any]:
        if mailbox.process is not self:
            raise ValueError(f"{self.pid}: the mailbox belongs to {mailbox.process.pid}")
        return mailbox

    async def spawn(
        self,
        entry: str,
        *args: Term,
        host: str | None = None,
        link: bool = False,
        monitor: bool = False,
    ) -> str:
        """Start a Lua process, linked to or monitored by this one before its first step.

        See `Node.spawn` for the arguments and errors.
        """
        return await self._node.spawn_for(self.pid, entry, args, host, link=link, monitor=monitor)

    def monitor(self, dest: str) -> None:
        """Have an `Exit` event when `dest` ends.

        Raises:
            NoProcessError: `dest` is not alive.
            RequestError: It is monitored already.
        """
        self._ask("monitor", dest, dest=dest)

    def unmonitor(self, dest: str) -> None:
        """Have no `Exit` event for `dest` any more."""
        self._ask("unmonitor", dest)

    def link(self, dest: str) -> None:
        """Share the fate of `dest`: the failure of either ends the other.

        Raises:
            NoProcessError: `dest` is not alive.
        """
        self._ask("link", dest, dest=dest)

    def unlink(self, dest: str) -> None:
        """Undo a link."""
        self._ask("unlink", dest)

    def register(self, name: str) -> None:
        """Take a name; it is free again when the block ends.

        Raises:
            NameTakenError: Another process holds it.
        """
        self._node.register(name, self.pid)

    def set_trap_links(self, on: bool) -> None:  # noqa: FBT001 - it has no other argument
        """Whether the failure of a linked process is an event instead of the end."""
        self._ask("trap_links", on)

    def end(self, error: SuperviseError) -> None:
        """This process was ended from outside: its block is cancelled and raises `error`."""
        self._ended = error
        self._scope.cancel()

    def killed(self) -> Fault | None:
        """Why somebody terminated this process; None if nobody did."""
        ended = self._ended
        return ended.fault if isinstance(ended, ProcessEndedError) and ended.terminated else None

    def close(self, failure: str | None) -> None:
        """End this process: normally, or with the text of its failure."""
        with suppress(NodeClosedError):
            self._node.driver.kernel().close_port(self.pid, failure)
        self._node.driver.kick()

    @contextmanager
    def running(self) -> Generator[None, None, None]:
        """The life of the process: however the block ends, the process ends with it."""
        failure: str | None = "cancelled"
        try:
            with self._scope:
                yield
                failure = None
        except trio.Cancelled:
            raise
        except BaseException as exc:
            failure = f"{type(exc).__name__}: {exc}"
            raise
        finally:
            # What was ended from outside must know, also where the block failed before it heard.
            self._node.driver.catch_up()
            self.close(failure)
        if self._ended is not None and self._scope.cancelled_caught:
            raise self._ended
