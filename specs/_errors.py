"""The root of every error a user may catch, and the error of a faulty declaration."""

from __future__ import annotations


class SuperviseError(Exception):
    """The root of all errors that this project raises on purpose."""


class SpecError(SuperviseError, ValueError):
    """A declaration is faulty.

    Attributes:
        problems: One line a fault, each starting with the path of the field.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))
