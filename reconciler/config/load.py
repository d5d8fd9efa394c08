"""Stage 1: the project's TOML files as parsed tables.

``reconciler.toml`` marks the root; ``runs/**/*.toml`` are read too, in sorted order. What a hostile or broken file
could do to the parser (size, depth, endless dotted keys) is refused before parsing. All problems are reported at once.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from reconciler.config.parsing import parse
from reconciler.config.positions import MULTILINE, STRINGS, Lines
from reconciler.config.positions import Path as Keys
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.errors import ConfigurationError

ROOT_FILE = "reconciler.toml"
MAX_BYTES = 8 * 1024 * 1024
MAX_NESTING = 32
MAX_KEY_PARTS = 10
MAX_ITEMS = 500_000  # keys, tables and elements of one file: the parser needs some 10 µs for each

_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]++|\\[^\n])*+"|'[^'\n]*+')"""
_LONG_KEY = rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_KEY_PARTS}}}"
# In this order: a string of several lines is no key, a key may begin with a string of one line.
_TOKEN = re.compile(
    rf"{MULTILINE}|(?P<key>{_LONG_KEY})|{STRINGS}|#[^\n]*+|(?P<open>[\[{{])|(?P<close>[\]}}])", re.DOTALL
)
_MANY_DOTS = re.compile(r"\.[^.\n]*" * MAX_KEY_PARTS)  # on one line: a key that is too long has so many
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


class Document(Struct, frozen=True):
    """One parsed file; ``file`` is its path relative to the project. Of a table in which variables were substituted,
    ``references`` has what is written there, ``origins`` who gave each variable its value, and ``broken`` the places
    where that failed: told already.
    """

    file: str
    text: str
    table: dict[str, Any]
    references: Mapping[Keys, str] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)
    broken: frozenset[Keys] = frozenset()

    @property
    def is_root(self) -> bool:
        """Whether it is the project's reconciler.toml."""
        return self.file == ROOT_FILE


class Origin(Struct, frozen=True):
    """Who gave a variable its value: a place of a file, or, with ``words``, somebody else (``--var size``)."""

    document: Document
    path: Keys
    words: str = ""


class Loaded(Struct, frozen=True):
    """Every file that could be read, the root first, and what was wrong with the others."""

    root: Path
    documents: tuple[Document, ...]
    diagnostics: tuple[Diagnostic, ...]
    environment: Document | None = None  # environments/NAME.toml

    @property
    def top(self) -> Document | None:
        """The project's reconciler.toml."""
        return next((document for document in self.documents if document.is_root), None)


def load(root: Path) -> Loaded:
    """Read and parse a project; its environment is none yet. Raises ConfigurationError where there is no project."""
    documents: list[Document] = []
    diagnostics: list[Diagnostic] = []
    for path in project_files(root):
        if isinstance(path, OSError):
            diagnostics.append(unreadable(Path(path.filename).relative_to(root).as_posix(), path))
            continue
        read = read_document(path, path.relative_to(root).as_posix())
        if isinstance(read, Document):
            documents.append(read)
        else:
            diagnostics.append(read)
    return Loaded(root, tuple(documents), tuple(diagnostics))


def project_files(root: Path) -> Iterator[Path | OSError]:
    """The root file and every ``*.toml`` below runs/, sorted; links to folders are not followed. A folder that can't be
    read is an error: what it declares would seem to be withdrawn. Raises ConfigurationError where there is no project.
    """
    top = root / ROOT_FILE
    if not top.is_file():
        detail = f"{root} has no {ROOT_FILE}, which marks a project's root."
        fix = "Run `reconciler init` to write one, or name the project's folder with -C DIR."
        raise ConfigurationError([_error(ROOT_FILE, "No project here", detail, fix)])
    yield top
    troubles: list[OSError] = []
    found: list[Path] = []
    for folder, folders, names in os.walk(root / "runs", onerror=troubles.append):
        found.extend(Path(folder, name) for name in (*folders, *names) if name.endswith(".toml"))
    yield from (trouble for trouble in troubles if not isinstance(trouble, FileNotFoundError))
    yield from sorted(found)


