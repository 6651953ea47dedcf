"""A trace: everything that happened in a simulation, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, overload

from attrs import field, frozen

from supervise.testing import _codec, _timeline
from supervise.testing._records import Record, as_records

R = TypeVar("R")


@frozen(repr=False)
class Trace(Sequence[Record]):
    """What happened in a simulation, in order: a sequence of records.

    Two traces are equal if everything in them is, and then their bytes are, too. `str(trace)` is a
    readable timeline.

    Attributes:
        seed: The seed of the simulation.
        faults: The code of its fault plan.
        records: The records.
    """

    seed: int
    faults: str
    records: tuple[Record, ...] = field(converter=as_records)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Record, ...]: ...
    def __getitem__(self, index: int | slice) -> Record | tuple[Record, ...]:
        return self.records[index]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @overload
    def of(self, kind: type[R], /) -> list[R]: ...
    @overload
    def of(self, *kinds: type[Any]) -> list[Any]: ...
    def of(self, *kinds: type[Any]) -> list[Any]:
        """The records of these types, in order."""
        return [record for record in self.records if isinstance(record, kinds)]

    def to_bytes(self) -> bytes:
        """The trace as JSON lines: the first one says the version, the seed and the faults."""
        return _codec.encode(self.seed, self.faults, self.records)

    @classmethod
    def from_bytes(cls, data: bytes) -> Trace:
        """The trace that `to_bytes` wrote.

        Raises:
            TraceError: It is none, or one of another version.
        """
        seed, faults, records = _codec.decode(data)
        return cls(seed, faults, records)

    def __str__(self) -> str:
        return _timeline.render(self.seed, self.faults, self.records)

    def __repr__(self) -> str:
        return f"<Trace seed={self.seed} faults={self.faults} records={len(self.records)}>"

    def __hash__(self) -> int:
        return hash((self.seed, self.faults, len(self.records)))


def show(records: Sequence[Any]) -> str:
    """Records as lines of a timeline."""
    return "\n".join(map(_timeline.line, records))
