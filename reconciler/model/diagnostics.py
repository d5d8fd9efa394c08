"""What is to be told about an input or a plan: collected, never raised one at a time."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


class Source(Struct, frozen=True, order=True):
    """A place in a file: path relative to the project, line and column counted from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Diagnostic(Struct, frozen=True):
    """One finding. ``summary`` is constant text without user data; ``detail`` says what happened and what is allowed,
    ``fix`` what to do.
    """

    severity: Severity
    summary: str
    detail: str = ""
    fix: str = ""
    address: str | None = None
    source: Source | None = None
    proposal: tuple[str, ...] = ()  # lines of TOML to be copied as they are


def errors(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Only those that forbid going on."""
    return [found for found in diagnostics if found.severity is Severity.ERROR]


def ordered(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Errors first, then by file and line, each said once."""
    rank = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTICE: 2}
    nowhere = Source("\uffff")
    return sorted(
        dict.fromkeys(diagnostics),
        key=lambda d: (rank[d.severity], d.source or nowhere, d.address or "", d.summary, d.detail),
    )
