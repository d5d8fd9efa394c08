"""Where a key or a value stands in a TOML text. The parser keeps no positions, so they are looked up when there is
something to report, in a text that has been parsed without an error.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from collections.abc import Generator, Iterable, Iterator

from msgspec import Struct

Path = tuple[str | int, ...]

# Possessive, so that no text makes them slow or deep; what is not closed ends with the text, or with its line.
MULTILINE = r'"""(?:[^"\\]++|\\.|"(?!""))*+(?:"{3,5}+|\Z)|' + r"'''(?:[^']++|'(?!''))*+(?:'{3,5}+|\Z)"
STRINGS = MULTILINE + r'|"(?:[^"\\\n]++|\\[^\n])*+(?:"|(?=\\?\n|\\?\Z))' + r"|'[^'\n]*+(?:'|(?=\n|\Z))"
_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_SPACE = re.compile(r"[ \t]*+")
_KEY = re.compile(rf"[A-Za-z0-9_-]++|{STRINGS}")
_STRING = re.compile(STRINGS, re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\n]+")
_NO_HEADER = re.compile(rf"{STRINGS}|#[^\n]*+", re.DOTALL)
_HEADER = re.compile(r"^[ \t]*(\[)[ \t]*run[ \t]*\.[ \t]*([A-Za-z0-9_-]+)[ \t]*\]", re.MULTILINE)
_ELEMENTS_LIMIT = 1_000  # of one array: beyond it the array itself is pointed at


class Span(Struct, frozen=True):
    """Offsets of a key and of its value; for array elements and headers they are the same."""

    key: int
    value: int


class Lines:
    """Offsets to lines and columns, both counted from 1."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def at(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset."""
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def header_places(text: str) -> dict[str, tuple[int, int]]:
    """Line and column of plain ``[run.NAME]`` headers by name: quick, and enough for nearly every declaration."""
    found, line, start = dict[str, tuple[int, int]](), 1, 0
    for name, offset in header_offsets(text).items():
        line += text.count("\n", start, offset)
        start = offset
        found[name] = line, offset - text.rfind("\n", 0, offset)
    return found


def header_offsets(text: str) -> dict[str, int]:
    """By name, in the order of the text."""
    headers = [(found[2], found.start(1)) for found in _HEADER.finditer(text)]
    if '"""' in text or "'''" in text:  # a line within a string may look like one
        inside = [found.span() for found in _NO_HEADER.finditer(text) if "\n" in found[0]]
        starts = [start for start, _ in inside]

        def within(at: int) -> bool:
            before = bisect.bisect_right(starts, at) - 1
            return before >= 0 and at < inside[before][1]

        headers = [(name, at) for name, at in headers if not within(at)]
    return dict(headers)


def locate(text: str, paths: Iterable[Path]) -> dict[Path, Span]:
    """Spans of these paths; of the nearest enclosing one where a path itself is not written down."""
    wanted = set(paths)
    prefixes = {path[:length] for path in wanted for length in range(1, len(path) + 1)}
    found: dict[Path, Span] = {}
    for path, span in _Scanner(text).statements():
        if path in prefixes:
            found.setdefault(path, span)
    start = Span(0, 0)
    return {
        path: next((found[path[:n]] for n in range(len(path), 0, -1) if path[:n] in found), start) for path in wanted
    }


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._arrays: dict[Path, int] = {}  # arrays of tables: index of the newest element

    def statements(self) -> Iterator[tuple[Path, Span]]:
        table: Path = ()
        at = self._skip(_BLANK, 0)
        while at < len(self._text):
            if self._text[at] == "[":
                start = at
                is_array = self._text.startswith("[[", at)
                parts, at = self._keys(at + (2 if is_array else 1))
                table = self._enter(parts, is_array)
                yield from ((table[:n], Span(start, start)) for n in range(1, len(table) + 1))
                at = self._text.find("\n", at)
                at = len(self._text) if at < 0 else at
            else:
                at = yield from self._pair(table, at)
            at = self._skip(_BLANK, at)

    def _enter(self, parts: list[str], is_array: bool) -> Path:
        path: Path = ()
        for n, part in enumerate(parts):
            path = (*path, part)
            if is_array and n == len(parts) - 1:
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                path = (*path, self._arrays[path])
        return path

    def _pair(self, table: Path, at: int) -> Generator[tuple[Path, Span], None, int]:
        start = at
        parts, at = self._keys(at)
        at = self._skip(_SPACE, at)
        if self._text[at : at + 1] != "=":  # only in a text that is no TOML
            return len(self._text)
        at = self._skip(_SPACE, at + 1)
        path = (*table, *parts)
        yield from ((path[:n], Span(start, at)) for n in range(len(table) + 1, len(path) + 1))
        return (yield from self._value(path, at))

    def _value(self, path: Path, at: int) -> Generator[tuple[Path, Span], None, int]:
        opening = self._text[at : at + 1]
        if opening == "[":
            return (yield from self._array(path, at + 1))
        if opening == "{":
            return (yield from self._inline_table(path, at + 1))
        found = _STRING.match(self._text, at) or _SCALAR.match(self._text, at)
        return found.end() if found else len(self._text)

    def _array(self, path: Path, at: int) -> Generator[tuple[Path, Span], None, int]:
        index = 0
        at = self._skip(_BLANK, at)
        while at < len(self._text) and self._text[at] != "]":
            inside = self._value((*path, index), at)
            if index < _ELEMENTS_LIMIT:
                yield (*path, index), Span(at, at)
                at = yield from inside
            else:
                at = _drain(inside)
            at = self._skip(_BLANK, at)
            if self._text[at : at + 1] == ",":
                at = self._skip(_BLANK, at + 1)
            index += 1
        return at + 1

    def _inline_table(self, path: Path, at: int) -> Generator[tuple[Path, Span], None, int]:
        at = self._skip(_BLANK, at)
        while at < len(self._text) and self._text[at] != "}":
            at = yield from self._pair(path, at)
            at = self._skip(_BLANK, at)
            if self._text[at : at + 1] == ",":
                at = self._skip(_BLANK, at + 1)
        return at + 1

    def _keys(self, at: int) -> tuple[list[str], int]:
        parts: list[str] = []
        while True:
            at = self._skip(_SPACE, at)
            found = _KEY.match(self._text, at)
            if found is None:
                return parts, at
            parts.append(_unquote(found[0]))
            at = self._skip(_SPACE, found.end())
            if self._text[at : at + 1] != ".":
                return parts, at
            at += 1

    def _skip(self, pattern: re.Pattern[str], at: int) -> int:
        found = pattern.match(self._text, at)
        return found.end() if found else at


def _drain(steps: Generator[tuple[Path, Span], None, int]) -> int:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return int(end.value)


def _unquote(key: str) -> str:
    return str(tomllib.loads(f"k={key}")["k"]) if key[0] in "\"'" else key
