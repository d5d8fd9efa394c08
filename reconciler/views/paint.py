"""Text for terminals: escaping of what comes from outside, and colour.

Nothing from outside may act on a terminal or forge a line of a log. Colour is therefore not written as escape codes:
``Paint`` leaves marks that hold a secret of this process, which no text from outside can contain. Everything that is
printed goes through ``printable`` (``cli.output``), which escapes the rest and turns the marks into codes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

_CODES: Final = {"green": "32", "red": "31", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}
_SECRET: Final = os.urandom(8).hex()
_MARKS: Final = re.compile(f"\x00{_SECRET}:([0-9;]+)\x00")
_TYPED: Final = re.compile("`[^`]+`")
_GLUE: Final = "\ue000"  # stands for a blank while a line is broken; private, so ``escape`` lets none through
_PIECES: Final = re.compile("[^,]*,|[^,]+")  # of a word that is too long
# Blank or invisible, though Unicode counts them among letters and marks: fillers, joiners, variation selectors.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_BLANKS: Final = frozenset("\u00a0\u2002\u2003\u2007\u2009\u202f\u3000")  # not printable for Python, and harmless


def escape(text: str) -> str:
    """The text with everything made visible that a terminal would obey, or that hides or reorders text: control
    characters, tabs, format characters, halves of pairs. New lines and the marks of ``Paint`` stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "\n".join(line if _harmless(line) else _escaped(line) for line in text.split("\n"))


def one_line(text: str) -> str:
    """Escaped, on one line."""
    return escape(text).replace("\n", "\\n")


def joined(lines: Iterable[str]) -> str:
    """Lines as one text that ends with a new line; none of them can become two."""
    return "".join(f"{one_line(line)}\n" for line in lines)


def wrapped(line: str, width: int) -> list[str]:
    """A line broken at blanks, so that it fits a terminal; what follows is indented more. A word that is too long even
    for a line of its own, such as the address of a point of a matrix, is broken after commas, and else never. What is
    to be typed, between backticks, stays on one line if it fits one.
    """
    if visible_length(line) <= width:
        return [line]
    body, shown = line.lstrip(" "), _MARKS.sub("", line)
    deeper = " " * (len(shown) - len(shown.lstrip(" ")) + 8)

    def together(typed: re.Match[str]) -> str:
        return typed[0].replace(" ", _GLUE) if visible_length(deeper + typed[0]) <= width else typed[0]

    parts: list[str] = []
    first, *words = (word.replace(_GLUE, " ") for word in _TYPED.sub(together, body).split(" "))
    now = line.removesuffix(body) + first
    for word in words:
        if not word or visible_length(f"{now} {word}") <= width:
            now = f"{now} {word}"
            continue
        pieces = _PIECES.findall(word) if visible_length(deeper + word) > width else [word]
        if len(pieces) > 1 and visible_length(f"{now} {pieces[0]}") <= width:
            now = f"{now} {pieces.pop(0)}"
        for piece in pieces:
            parts.append(now.rstrip(" "))
            now = deeper + piece
    return [*parts, now]


def visible_length(text: str) -> int:
    """How many columns a text takes, without the marks of ``Paint``."""
    return len(_MARKS.sub("", text))


def printable(text: str) -> str:
    """What may be written to a terminal or a log: escaped, with the marks of ``Paint`` as escape codes."""
    return _MARKS.sub("\x1b[\\1m", escape(text))


def _harmless(line: str) -> bool:
    return line.isprintable() and (line.isascii() or _INVISIBLE.search(line) is None)


def _escaped(line: str) -> str:
    if "\x00" not in line:
        return "".join(map(_visible, line))
    parts: list[str] = []
    at = 0
    for mark in _MARKS.finditer(line):
        parts += [*map(_visible, line[at : mark.start()]), mark[0]]
        at = mark.end()
    return "".join([*parts, *map(_visible, line[at:])])


def _visible(character: str) -> str:
    if (character.isprintable() and _INVISIBLE.match(character) is None) or character in _BLANKS:
        return character
    code = ord(character)
    if character == "\t":
        return "\\t"
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Paint(NamedTuple):
    """Colours text, or leaves it alone. No Struct: ``--help`` does without them."""

    enabled: bool = False

    def __call__(self, text: str, *styles: str) -> str:
        """``styles``: green, red, yellow, cyan, bold, dim."""
        codes = ";".join(_CODES[style] for style in styles)
        return f"\x00{_SECRET}:{codes}\x00{text}\x00{_SECRET}:0\x00" if self.enabled and codes else text
