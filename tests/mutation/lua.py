"""Mutants of Lua source: one operator, constant, condition or statement changed at a time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import frozen
from lupa import lua54

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    (?P<comment>--\[\[.*?\]\]|--[^\n]*)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[\[.*?\]\])
  | (?P<number>\d+(?:\.\d+)?)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<operator>==|~=|<=|>=|\.\.\.|\.\.|[-+*/%<>\#])
  | (?P<other>\s+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_SWAPS = {
    "==": "~=",
    "~=": "==",
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "+": "-",
    "-": "+",
    "*": "/",
    "%": "*",
    "and": "or",
    "or": "and",
    "not": "",
    "true": "false",
    "false": "true",
}
# What stands alone on its line: a call, an assignment that is no declaration, a return or a break.
_STATEMENT = re.compile(
    r"^\s+(?!local\b)(?:return\b.*|break|[A-Za-z_][\w.:\[\] ,]*(?:\(.*\)|\s=\s.*))$"
)
_OPEN_END = re.compile(r"(?:\bfunction\s*\(.*\)|\b(?:then|do|and|or)|[-+*/(,{=.])$")
_FUNCTION = re.compile(
    r"^(?:local )?(?:function ([\w.:]+)|(\w[\w.\[\]]*) = function)\b", re.MULTILINE
)
# Other conditions have an operator that is changed anyway.
_CONDITION = re.compile(r"^(\s*(?:if|elseif|while)\s)(?!.*(?:==|~=|\bnot\b))(.*)(\s(?:then|do))$")


@frozen
class Mutant:
    """A changed text.

    Attributes:
        line: Where, from 1.
        function: The last one that begins at or above it, at the edge of the file.
        change: The line before and after.
        text: The whole.
    """

    line: int
    function: str
    change: str
    text: str


def mutants(text: str) -> list[Mutant]:
    """All mutants of a Lua file that compile, in the order of its lines."""
    found = [*_tokens_changed(text), *_lines_changed(text)]
    state = lua54.LuaRuntime()
    compiles = state.eval("function(text) return load(text) ~= nil end")
    unique = {mutant.text: mutant for mutant in found if compiles(mutant.text)}
    return sorted(unique.values(), key=lambda mutant: mutant.line)


def _tokens_changed(text: str) -> Iterator[Mutant]:
    before = ""
    for match in _TOKEN.finditer(text):
        token, kind = match.group(), match.lastgroup
        changed = None
        if kind == "number":
            changed = str(int(token) + 1) if token.isdigit() else None
        elif kind == "string":
            changed = _string_changed(token, before)
        elif kind in {"word", "operator"}:
            changed = _SWAPS.get(token)
        if kind != "comment" and token.strip():
            before = token
        if changed is not None:
            yield _mutant(text, match.start(), match.end(), changed)


def _string_changed(token: str, before: str) -> str | None:
    """A word that means something; not a message, nor the name of a module."""
    word = token[1:-1]
    quoted = token[0] == '"' and re.fullmatch(r"[A-Za-z_]*", word)
    return f'"{word}_"' if quoted and before != "require" else None


def _lines_changed(text: str) -> Iterator[Mutant]:
    at = 0
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\n")
        end = at + len(bare)
        is_code = not bare.lstrip().startswith("--")
        balanced = all(bare.count(a) == bare.count(b) for a, b in ("()", "{}", "[]"))
        if is_code and balanced and _STATEMENT.match(bare) and not _OPEN_END.search(bare):
            yield _mutant(text, at, end, "")
        condition = _CONDITION.match(bare)
        if condition:
            start, inside, stop = condition.groups()
            yield _mutant(text, at, end, f"{start}not ({inside}){stop}")
        at += len(line)


def _mutant(text: str, start: int, end: int, changed: str) -> Mutant:
    line = text.count("\n", 0, start) + 1
    result = text[:start] + changed + text[end:]
    old, new = (whole.split("\n")[line - 1].strip() for whole in (text, result))
    functions = [one or other for one, other in _FUNCTION.findall(text[:end])]
    function = functions[-1] if functions else "file"
    return Mutant(line, function, f"{old}  =>  {new or '(removed)'}", result)
