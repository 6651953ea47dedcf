"""Whether a tree can be run: every fault of it at once, each with its path. Starts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from specs._child import Backoff, ChildSpec, LuaStart, Restart, TaskStart
from specs._field_faults import field_faults, label, raise_faults
from specs._host import HostSpec
from specs._supervisor import AutoShutdown, DynamicSupervisorSpec, SupervisorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


AnySupervisorSpec: TypeAlias = SupervisorSpec | DynamicSupervisorSpec

_NOTHING_MISREAD: Mapping[int, Sequence[str]] = {}


def _nothing_else(_: LuaStart) -> Iterable[str]:
    return ()


def check_spec(
    spec: AnySupervisorSpec | HostSpec,
    also: Callable[[LuaStart], Iterable[str]] = _nothing_else,
) -> None:
    """Check a tree, or a host, as a whole.

    Args:
        spec: The root of the tree, or the host.
        also: What else is wrong with a Lua start, where more is known than the spec: one text a
            fault, such as `lua: entry not found: "shop:stock"`.

    Raises:
        SpecError: With one line for every fault, such as
            `shop/stock.shutdown: must be seconds, at least 0, infinity or brutal_kill, got -1`.
    """
    raise_faults(find_faults(spec, also=also))


def check_child(child: ChildSpec, under: AnySupervisorSpec) -> None:
    """Check a child, and the tree below it, that is to be added to a running supervisor.

    Whether its id is taken is for the supervisor to say.

    Args:
        child: The child.
        under: The supervisor it is for, as it was declared.

    Raises:
        SpecError: With one line for every fault.
    """
    raise_faults(find_child_faults(child, under))


def find_faults(
    spec: AnySupervisorSpec | HostSpec,
    misread: Mapping[int, Sequence[str]] = _NOTHING_MISREAD,
    also: Callable[[LuaStart], Iterable[str]] = _nothing_else,
) -> list[str]:
    """All faults of a tree or a host.

    Args:
        spec: The root of the tree, or the host.
        misread: What reading found wrong with single specs (by their `id()`): unknown keys.
        also: As for `check_spec`.
    """
    walk = _Walk(misread, also)
    if isinstance(spec, HostSpec):
        walk.fields(spec, label(spec.name, "host"))
    elif isinstance(spec, SupervisorSpec | DynamicSupervisorSpec):
        path = label(spec.id, "supervisor")
        walk.claim(spec.name, path)
        walk.supervisor(spec, path)
    else:
        walk.faults.append(
            f"tree: must be a SupervisorSpec, a DynamicSupervisorSpec or a HostSpec, got {spec!r}"
        )
    return walk.faults


def find_child_faults(
    child: ChildSpec,
    under: AnySupervisorSpec,
    misread: Mapping[int, Sequence[str]] = _NOTHING_MISREAD,
) -> list[str]:
    """All faults of a child that is to be added (see `check_child` and `find_faults`)."""
    walk = _Walk(misread)
    walk.child(child, f"{under.id}/{label(getattr(child, 'id', None), '?')}", under)
    return walk.faults


class _Walk:
    """One walk over a tree."""

    def __init__(
        self,
        misread: Mapping[int, Sequence[str]],
        also: Callable[[LuaStart], Iterable[str]] = _nothing_else,
    ) -> None:
        self.faults: list[str] = []
        self._misread = misread
        self._also = also
        self._holders: dict[str, str] = {}

    def fields(self, spec: Any, path: str) -> None:  # noqa: ANN401 - any attrs instance
        """Every field that has a rule, and what reading found."""
        if self._misread:
            self.faults += [f"{path}.{fault}" for fault in self._misread.get(id(spec), ())]
        self.faults += field_faults(spec, path)

    def supervisor(self, spec: AnySupervisorSpec, path: str) -> None:
        """A supervisor and everything below it."""
        self.fields(spec, path)
        if isinstance(spec, DynamicSupervisorSpec):
            return
        if not isinstance(spec.children, tuple):
            self.faults.append(f"{path}.children: must be a list, got {spec.children!r}")
            return
        seen: set[object] = set()
        for position, child in enumerate(spec.children):
            child_path = f"{path}/{label(getattr(child, 'id', None), f'children[{position}]')}"
            self.child(child, child_path, spec)
            if isinstance(child, ChildSpec) and isinstance(child.id, str):
                if child.id in seen:
                    self.faults.append(f"{child_path}.id: is the id of an earlier sibling too")
                seen.add(child.id)

    def child(self, child: ChildSpec, path: str, parent: AnySupervisorSpec) -> None:
        """A child and everything below it."""
        if not isinstance(child, ChildSpec):
            self.faults.append(f"{path}: must be a ChildSpec or a supervisor's spec, got {child!r}")
            return
        self.fields(child, path)
        self.claim(child.name, path)
        if child.significant is True:
            self._significance(child, path, parent)
        if child.backoff is not None:
            self._backoff(child.backoff, path)
        self._start(child, path, parent)

    def claim(self, name: object, path: str) -> None:
        """A name is held by one process of the whole tree."""
        if not isinstance(name, str):
            return
        holder = self._holders.setdefault(name, path)
        if holder != path:
            self.faults.append(f"{path}.name: {name!r} is already the name of {holder}")

    def _significance(self, child: ChildSpec, path: str, parent: AnySupervisorSpec) -> None:
        where = f"{path}.significant"
        if child.restart is Restart.PERMANENT:
            self.faults.append(
                f"{where}: a permanent child is always restarted; make it transient or temporary"
            )
        if isinstance(parent, DynamicSupervisorSpec):
            self.faults.append(f"{where}: a dynamic supervisor does not end with its children")
        elif parent.auto_shutdown is AutoShutdown.NEVER:
            self.faults.append(
                f"{where}: has no effect while the supervisor's auto_shutdown is never"
            )

    def _backoff(self, backoff: object, path: str) -> None:
        if isinstance(backoff, Backoff):
            before = len(self.faults)
            self.fields(backoff, f"{path}.backoff")
            if len(self.faults) == before and backoff.maximum < backoff.initial:
                self.faults.append(
                    f"{path}.backoff.maximum: must be at least initial ({backoff.initial}), "
                    f"got {backoff.maximum}"
                )
        else:
            self.faults.append(f"{path}.backoff: must be a Backoff or left out, got {backoff!r}")

    def _start(self, child: ChildSpec, path: str, parent: AnySupervisorSpec) -> None:
        start: object = child.start
        if start is attrs.NOTHING:
            return
        if isinstance(start, LuaStart):
            before = len(self.faults)
            self.fields(start, f"{path}.start")
            if len(self.faults) == before:
                self.faults += [f"{path}.start.{fault}" for fault in self._also(start)]
            return
        if child.ready is True:
            self.faults.append(
                f"{path}.ready: is for Lua children; a Python function says so by "
                "task_status.started(), a supervisor is up when its children are"
            )
        if isinstance(start, TaskStart):
            self.fields(start, f"{path}.start")
        elif isinstance(start, SupervisorSpec | DynamicSupervisorSpec):
            self._known_by_one_name(child, start, path)
            if isinstance(parent, DynamicSupervisorSpec) and parent.extra_arguments:
                self.faults.append(
                    f"{path}.start: a supervisor takes no arguments, but {parent.id} has "
                    "extra_arguments"
                )
            self.supervisor(start, path)
        else:
            self.faults.append(
                f"{path}.start: must be lua(...), task(...) or a supervisor's spec, got {start!r}"
            )

    def _known_by_one_name(self, child: ChildSpec, start: AnySupervisorSpec, path: str) -> None:
        for attribute in ("id", "name"):
            own, given = getattr(start, attribute), getattr(child, attribute)
            if own != given:
                self.faults.append(
                    f"{path}.{attribute}: must be the supervisor's own, {own!r}, got {given!r}"
                )
