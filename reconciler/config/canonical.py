"""The canonical form of a TOML text: its layout alone changes. Order, comments, numbers, quotes stay as they are.

The text is walked statement by statement and written anew, so what stands where is the author's. A library that keeps
the style of a document (tomlkit) was tried: it needs about 1 ms for a declaration, moves tables that continue an array
of tables, and refuses some documents that the parser takes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

from reconciler.config.positions import STRINGS

WIDTH = 100  # columns; an array that would reach beyond has a line for each element
_INDENT = "  "
_GAP = re.compile(r"[ \t\n]*+")
_SPACE = re.compile(r"[ \t]*+")
_COMMENT = re.compile(r"#[^\n]*+")
_KEY = re.compile(rf"[A-Za-z0-9_-]++|{STRINGS}")
_STRING = re.compile(STRINGS, re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\n]++")
_COMMENTS = re.compile(rf"{STRINGS}|(?P<comment>#[^\n]*+)", re.DOTALL)


class WouldChange(Exception):
    """The canonical text would not say the same: a bug of this module, found before anything is written."""


@dataclass(slots=True)
class _Element:
    """One element of an array, with its comments: those above it, and the one behind it."""

    value: _Value
    above: list[str]  # an empty text is a blank line
    behind: str = ""


@dataclass(slots=True)
class _Array:
    elements: list[_Element] = field(default_factory=list)
    below: list[str] = field(default_factory=list)  # comments after the last element
    open: bool = False  # a comma after the last element keeps a line for each


@dataclass(slots=True)
class _Inline:
    pairs: list[tuple[str, _Value]] = field(default_factory=list)


_Value = str | _Array | _Inline


@dataclass(slots=True)
class _Statement:
    """A comment of its own line (``text`` is empty), a header, or a pair."""

    text: str
    comment: str = ""
    is_header: bool = False
    blank: bool = False  # the author left a line free above it


def canonical(text: str) -> str:
    """The canonical form of a valid TOML text, which is not checked here. Raises WouldChange."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    written = "".join(f"{line}\n" for line in _lines(list(_Reader(text).statements())))
    # Written out, because nan is not equal to itself, and 1 is equal to true.
    if repr(tomllib.loads(written)) != repr(tomllib.loads(text)) or _comments(written) != _comments(text):
        raise WouldChange
    return written


def _comments(text: str) -> list[str]:
    return [found["comment"].rstrip() for found in _COMMENTS.finditer(text) if found["comment"] is not None]


def _lines(statements: list[_Statement]) -> Iterator[str]:
    """One blank line above each table and the comments that belong to it; elsewhere the author's, one at most."""
    leads = _leads(statements)
    for n, statement in enumerate(statements):
        after_header = n > 0 and statements[n - 1].is_header
        if n and (leads[n] or (statement.blank and not (after_header and statement.text))):
            yield ""
        yield f"{statement.text}{' ' if statement.text and statement.comment else ''}{statement.comment}"


def _leads(statements: list[_Statement]) -> list[bool]:
    """Which statements begin a table: its header, or the first of the comments right above that."""
    leads = [False] * len(statements)
    for n, statement in enumerate(statements):
        if statement.is_header:
            first = n
            while first and not statements[first].blank and not statements[first - 1].text:
                first -= 1
            leads[first] = True
    return leads


