"""The offending line with a marker under the column, as compilers show it."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from reconciler.model.diagnostics import Source
from reconciler.views.paint import Paint, one_line

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|\'[^\']*\'?|\[+[^\]]*\]*|[^\s,\]}#=]+|.')
# What may stand on a line next to such a word is not shown: somebody may have written a secret there.
_SENSITIVE: Final = re.compile(r"secret|key|token|passw|credential|databricks|client_id|api_base|url", re.IGNORECASE)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|\'[^\']*\'?')
_BARE: Final = re.compile(r"(=\s*)([^\s\"'{\[#*][^\s#]*)")  # a value whose quotes were forgotten
_REFERENCE: Final = re.compile(r"""\b(?:env|file)\s*=\s*$""")


def excerpt(line: str, source: Source, width: int, paint: Paint) -> list[str]:
    """Three lines: a gap, the source line (cropped to ``width``), the marker."""
    line = _hide_values(line.rstrip("\r\n")).replace("\t", " ")
    at = min(source.column - 1, len(line))
    token = _TOKEN.match(line, at)
    length = len(token[0]) if token else 1
    gutter = len(str(source.line))
    room = max(width - gutter - 3, 20)
    start = 0 if len(line) <= room else max(min(at - room // 3, len(line) - room), 0)
    shown = line[start : start + room]
    before = line[start:at]
    marked = shown[at - start : at - start + length]
    bar = paint("|", "cyan")
    number = paint(str(source.line), "cyan")
    marker = paint("^" * max(_cells(marked), 1), "red", "bold")
    return [
        f"{' ' * gutter} {bar}",
        f"{number} {bar} {one_line(shown)}",
        f"{' ' * gutter} {bar} {' ' * _cells(before)}{marker}",
    ]


def _hide_values(line: str) -> str:
    """Strings of a line that may hold a secret, as stars; names of variables and files stay."""
    if not _SENSITIVE.search(_STRING.sub("", line)):
        return line
    line = _STRING.sub(
        lambda found: found[0] if _REFERENCE.search(line[: found.start()]) else "*" * len(found[0]), line
    )
    return _BARE.sub(lambda found: found[1] + "*" * len(found[2]), line)


def _cells(text: str) -> int:
    """Columns that a text takes on a terminal, once escaped."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in one_line(text))
