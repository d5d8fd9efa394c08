"""Markdown for comments of GitHub and GitLab: text of others that stays text, tables, fences, and a budget of bytes.

Text from TOML, the service or a machine is shown as it is and can do nothing: it opens no table, fold, fence or
heading, mentions nobody, links to nothing. What is not plainly harmless is put into code spans, where both leave
mentions, references and addresses alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from reconciler.views.paint import one_line

EMPTY: Final = "(empty)"  # nothing at all could make a heading of the line above, or be no code span
CAP: Final = 500  # characters of one text of others
# Stands for what was left out of a long text until the comment is finished. A private character: none comes through
# ``one_line``; and as long in UTF-8 as the … that takes its place.
CUT: Final = "\ue000"
_GLUE: Final = "\ue001"  # stands for a blank between backticks; another private character
_QUOTED: Final = re.compile("`([a-z-](?:[^`]*[^` ])?)`")  # as messages name commands
_TICKS: Final = re.compile("`+")
_WORD: Final = re.compile(r"(\(?)(.*?)([,;:.?)]*)", re.DOTALL)
# Letters, within them hyphens and apostrophes; numbers. No point within a word, no digit after a hyphen (GH-12).
_HARMLESS: Final = re.compile(r"[^\W_]+(?:['’-][^\W\d_]+)*|\d+(?:[.,]\d+)*|[→≈–—…]|")
_COMMIT: Final = re.compile(r"[0-9A-Fa-f]{7}")
_ITEM: Final = re.compile(r"\d+[.)]")  # would begin a list


def code(text: str) -> str:
    """Text as it is, in a code span."""
    return _span(_capped(one_line(text))) if text else EMPTY


def prose(text: str) -> str:
    """Words as words, and whatever could do something in a code span, as is what stands between single backticks. Runs
    of blanks become one.
    """
    done: list[str] = []
    odd: list[str] = []  # words that go into one span

    def close(after: str = "") -> None:
        if odd:
            done.append(f"{_span(' '.join(odd))}{after}")
            odd.clear()

    glued = _QUOTED.sub(lambda quoted: quoted[0].replace(" ", _GLUE), _capped(one_line(text)))
    for number, word in enumerate(glued.split()):
        found = _WORD.fullmatch(word)
        before, core, after = found.groups() if found else ("", word, "")
        if _plain(core) and not (number == 0 and _ITEM.fullmatch(word)):
            close()
            done.append(word)
            continue
        quoted = _QUOTED.fullmatch(core)
        core = (quoted[1] if quoted else core).replace(_GLUE, " ")
        if before or quoted:
            close()
            done.append(f"{before}{_span(core)}{after}")
            continue
        odd.append(core)
        if after:
            close(after)
    close()
    return " ".join(done) or EMPTY


def _plain(core: str) -> bool:
    return _HARMLESS.fullmatch(core) is not None and _COMMIT.search(core) is None


def _capped(text: str) -> str:
    """Beginning and end of a long text: keys of addresses differ at their ends."""
    return text if len(text) <= CAP else f"{text[: CAP * 3 // 5]}{CUT}{text[1 - CAP * 2 // 5 :]}"


def _span(text: str) -> str:
    """``text`` is on one line, and not empty."""
    fence = "`" * (max(map(len, _TICKS.findall(text)), default=0) + 1)
    stripped = text[0] == text[-1] == " " and text.strip(" ")  # a blank would be taken from both ends
    pad = " " if "`" in (text[0], text[-1]) or stripped else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def row(*cells: str) -> str:
    """One row of a table, with its line end. A pipe within a code span ends a cell, too, unless it is escaped."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def header(*names: str) -> str:
    """The head of a table; names that begin with ``>`` are of columns of numbers."""
    rule = " | ".join("---:" if name.startswith(">") else "---" for name in names)
    return f"{row(*(name.removeprefix('>') for name in names))}| {rule} |\n"


def fenced(lines: Iterable[str], language: str) -> str:
    """A block of code that none of its lines can end."""
    body = [_capped(one_line(line)) for line in lines]
    longest = max((len(ticks) for line in body for ticks in _TICKS.findall(line)), default=0)
    fence = "`" * max(longest + 1, 3)
    return "\n".join([f"{fence}{language}", *body, fence, ""])


def size(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


class Part(Struct, frozen=True):
    """A part of a comment of which some may be left out. ``rows``: text and place among the others, the most important
    one first; made only when they are looked at. ``hidden``: the line that counts what is missing when so many are
    shown. ``rank``: of parts, the lowest gets its bytes first.
    """

    title: str
    head: str
    rows: Iterable[tuple[int, str]]
    count: int
    hidden: Callable[[int], str]
    rank: int
    tail: str = ""

    @property
    def least(self) -> str:
        """Nothing but the count."""
        return f"\n{self.title}{self.hidden(0)}\n"

    def within(self, room: int) -> tuple[str, bool]:
        """As much as fits so many bytes, which are enough for ``least``; and whether that is all."""
        kept: list[tuple[int, str]] = []
        used = size(f"\n{self.title}{self.head}{self.tail}")
        for item in self.rows:
            if used + size(item[1]) > room:
                break
            used += size(item[1])
            kept.append(item)
        if len(kept) == self.count:
            return self._text(kept), True
        while kept and used + size(f"\n{self.hidden(len(kept))}\n") > room:
            used -= size(kept.pop()[1])
        return (f"{self._text(kept)}\n{self.hidden(len(kept))}\n" if kept else self.least), False

    def _text(self, kept: list[tuple[int, str]]) -> str:
        rows = "".join(text for _, text in sorted(kept))
        return f"\n{self.title}{self.head}{rows}{self.tail}"


def fit(parts: Sequence[Part], room: int) -> tuple[list[str], bool] | None:
    """The parts, as much of each as fits so many bytes together; and whether that is all. None where not even the
    counts of what is missing fit.
    """
    least = [size(part.least) for part in parts]
    left = room - sum(least)
    if left < 0:
        return None
    texts, whole = [""] * len(parts), True
    for at in sorted(range(len(parts)), key=lambda number: parts[number].rank):
        texts[at], all_of_it = parts[at].within(left + least[at])
        left += least[at] - size(texts[at])
        whole = whole and all_of_it
    return texts, whole