class _Reader:
    """Reads a valid text once, from its start to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def statements(self) -> Iterator[_Statement]:
        gap = self._take(_GAP)
        while self._at < len(self._text):
            statement = self._statement()
            statement.blank = gap.count("\n") > 1
            yield statement
            gap = self._take(_GAP)

    def _statement(self) -> _Statement:
        if self._next("#"):
            return _Statement("", self._comment())
        if not self._next("["):
            pair = f"{self._key()} = "
            self._skip("=")
            text = pair + _shown(self._value(), len(pair), "")
            return _Statement(text, self._comment_behind())
        brackets = 2 if self._next("[[") else 1
        self._skip("[" * brackets)
        key = self._key()
        for _ in range(brackets):
            self._skip("]")
        return _Statement(f"{'[' * brackets}{key}{']' * brackets}", self._comment_behind(), is_header=True)

    def _key(self) -> str:
        parts: list[str] = []
        while True:
            self._take(_SPACE)
            parts.append(self._take(_KEY))
            self._take(_SPACE)
            if not self._next("."):
                return ".".join(parts)
            self._skip(".")

    def _value(self) -> _Value:
        self._take(_SPACE)
        if self._next("["):
            return self._array()
        if self._next("{"):
            start = self._at
            return self._inline() or self._text[start : self._at]
        value = self._take(_STRING) or self._take(_SCALAR).rstrip()
        if not value:
            raise WouldChange  # the text is not what the parser took it for
        return value

    def _array(self) -> _Array:
        array = _Array()
        self._skip("[")
        gap, same_line = self._take(_GAP), False
        while not self._next("]"):
            same_line = same_line and "\n" not in gap  # as the element before
            free_line = [""] if gap.count("\n") > 1 and (array.elements or array.below) else []
            if self._next(","):
                self._skip(",")
                array.open = True
            elif not self._next("#"):
                array.elements.append(_Element(self._value(), [*array.below, *free_line]))
                array.below, array.open, same_line = [], False, True
            elif same_line:
                array.elements[-1].behind, same_line = self._comment(), False
            else:
                array.below += [*free_line, self._comment()]
            gap = self._take(_GAP)
        self._skip("]")
        return array

    def _inline(self) -> _Inline | None:
        """None where it holds comments of its own, which TOML allows since 1.1: it stays as it is written."""
        inline: _Inline | None = _Inline()
        self._skip("{")
        self._take(_GAP)
        while not self._next("}"):
            if self._next("#"):
                self._comment()
                inline = None
            elif self._next(","):
                self._skip(",")
            else:
                key = self._key()
                self._skip("=")
                value = self._value()
                if inline is not None:
                    inline.pairs.append((key, value))
            self._take(_GAP)
        self._skip("}")
        return inline

    def _comment(self) -> str:
        return self._take(_COMMENT).rstrip()

    def _comment_behind(self) -> str:
        self._take(_SPACE)
        return self._comment() if self._next("#") else ""

    def _next(self, word: str) -> bool:
        return self._text.startswith(word, self._at)

    def _skip(self, word: str) -> None:
        self._take(_SPACE)
        if not self._next(word):
            raise WouldChange
        self._at += len(word)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found[0] if found else ""


def _shown(value: _Value, column: int, indent: str) -> str:
    """A value that starts at a column of a line with this indent."""
    if isinstance(value, str):
        return value
    flat = _flat(value)
    if flat is not None and (column + len(flat) <= WIDTH or flat in ("[]", "{}")):
        return flat
    if isinstance(value, _Inline):
        parts, column = ["{ "], column + 2
        for n, (key, inner) in enumerate(value.pairs):
            before = f"{', ' if n else ''}{key} = "
            shown = _shown(inner, column + len(before), indent)
            column = len(shown.rpartition("\n")[2]) + (0 if "\n" in shown else column + len(before))
            parts += [before, shown]
        return "".join([*parts, " }"])
    deeper = indent + _INDENT
    lines: list[str] = []
    for element in value.elements:
        lines += [note and deeper + note for note in element.above]
        behind = element.behind and f" {element.behind}"
        lines.append(f"{deeper}{_shown(element.value, len(deeper), deeper)},{behind}")
    lines += [note and deeper + note for note in value.below]
    return "\n".join(["[", *lines, f"{indent}]"])


def _flat(value: _Value) -> str | None:
    """On one line, or None where it can't be: it holds comments, a line break, or an array that is kept open."""
    if isinstance(value, str):
        return None if "\n" in value else value
    if isinstance(value, _Inline):
        pairs = [(key, _flat(inner)) for key, inner in value.pairs]
        if any(inner is None for _, inner in pairs):
            return None
        return f"{{ {', '.join(f'{key} = {inner}' for key, inner in pairs)} }}" if pairs else "{}"
    parts = [None if element.above or element.behind else _flat(element.value) for element in value.elements]
    if value.open or value.below or None in parts:
        return None
    return f"[{', '.join(part or '' for part in parts)}]"
