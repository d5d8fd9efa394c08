"""Problems found in parsed tables, and their way to diagnostics with file, line and column.

Finding is cheap and knows only a path; positions are looked up once for each file, at the end, and only if needed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reconciler.config.load import Document, Origin
from reconciler.config.positions import Lines, Path, Span, locate
from reconciler.model.diagnostics import Diagnostic, Severity, Source


class Finding(Struct, frozen=True):
    """One problem at a path of a document; ``on_key`` points at the key rather than at its value."""

    document: Document
    path: Path
    severity: Severity
    summary: str
    detail: str
    fix: str = ""
    address: str | None = None
    on_key: bool = False


def error(document: Document, path: Path, summary: str, detail: str, fix: str = "", **more: Any) -> Finding:
    """A finding that forbids going on."""
    return Finding(document, path, Severity.ERROR, summary, detail, fix, **more)


def warning(document: Document, path: Path, summary: str, detail: str, fix: str = "", **more: Any) -> Finding:
    """A finding that is only told."""
    return Finding(document, path, Severity.WARNING, summary, detail, fix, **more)


def moved_to(finding: Finding, path: Path) -> Finding:
    """The same problem at another place of the document."""
    return replace(finding, path=path)


def to_diagnostics(findings: Iterable[Finding]) -> list[Diagnostic]:
    """With positions. What follows from a reference that stands for nothing is left out: that was told already."""
    by_document: dict[int, list[Finding]] = defaultdict(list)
    for finding in findings:
        if not finding.document.broken or not _prefixes(finding.path) & finding.document.broken:
            by_document[id(finding.document)].append(finding)
    found: list[Diagnostic] = []
    for group in by_document.values():
        document = group[0].document
        spans, lines = locate(document.text, (finding.path for finding in group)), Lines(document.text)
        origins = {name: _origin(name, origin) for name, origin in document.origins.items()}
        found.extend(_diagnostic(finding, spans[finding.path], lines, origins) for finding in group)
    return found


def _diagnostic(finding: Finding, span: Span, lines: Lines, origins: Mapping[str, str]) -> Diagnostic:
    line, column = lines.at(span.key if finding.on_key else span.value)
    source = Source(finding.document.file, line, column)
    written, detail = finding.document.references, finding.detail
    if written and (places := _prefixes(finding.path) & written.keys()):
        text = written[max(places, key=len)]
        named = "".join(words for name, words in origins.items() if f"${{var.{name}}}" in text)
        detail = f"{detail} It is written as {shown(text)}{named}."
    return Diagnostic(finding.severity, finding.summary, detail, finding.fix, finding.address, source)


def _origin(name: str, origin: Origin) -> str:
    """Who gave a variable its value, in words."""
    document, path = origin.document, origin.path
    line, _ = (1, 1) if origin.words else Lines(document.text).at(locate(document.text, [path])[path].value)
    return f"; {name} is given by {origin.words or f'{document.file}:{line}'}"


def _prefixes(path: Path) -> set[Path]:
    """A path, and what it lies in."""
    return {path[:length] for length in range(1, len(path) + 1)}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean "x"?``, or an empty text."""
    import difflib  # only for who made a mistake

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""


def shown(value: object) -> str:
    """A TOML value as it is quoted in a message, shortened."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else ""
    text = text or (f'"{value}"' if isinstance(value, str) else "")
    if not text:
        kind = "a table" if isinstance(value, dict) else "a list" if isinstance(value, list) else ""
        # Python refuses to write out numbers of thousands of digits.
        text = kind or ("a huge number" if isinstance(value, int) and abs(value) >= 10**60 else str(value))
    return text if len(text) <= 60 else text[:59] + "…"
