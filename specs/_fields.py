"""What a field of a spec may hold: one rule serves the check, the data form and the JSON Schema."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from enum import Enum

    from attrs import Attribute

T = TypeVar("T")

INFINITY = "infinity"
"""How `math.inf` is written where a file format has no word for it."""


def _same(value: Any) -> Any:  # noqa: ANN401 - rules look at values of any type
    return value


class Rule(NamedTuple):
    """One rule about one value.

    Attributes:
        want: Ends the sentence "must be ...".
        accepts: Whether a value obeys the rule.
        schema: The same as JSON Schema.
        read: From plain data; leaves alone what it does not recognise, so that `accepts` sees it.
        write: To plain data.
        words: The words it knows, for "did you mean".
    """

    want: str
    accepts: Callable[[Any], bool]
    schema: Mapping[str, Any]
    read: Callable[[Any], Any] = _same
    write: Callable[[Any], Any] = _same
    words: tuple[str, ...] = ()


def must(rule: Rule, *, key: str | None = None) -> dict[str, Any]:
    """The metadata that ties a rule, and a shorter key in data, to a field."""
    return {"rule": rule, "key": key}


def rule_of(attribute: Attribute[Any]) -> Rule | None:
    """The rule of a field, None for fields that hold other specs."""
    return attribute.metadata.get("rule")


def key_of(attribute: Attribute[Any]) -> str:
    """What the field is called in data."""
    return attribute.metadata.get("key") or attribute.name


def as_tuple(values: Iterable[T]) -> tuple[T, ...]:
    """A tuple of what can be iterated; anything else stays as it is, for the check to name."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        return values  # type: ignore[return-value]
    return tuple(values)


def as_dict(values: Mapping[str, T]) -> dict[str, T]:
    """A copy of a mapping; anything else stays as it is, for the check to name."""
    return dict(values) if isinstance(values, Mapping) else values


def as_float(value: float) -> float:
    """A float of a whole number, so that 5 and 5.0 print alike."""
    return float(value) if _is_whole(value) else value


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_NUMBER = int | float


def is_number(value: object) -> bool:
    """Whether this is a number and not a NaN."""
    return isinstance(value, _NUMBER) and not isinstance(value, bool) and value == value  # noqa: PLR0124 - NaN differs from itself


def read_infinity(value: Any) -> Any:  # noqa: ANN401
    """`"infinity"` becomes `math.inf`."""
    return math.inf if value == INFINITY else value


def write_infinity(value: Any) -> Any:  # noqa: ANN401
    """`math.inf` becomes `"infinity"`."""
    return INFINITY if value == math.inf else value


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_labels(value: object) -> bool:
    return value == {} or (
        isinstance(value, Mapping)
        and all(isinstance(part, str) for pair in value.items() for part in pair)
    )


NAME = Rule(
    want="a string that is not empty", accepts=_is_name, schema={"type": "string", "minLength": 1}
)
OPTIONAL_NAME = Rule(
    want="a string that is not empty, or left out",
    accepts=lambda value: value is None or _is_name(value),
    schema={"type": "string", "minLength": 1},
)
FLAG = Rule(
    want="true or false",
    accepts=lambda value: isinstance(value, bool),
    schema={"type": "boolean"},
)
LABELS = Rule(
    want="a table of strings",
    accepts=_is_labels,
    schema={"type": "object", "additionalProperties": {"type": "string"}},
)
ARGUMENTS = Rule(
    want="a list of arguments",
    accepts=lambda value: isinstance(value, tuple),
    schema={"type": "array"},
)


def at_least(least: int) -> Rule:
    """A whole number with a lower bound."""
    return Rule(
        want=f"a whole number, at least {least}",
        accepts=lambda value: _is_whole(value) and value >= least,
        schema={"type": "integer", "minimum": least},
    )


def at_least_or_infinity(least: int) -> Rule:
    """A whole number with a lower bound, or `math.inf`."""
    return Rule(
        want=f"a whole number, at least {least}, or infinity",
        accepts=lambda value: (_is_whole(value) and value >= least) or value == math.inf,
        schema={"anyOf": [{"type": "integer", "minimum": least}, {"const": INFINITY}]},
        read=read_infinity,
        write=write_infinity,
    )


def number(
    want: str, *, above: float | None = None, least: float | None = None, most: float = math.inf
) -> Rule:
    """A finite number in a range: above `above`, or from `least`, up to `most`."""

    def accepts(value: Any) -> bool:  # noqa: ANN401
        return (
            is_number(value)
            and math.isfinite(value)
            and (above is None or value > above)
            and (least is None or value >= least)
            and value <= most
        )

    bounds = {"exclusiveMinimum": above, "minimum": least, "maximum": most}
    kept = {key: bound for key, bound in bounds.items() if bound not in (None, math.inf)}
    return Rule(want=want, accepts=accepts, schema={"type": "number", **kept})


def one_of(enum: type[Enum]) -> Rule:
    """A member of an enum, written in data as its value."""
    values = {member.value: member for member in enum}
    return Rule(
        want=f"a {enum.__name__} ({', '.join(values)})",
        accepts=lambda value: isinstance(value, enum),
        schema={"enum": list(values)},
        read=lambda value: values.get(value, value) if isinstance(value, str) else value,
        write=lambda value: value.value,
        words=tuple(values),
    )


def one_word(*words: str) -> Rule:
    """One of a few strings."""
    return Rule(
        want="one of " + ", ".join(f'"{word}"' for word in words),
        accepts=lambda value: isinstance(value, str) and value in words,
        schema={"enum": list(words)},
        words=words,
    )
