"""What holds for processes, whatever fails: the numbers are those of the specification."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator

from supervise.testing import _records as rec
from supervise.testing._trace import Trace
from supervise.testing._violation import Violation, invariant

_Found = Iterator[Violation]


@invariant(42)
def pids_are_never_reused(trace: Trace) -> _Found:
    """No pid is given out twice."""
    seen: dict[str, rec.Spawned | rec.Opened] = {}
    for record in trace.of(rec.Spawned, rec.Opened):
        if record.pid in seen:
            yield Violation(f"{record.pid} was given out twice", [seen[record.pid], record])
        seen[record.pid] = record


@invariant(43)
def names_have_one_holder(trace: Trace) -> _Found:
    """A name belongs to at most one process."""
    held: dict[str, rec.Registered] = {}
    for record in trace.of(rec.Registered, rec.Released):
        if isinstance(record, rec.Released):
            held.pop(record.name, None)
            continue
        if record.name in held:
            what = f"{record.pid} got the name {record.name}, which another process holds"
            yield Violation(what, [held[record.name], record])
        held[record.name] = record


@invariant(44)
def names_are_released_once(trace: Trace) -> _Found:
    """A name is released once, by or for the process that holds it, at its end at the latest."""
    held: dict[str, rec.Registered] = {}
    for record in trace.of(rec.Registered, rec.Released, rec.Exited):
        if isinstance(record, rec.Registered):
            held[record.name] = record
        elif isinstance(record, rec.Released):
            holder = held.pop(record.name, None)
            if holder is None or holder.pid != record.pid:
                what = f"{record.pid} lost the name {record.name}, which it did not hold"
                yield Violation(what, [record])
        else:
            for name in [each for each in held.values() if each.pid == record.pid]:
                yield Violation(f"{record.pid} ended and holds {name.name}", [name, record])


@invariant(45, 46)
def names_are_free_before_anybody_hears(trace: Trace) -> _Found:
    """When a process is told of an end, the names of the one that ended are free."""
    held: dict[str, dict[str, rec.Registered]] = defaultdict(dict)
    for record in trace.of(rec.Registered, rec.Released, rec.Signalled):
        if isinstance(record, rec.Registered):
            held[record.pid][record.name] = record
        elif isinstance(record, rec.Released):
            held[record.pid].pop(record.name, None)
        elif record.kind != "CANCEL":
            for name in held[record.about].values():
                what = f"{record.pid} hears of the end of {record.about}, which holds {name.name}"
                yield Violation(what, [name, record])


@invariant(50)
def exit_once(trace: Trace) -> _Found:
    """Each monitor of a process that ends gets one EXIT, and nobody else gets one."""
    watching: dict[str, dict[str, rec.Monitored]] = defaultdict(dict)
    for record in trace.of(rec.Monitored, rec.Unmonitored, rec.Signalled, rec.Exited):
        if isinstance(record, rec.Monitored):
            watching[record.other][record.pid] = record
        elif isinstance(record, rec.Unmonitored):
            watching[record.other].pop(record.pid, None)
        elif isinstance(record, rec.Signalled):
            if record.kind == "EXIT" and watching[record.about].pop(record.pid, None) is None:
                what = f"{record.pid} has an EXIT of {record.about} that it does not monitor"
                yield Violation(what, [record])
        else:
            for pid, monitored in watching.pop(record.pid, {}).items():
                what = f"{pid} monitors {record.pid} and has no EXIT of it"
                yield Violation(what, [monitored, record])
            for watched in watching.values():
                watched.pop(record.pid, None)


@invariant(51)
def link_down_once(trace: Trace) -> _Found:
    """A LINK_DOWN comes once for a link, and only for one that is there."""
    links: dict[frozenset[str], rec.Linked] = {}
    for record in trace.of(rec.Linked, rec.Unlinked, rec.Signalled):
        if isinstance(record, rec.Signalled):
            pair = frozenset((record.pid, record.about))
            if record.kind == "LINK_DOWN" and links.pop(pair, None) is None:
                what = f"{record.pid} has a LINK_DOWN of {record.about}, to which it is not linked"
                yield Violation(what, [record])
            continue
        pair = frozenset((record.pid, record.other))
        if isinstance(record, rec.Linked):
            links[pair] = record
        else:
            links.pop(pair, None)


@invariant(52, 55)
def failures_cross_links(trace: Trace) -> _Found:
    """The failure of a process ends its linked ones, or is told to them; a normal end does not."""
    links: dict[str, dict[str, rec.Linked]] = defaultdict(dict)
    told: set[tuple[str, str]] = set()
    failed: dict[str, tuple[rec.Exited, rec.Linked]] = {}
    reached: set[str] = set()
    # Who ended while it spawned a linked process takes that along before it is known to anybody.
    known = {each.pid for each in trace.of(rec.Spawned, rec.Opened)}
    supervisors = {each.pid for each in trace.of(rec.Opened) if each.supervisor}
    for record in trace:
        if isinstance(record, rec.Linked):
            links[record.pid][record.other] = links[record.other][record.pid] = record
        elif isinstance(record, rec.Unlinked):
            links[record.pid].pop(record.other, None)
            links[record.other].pop(record.pid, None)
        elif isinstance(record, rec.Signalled) and record.kind == "LINK_DOWN":
            told.add((record.pid, record.about))
        elif isinstance(record, rec.Exited):
            failed.pop(record.pid, None)
            over_link = record.error == "linked process failed" and record.pid in known
            if over_link and record.pid not in reached:
                what = f"{record.pid} ended over a link, and no linked process had failed"
                yield Violation(what, [record])
            for peer, linked in links.pop(record.pid, {}).items():
                links[peer].pop(record.pid, None)
                heard = (peer, record.pid) in told or peer in supervisors
                if record.error is not None and not heard:
                    failed[peer] = record, linked
                    reached.add(peer)
    for peer, (end, linked) in failed.items():
        what = f"{peer} is linked to {end.pid}, which failed, and lives on"
        yield Violation(what, [linked, end])


@invariant(47, 58, 60)
def messages_keep_their_order(trace: Trace) -> _Found:
    """What a process receives was sent to it, once, and in the order of its sender and topic."""
    waiting: dict[tuple[str, str | None, str], deque[rec.Sent]] = defaultdict(deque)
    for record in trace.of(rec.Sent, rec.Received):
        key = record.pid, record.sender, record.topic
        if isinstance(record, rec.Sent):
            if record.error is None:
                waiting[key].append(record)
            continue
        following = waiting[key].popleft() if waiting[key] else None
        if following is None:
            yield Violation(f"{record.pid} received what was not sent to it", [record])
        elif following.payload != record.payload:
            what = f"{record.pid} received {record.payload!r} before {following.payload!r}"
            yield Violation(what, [following, record])


@invariant(54)
def nobody_speaks_after_its_end(trace: Trace) -> _Found:
    """A process that has ended sends, receives and watches nothing."""
    ended: dict[str, rec.Exited] = {}
    for record in trace:
        if isinstance(record, rec.Exited):
            ended[record.pid] = record
            continue
        pid = record.sender if isinstance(record, rec.Sent) else getattr(record, "pid", None)
        doer = isinstance(
            record, rec.Sent | rec.Received | rec.Monitored | rec.Linked | rec.Printed
        )
        if doer and pid in ended:
            yield Violation(f"{pid} does something after its end", [ended[pid], record])


@invariant(67)
def nothing_is_left(trace: Trace) -> _Found:
    """When the node has closed, no child and no Python process is left, and nothing of theirs.

    Processes that others spawned without a link live on: they belong to nobody.
    """
    alive: dict[str, rec.Spawned | rec.Opened] = {}
    for record in trace.of(rec.Spawned, rec.Opened, rec.Exited, rec.Finished):
        if isinstance(record, rec.Exited):
            alive.pop(record.pid, None)
        elif not isinstance(record, rec.Finished):
            alive[record.pid] = record
        else:
            for left in alive.values():
                if isinstance(left, rec.Opened) or left.child is not None:
                    yield Violation(f"{left.pid} is left", [left, record])
            if not record.processes and (record.names or record.timers):
                what = f"{record.names} names and {record.timers} timers of nobody are left"
                yield Violation(what, [record])
