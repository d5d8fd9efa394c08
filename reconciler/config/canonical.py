"""The canonical form of a TOML text: its layout alone changes. Order, comments, numbers, quotes stay as they are.

tomlkit reads it, a section (a header and its pairs) at a time: of a whole document it moves tables that continue an
array of tables further up, and refuses some that the parser takes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator

import tomlkit
from msgspec import Struct
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array, Comment, InlineTable, Item, Key, Null, Table, Whitespace

from reconciler.config.positions import STRINGS

WIDTH = 100  # columns; an array that would reach beyond has a line for each element
_INDENT = "  "
_BRACKET = re.compile(rf"{STRINGS}|#[^\n]*+|(?P<open>[\[{{])|(?P<close>[\]}}])", re.DOTALL)
_LAYOUT = re.compile(rf"(?P<kept>{STRINGS}|#[^\n]*+)|[ \t\n,]++", re.DOTALL)


class WouldChange(Exception):
    """The text can't be read so that its comments are kept, which the message says, or what was written would not say
    the same (no message).
    """


class _Statement(Struct):
    """A comment of its own line (``text`` is empty), a header, or a pair."""

    text: str
    comment: str = ""
    is_header: bool = False
    blank: bool = False  # the author left a line free above it


class _Row(Struct):
    """A line of an array that has one for each element: an element, a comment, or both. Without either it is free."""

    value: Item | None = None
    comment: str = ""


def canonical(text: str) -> str:
    """The canonical form of a valid TOML text, which is not checked here. Raises WouldChange."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    written = "".join(f"{line}\n" for line in _lines(list(_statements(text))))
    if _without_layout(written) != _without_layout(text) or _said(written) != _said(text):
        raise WouldChange
    return written


def _said(text: str) -> str | None:
    """Its values, written out, because nan is not equal to itself, and 1 is equal to true; None if it is no TOML."""
    try:
        return repr(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return None


def _without_layout(text: str) -> str:
    """All but blanks, line ends and commas, in its order: what no layout may change."""
    return _LAYOUT.sub(lambda found: f"{found['kept'].rstrip()}\n" if found["kept"] else "", text)


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


def _statements(text: str) -> Iterator[_Statement]:
    gap = ""
    for section in _sections(text):
        try:
            body = tomlkit.parse(section).body
        except TOMLKitError as problem:
            first = section.partition("\n")[0]
            raise WouldChange(f"{problem} of what begins with `{first}`") from problem
        if section.startswith("["):
            names, table = _descend(*body[0])
            brackets = 2 if section.startswith("[[") else 1
            header = f"{'[' * brackets}{names}{']' * brackets}"
            yield _Statement(header, _comment(table), True, "\n" in gap)
            gap, body = "", table.value.body
        for key, item in body:
            if isinstance(item, Whitespace):
                gap += item.s
                continue
            names, value = _descend(key, item)
            pair = f"{names} = " if names else ""
            yield _Statement(pair and pair + _shown(value, len(pair), ""), _comment(value), blank="\n" in gap)
            gap = ""


def _sections(text: str) -> Iterator[str]:
    """The text up to its first header, then from each header to the next."""
    start = depth = 0
    for found in _BRACKET.finditer(text):
        if found["open"]:
            begun = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
            if not depth and not begun.strip():
                yield text[start : found.start()]
                start = found.start()
            depth += 1
        elif found["close"]:
            depth -= 1
    yield text[start:]


def _descend(key: Key | None, item: Item) -> tuple[str, Item]:
    """A key as it is written, dotted or not, and what is found there."""
    names: list[str] = []
    while key is not None:
        names.append(key.as_string().strip())
        item = item.body[0] if isinstance(item, AoT) else item
        if not isinstance(item, Table) or not item.is_super_table():
            break
        key, item = item.value.body[0]
    return ".".join(names), item


def _comment(item: Item) -> str:
    return item.trivia.comment.rstrip()


def _shown(value: Item, column: int, indent: str) -> str:
    """A value that starts at a column of a line with this indent."""
    flat = _flat(value)
    if flat is not None and (column + len(flat) <= WIDTH or flat in ("[]", "{}")):
        return flat
    if isinstance(value, InlineTable) and (pairs := _pairs(value)) is not None:
        shown = "{ "
        for n, (key, inner) in enumerate(pairs):
            shown += f"{', ' if n else ''}{key} = "
            shown += _shown(inner, len(shown.rpartition("\n")[2]) + (0 if "\n" in shown else column), indent)
        return f"{shown} }}"
    if not isinstance(value, Array):
        return value.as_string()
    deeper = indent + _INDENT
    lines = ["["]
    for row in _rows(value)[0]:
        element = "" if row.value is None else f"{_shown(row.value, len(deeper), deeper)},"
        line = f"{element}{' ' if element and row.comment else ''}{row.comment}"
        lines.append(line and deeper + line)
    return "\n".join([*lines, f"{indent}]"])


def _flat(value: Item) -> str | None:
    """On one line, or None where it can't be: it holds comments, a line break, or an array that is kept open."""
    if isinstance(value, Array):
        rows, is_open = _rows(value)
        parts = [None if row.value is None or row.comment else _flat(row.value) for row in rows]
        return None if is_open or None in parts else f"[{', '.join(part or '' for part in parts)}]"
    pairs = _pairs(value) if isinstance(value, InlineTable) else None
    if pairs is None:
        text = value.as_string()
        return None if "\n" in text else text
    flat = [(key, _flat(inner)) for key, inner in pairs]
    if any(inner is None for _, inner in flat):
        return None
    return f"{{ {', '.join(f'{key} = {inner}' for key, inner in flat)} }}" if flat else "{}"


def _pairs(table: InlineTable) -> list[tuple[str, Item]] | None:
    """None where it holds comments of its own, which TOML allows since 1.1: it stays as it is written."""
    body = table.value.body
    if any(isinstance(item, Comment) for _, item in body):
        return None
    return [_descend(key, item) for key, item in body if key]


def _rows(array: Array) -> tuple[list[_Row], bool]:
    """Its lines, and whether a comma after the last element keeps one for each."""
    rows: list[_Row] = []
    gap, is_open, same_line = "", False, False
    items: Iterable[Item] = array._iter_items()  # what is public has no comments
    for item in items:
        if isinstance(item, Whitespace):  # with the commas
            gap = (gap + item.s).rpartition(",")[2]
            is_open = is_open or "," in item.s
            same_line = same_line and "\n" not in item.s
        elif isinstance(item, Comment) and same_line:
            rows[-1].comment, gap, same_line = _comment(item), "", False
        elif not isinstance(item, Null):
            rows += [_Row()] if gap.count("\n") > 1 and rows else []
            gap, same_line = "", not isinstance(item, Comment)
            rows.append(_Row(item) if same_line else _Row(comment=_comment(item)))
            is_open = is_open and not same_line
    return rows, is_open