def read_document(path: Path, file: str) -> Document | Diagnostic:
    """One file, or why it can't be read. ``file``: what it is called in messages."""
    try:
        file.encode()
    except UnicodeEncodeError:
        detail = "A path that is not UTF-8 can't be written into plans."
        return _error(file, "The file's name is not UTF-8", detail, "Rename the file or its folder.")
    try:
        data = _bytes(path)
    except OSError as error:
        return unreadable(file, error)
    if data is None:
        detail = "It is a folder, a pipe or a device."
        return _error(file, "The file can't be read", detail, "Only regular files are read; rename or remove it.")
    return read_bytes(data, file)


def read_bytes(data: bytes, file: str) -> Document | Diagnostic:
    """The content of a file: at most 8 MiB of UTF-8."""
    if len(data) > MAX_BYTES:
        detail = "It has more than 8 MiB, which is the most."
        return _error(file, "The file is too large", detail, "Split it into several files below runs/.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        read = error.object  # without the mark that says UTF-8
        before = read[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        detail = f"The byte 0x{read[error.start]:02x} is not UTF-8, the only encoding that TOML allows."
        return _error(file, "The file is not UTF-8", detail, "Save it as UTF-8.", line, column)
    return _refuse(file, text) or _parse(file, text)


def _bytes(path: Path) -> bytes | None:
    """At most one byte more than is allowed; None for what is no regular file. Never waits for a pipe's other end."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        regular = stat.S_ISREG(os.fstat(opened.fileno()).st_mode)
        return opened.read(MAX_BYTES + 1) if regular else None


def unreadable(file: str, error: OSError) -> Diagnostic:
    """What the operating system says of a file."""
    return _error(file, "The file can't be read", f"{error.strerror}.", "Check that it exists and its permissions.")


def _parse(file: str, text: str) -> Document | Diagnostic:
    try:
        return Document(file, text, parse(text))
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
    except (RecursionError, ValueError):  # an integer of more digits than Python converts is a ValueError
        detail = "A number in it has thousands of digits, or it is nested too deeply."
        return _error(file, "This TOML can't be read", detail, "Shorten the value.")


def _refuse(file: str, text: str) -> Diagnostic | None:
    """What must not reach the parser: its work grows with the square of depth and of dotted parts. One pass."""
    if sum(map(text.count, "=[{,")) > MAX_ITEMS:
        detail = f"It holds more than {MAX_ITEMS:,} keys, tables and elements."
        return _error(file, "The file holds too much", detail, "Split it into several files below runs/.")
    if _shallow(text) and _MANY_DOTS.search(text) is None:
        return None
    depth = 0
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "key":
                detail = f"A dotted key has more than {MAX_KEY_PARTS} parts."
                fix = "No setting needs that; shorten it."
                return _error(file, "The key is too long", detail, fix, *Lines(text).at(token.start()))
            case "open":
                depth += 1
                if depth > MAX_NESTING:
                    detail = f"Arrays and tables are nested more than {MAX_NESTING} levels deep."
                    fix = "No setting needs that; flatten it."
                    return _error(file, "Nested too deeply", detail, fix, *Lines(text).at(token.start()))
            case "close":
                depth = max(depth - 1, 0)
    return None


def _shallow(text: str) -> bool:
    """Whether no bracket can be nested too deeply, strings and comments counted as well: a quick look that is sure of
    most files, and leaves the others to the tokens.
    """
    brackets = text.encode().translate(None, _ALL_BUT_BRACKETS)
    for _ in range(MAX_NESTING // 2):
        if not brackets:
            return True
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")  # the innermost pairs: of one level, or of two
    return not brackets


def _error(file: str, summary: str, detail: str, fix: str, line: int = 1, column: int = 1) -> Diagnostic:
    return Diagnostic(Severity.ERROR, summary, detail, fix, source=Source(file, line, column))
