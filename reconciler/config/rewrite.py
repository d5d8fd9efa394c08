"""Files in their canonical form: which of a project's files differ from it, and writing them."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from reconciler.config.canonical import WouldChange, canonical
from reconciler.config.load import Document, project_files, read_bytes, read_document, unreadable
from reconciler.model.diagnostics import Diagnostic, Severity, Source

STANDARD_INPUT = "<stdin>"
MAX_BYTES = 4 * 1024 * 1024  # of declarations: some 20 s


class Rewriting(Struct, frozen=True):
    """A file as it is, with its byte order mark and line ends, and in its canonical form."""

    path: Path
    file: str  # how it is called
    before: str
    after: str

    @property
    def changes(self) -> bool:
        """Whether the two differ."""
        return self.before != self.after

    def diff(self) -> str:
        """A unified diff."""
        before, after = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in (self.before, self.after))
        lines = difflib.unified_diff(before, after, f"a/{self.file}", f"b/{self.file}")
        marked = (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
        return "".join(marked)


def project_rewritings(root: Path) -> Iterator[Rewriting | Diagnostic]:
    """reconciler.toml, ``runs/**/*.toml`` and ``environments/*.toml``; a diagnostic for a file that can't be formatted.
    Raises ConfigurationError where there is no project.
    """
    for path in (*project_files(root), *sorted((root / "environments").glob("*.toml"))):
        if isinstance(path, OSError):
            yield unreadable(Path(path.filename).relative_to(root).as_posix(), path)
        else:
            yield file_rewriting(path, path.relative_to(root).as_posix())


def file_rewriting(path: Path, file: str) -> Rewriting | Diagnostic:
    """One file, called ``file`` in what is told of it."""
    try:
        return _rewriting(path, file, read_document(path, file), path.read_bytes())
    except OSError as problem:
        return unreadable(file, problem)


def text_rewriting(data: bytes) -> Rewriting | Diagnostic:
    """What came through standard input."""
    return _rewriting(Path(), STANDARD_INPUT, read_bytes(data, STANDARD_INPUT), data)


def _rewriting(path: Path, file: str, read: Document | Diagnostic, data: bytes) -> Rewriting | Diagnostic:
    if isinstance(read, Diagnostic):
        return read
    if len(data) > MAX_BYTES:
        detail = f"It has more than {MAX_BYTES >> 20} MiB, which would take too long; it stays as it is."
        return _not_formatted(file, detail, "Split it into several files below runs/.")
    try:
        return Rewriting(path, file, data.decode("utf-8"), canonical(read.text))
    except WouldChange as problem:
        detail = "Its canonical form would not say the same; it stays as it is. That is a bug in reconciler."
        if problem.args:
            detail = f"It is valid, but tomlkit, which keeps its comments, can't read it: {problem}. It stays as it is."
        return _not_formatted(file, detail, "Format it by hand, or name the other files: `reconciler fmt FILE...`.")


def rewrite(item: Rewriting) -> Diagnostic | None:
    """Put the canonical form in the place of the file, all of it or nothing; what it links to, where it is a link. Its
    permissions stay. Returns what hindered it.
    """
    target = item.path.resolve()
    try:
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if target.read_bytes() != item.before.encode():
            detail = "It was changed by somebody else at this moment."
            return _not_formatted(item.file, detail, "Run it again.")
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with open(handle, "wb") as file:
                os.fchmod(handle, target.stat().st_mode & 0o7777)
                file.write(item.after.encode())
                file.flush()
                os.fsync(handle)
            os.replace(name, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as problem:
        detail = f"It can't be written: {problem.strerror}."
        return _not_formatted(item.file, detail, "Check its permissions.")
    return None


def _not_formatted(file: str, detail: str, fix: str) -> Diagnostic:
    return Diagnostic(Severity.ERROR, "Not formatted", detail, fix, source=Source(file))
