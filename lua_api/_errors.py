"""What can go wrong between Python and Lua. Knows no Lua state."""

from __future__ import annotations

from specs import SuperviseError


class StateLostError(SuperviseError):
    """A Lua state cannot go on."""


class TermError(SuperviseError, TypeError):
    """A value cannot be sent to Lua. Nothing was sent.

    Attributes:
        path: Where in the payload it is, as a Python expression: `payload['items'][2]`.
        value: The value itself.
    """

    def __init__(self, path: str, value: object, problem: str) -> None:
        self.path = path
        self.value = value
        super().__init__(f"{path}: {problem}")
