"""Where the source of an entry comes from, when it is not the file its name says."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen
from attrs.converters import optional


@frozen
class Entry:
    """The Lua source behind an entry reference.

    Attributes:
        file: Path of a Lua file; give either this or `text`.
        text: Lua source.
        main: The function of the module that is run; `"main"` by default.
    """

    file: Path | None = field(default=None, converter=optional(Path))
    text: str | None = field(default=None, kw_only=True)
    main: str = field(default="main", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if (self.file is None) == (self.text is None):
            raise ValueError("Entry: give either a file or a text, and not both")
