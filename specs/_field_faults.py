"""What is wrong with the fields of one spec, as their rules say. Knows no tree."""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from specs._errors import SpecError
from specs._fields import key_of, rule_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specs._fields import Rule
    from specs._host import HostSpec


def check_host(host: HostSpec) -> None:
    """Check a host (see `check_spec`, which takes one, too).

    Raises:
        SpecError: With one line for every fault.
    """
    raise_faults(field_faults(host, label(host.name, "host")))


def field_faults(spec: Any, path: str) -> list[str]:  # noqa: ANN401 - any attrs instance
    """One line for every field that is missing or breaks its rule."""
    faults = []
    for name, key, rule, default in _ruled_fields(spec.__class__):
        value = getattr(spec, name)
        if value is attrs.NOTHING:
            faults.append(f"{path}.{key}: is missing")
        elif value is default:
            continue  # a default obeys its rule
        elif rule is not None and not rule.accepts(value):
            hint = did_you_mean(value, rule.words)
            faults.append(f"{path}.{key}: must be {rule.want}, got {value!r}{hint}")
    return faults


@cache
def _ruled_fields(spec_class: type) -> tuple[tuple[str, str, Rule | None, object], ...]:
    """Each field of a spec: its name, its key in data, its rule, and its default (or NOTHING)."""
    return tuple((a.name, key_of(a), rule_of(a), a.default) for a in attrs.fields(spec_class))


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """The end of a message: the nearest known word, or nothing if none is near."""
    near = difflib.get_close_matches(str(given), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def raise_faults(faults: list[str]) -> None:
    """Raise what was found, if anything was."""
    if faults:
        raise SpecError(faults)


def label(name: object, otherwise: str) -> str:
    """What a path calls a spec; something else where its own name is none."""
    return name if isinstance(name, str) and name else otherwise
