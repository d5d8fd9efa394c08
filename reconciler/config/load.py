"""Stage 1: the project's TOML files as parsed tables.

``reconciler.toml`` marks the root; ``runs/**/*.toml`` are read too, in sorted order. What a hostile or broken file
could do to the parser (size, depth, endless dotted keys) is refused before parsing. All problems are reported at once.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.config.positions import STRINGS, Lines
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.errors import ConfigurationError

ROOT_FILE = "reconciler.toml"
MAX_BYTES = 8 * 1024 * 1024
MAX_NESTING = 32
MAX_KEY_PARTS = 10

_TOKEN = re.compile(rf"{STRINGS}|#[^\n]*|[\[\]{{}}]", re.DOTALL)
_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_LONG_KEY = re.compile(rf"{_PART}(?:[ \t]*\.[ \t]*{_PART}){{{MAX_KEY_PARTS}}}")
_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed file; ``file`` is its path relative to the project."""

    file: str
    text: str
    table: dict[str, Any]

    @property
    def is_root(self) -> bool:
        """Whether it is the project's reconciler.toml."""
        return self.file == ROOT_FILE


@dataclass(frozen=True, slots=True)
class Loaded:
    """Every file that could be read, the root first, and what was wrong with the others."""

    root: Path
    documents: tuple[Document, ...]
    diagnostics: tuple[Diagnostic, ...]


def load(root: Path) -> Loaded:
    """Read and parse a project. Raises ConfigurationError where there is none."""
    top = root / ROOT_FILE
    if not top.is_file():
        raise ConfigurationError(
            [
                Diagnostic(
                    Severity.ERROR,
                    "No project here",
                    f"{root} has no {ROOT_FILE}, which marks a project's root.",
                    "Run `reconciler init` to write one, or name the project's folder with -C DIR.",
                    source=Source(ROOT_FILE),
                )
            ]
        )
    documents: list[Document] = []
    diagnostics: list[Diagnostic] = []
    for path in (top, *sorted((root / "runs").rglob("*.toml"))):
        read = _read(path, path.relative_to(root).as_posix())
        if isinstance(read, Document):
            documents.append(read)
        else:
            diagnostics.append(read)
    return Loaded(root, tuple(documents), tuple(diagnostics))


def _read(path: Path, file: str) -> Document | Diagnostic:
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        return _error(file, "The file can't be read", f"{error.strerror}.", "Check that it exists and its permissions.")
    if data is None:
        detail = f"It has {path.stat().st_size:,} bytes; 8 MiB is the most."
        return _error(file, "The file is too large", detail, "Split it into several files below runs/.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        detail = f"The byte 0x{data[error.start]:02x} is not UTF-8, the only encoding that TOML allows."
        return _error(file, "The file is not UTF-8", detail, "Save it as UTF-8.", line, column)
    return _refuse(file, text) or _parse(file, text)


def _parse(file: str, text: str) -> Document | Diagnostic:
    try:
        return Document(file, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        said = _PLACE.fullmatch(str(error))
        message = said[1] if said else str(error)
        line, column = Lines(text).at(len(text.rstrip()))
        if said and said[2]:
            line, column = int(said[2]), int(said[3])
        fix = "Correct the line; https://toml.io/en/v1.0.0 has the syntax."
        if "Cannot declare" in message or "Cannot overwrite" in message:
            fix = "A table or key may be declared only once in a file: rename or remove one."
        return _error(file, "This is not valid TOML", f"{message}.", fix, line, column)
    except (RecursionError, ValueError) as error:  # an integer of more digits than Python converts is a ValueError
        return _error(file, "This TOML can't be read", f"{error}.", "Shorten the value.")


def _refuse(file: str, text: str) -> Diagnostic | None:
    """What must not reach the parser: its work grows with the square of depth and of dotted parts."""
    suspect = _LONG_KEY.search(text)
    long_keys = {found.start() for found in _LONG_KEY.finditer(text)} if suspect else set()
    hidden: list[tuple[int, int]] = []
    depth = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > MAX_NESTING:
                line, column = Lines(text).at(token.start())
                detail = f"Arrays and tables are nested more than {MAX_NESTING} levels deep."
                return _error(file, "Nested too deeply", detail, "No setting needs that; flatten it.", line, column)
        elif first in "]}":
            depth = max(depth - 1, 0)
        elif long_keys and (first == "#" or "\n" in token[0]):
            hidden.append(token.span())
    for at in sorted(long_keys):
        if not any(start < at < end for start, end in hidden):
            line, column = Lines(text).at(at)
            detail = f"A dotted key has more than {MAX_KEY_PARTS} parts."
            return _error(file, "The key is too long", detail, "No setting needs that; shorten it.", line, column)
    return None


def _error(file: str, summary: str, detail: str, fix: str, line: int = 1, column: int = 1) -> Diagnostic:
    return Diagnostic(Severity.ERROR, summary, detail, fix, source=Source(file, line, column))
