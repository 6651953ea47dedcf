"""Traces as bytes: JSON with a version, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from specs import ExitKind, ExitReason, Restart, SuperviseError
from supervise import _events
from supervise._events import ChildState, Event
from supervise.testing import _records
from supervise.testing._plain import plain, text_of
from supervise.testing._records import Fact, Record

VERSION: Final = 1
"""Of the form of traces; any change to a record makes it one more."""


class TraceError(SuperviseError, ValueError):
    """Bytes are no trace, or one of another version."""


def _kinds(module: Any, base: type[Any]) -> dict[str, type[Any]]:  # noqa: ANN401
    return {
        name: kind
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base
    }


_KINDS: Final[Mapping[str, type[Any]]] = _kinds(_records, Fact) | _kinds(_events, Event)


def _read_reason(data: Mapping[str, Any]) -> ExitReason:
    return ExitReason(ExitKind(data["kind"]), data.get("error"))


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "reason": _read_reason,
    "then": ChildState,
    "restart": Restart,
    "processes": lambda held: tuple(held) if isinstance(held, list) else held,
}


def _writable(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, ExitReason):
        return {"kind": value.kind.value, "error": plain(value.error)}
    return value


def record_to_data(record: Record) -> dict[str, Any]:
    """A record as plain data, with its type under `record`."""
    fields = {key: _writable(value) for key, value in msgspec.structs.asdict(record).items()}
    return {"record": type(record).__name__, **fields}


def _record_of(data: dict[str, Any]) -> Record:
    name = data.pop("record")
    fields = {
        key: _READERS[key](value) if key in _READERS else value for key, value in data.items()
    }
    record: Record = _KINDS[name](**fields)
    return record


def encode(seed: int, faults: str, records: tuple[Record, ...]) -> bytes:
    """A trace as JSON, one record a line."""
    head = {"trace": VERSION, "seed": seed, "faults": faults}
    lines = [msgspec.json.encode(head)]
    lines += [msgspec.json.encode(record_to_data(record)) for record in records]
    return b"\n".join(lines) + b"\n"


def decode(data: bytes) -> tuple[int, str, tuple[Record, ...]]:
    """The seed, the faults and the records of a trace.

    Raises:
        TraceError: It is none, or one of another version.
    """
    head, _, rest = data.partition(b"\n")
    try:
        described = msgspec.json.decode(head)
        version = described["trace"]
    except (msgspec.DecodeError, TypeError, KeyError):
        raise TraceError(f"this is no trace: it begins with {head[:40]!r}") from None
    if version != VERSION:
        raise TraceError(
            f"the trace has version {version}, and this library reads version {VERSION}: "
            "simulate again with the same seed and faults"
        )
    try:
        records = tuple(_record_of(msgspec.json.decode(line)) for line in rest.splitlines())
    except (msgspec.DecodeError, TypeError, KeyError, ValueError) as exc:
        raise TraceError(f"the trace is damaged: {text_of(exc)}") from exc
    return described["seed"], described["faults"], records
