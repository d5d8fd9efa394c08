"""Diagnostics as lines and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from reconciler.model.diagnostics import Diagnostic, Severity, Source, ordered
from reconciler.views.excerpt import excerpt
from reconciler.views.paint import Paint, one_line, wrapped

_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTICE: "cyan"}


def diagnostic_line(found: Diagnostic, paint: Paint) -> str:
    """``file:line:column: error: address: Summary: detail fix``, on one line."""
    place = f"{found.source}: " if found.source else ""
    address = f"{found.address}: " if found.address else ""
    severity = paint(found.severity.value, _STYLES[found.severity], "bold")
    said = " ".join(
        part for part in (f"{found.summary}: {found.detail}" if found.detail else found.summary, found.fix) if part
    )
    return one_line(f"{place}{severity}: {address}{said}")


LineOf = Callable[[Source], str | None]


def diagnostic_block(found: Diagnostic, line_of: LineOf, width: int, paint: Paint) -> list[str]:
    """For terminals: what happened, where, the line with a marker, and what to do. ``line_of`` reads a source line."""
    severity = paint(found.severity.value, _STYLES[found.severity], "bold")
    lines = [f"{severity}: {paint(found.summary, 'bold')}"]
    if found.source is not None:
        address = f" ({found.address})" if found.address else ""
        gutter = " " * len(str(found.source.line))
        lines.append(f"{gutter}{paint('-->', 'cyan')} {found.source}{address}")
        line = line_of(found.source)
        if line is not None and line.strip():
            lines += excerpt(line, found.source, width, paint)
    elif found.address:
        lines.append(f"  {paint('-->', 'cyan')} {found.address}")
    lines += _wrapped(found.detail, "  ", width)
    lines += _wrapped(found.fix, "  ", width)
    lines += [f"    {line}" for line in found.proposal]
    return [*map(one_line, lines), ""]


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    filled = textwrap.wrap(one_line(text), max(width - len(indent), 40), break_long_words=False, break_on_hyphens=False)
    return [indent + line for line in filled]


def diagnostic_lines(
    diagnostics: Iterable[Diagnostic], paint: Paint, most_warnings: int | None = None, width: int | None = None
) -> list[str]:
    """Every error; of warnings and notices at most so many, with a line that counts the others. ``width``: of the
    terminal, where lines are to be broken; what is to be copied is never broken.
    """
    found = ordered(diagnostics)
    errors = [item for item in found if item.severity is Severity.ERROR]
    others = [item for item in found if item.severity is not Severity.ERROR]
    shown = others if most_warnings is None else others[:most_warnings]
    lines: list[str] = []
    for item in (*errors, *shown):
        line = diagnostic_line(item, paint)
        lines += [line] if width is None else wrapped(line, width)
        lines += [f"    {proposed}" for proposed in item.proposal]
    if len(others) > len(shown):
        lines.append(f"… and {len(others) - len(shown):,} more warnings; `reconciler validate` shows them.")
    return lines


def diagnostic_json(found: Diagnostic) -> dict[str, Any]:
    """The shape of Terraform's ``validate -json``, with the address beside it."""
    source = found.source
    where = {"line": source.line, "column": source.column} if source else None
    said = {
        "severity": found.severity.value,
        "summary": found.summary,
        "detail": " ".join(part for part in (found.detail, found.fix) if part),
        "address": found.address,
        "range": {"filename": source.file, "start": where} if source else None,
    }
    return said | {"proposal": "\n".join(found.proposal)} if found.proposal else said


def validation_json(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """What ``validate --json`` prints."""
    count = {severity: sum(1 for item in diagnostics if item.severity is severity) for severity in Severity}
    return {
        "format_version": "1.0",
        "valid": count[Severity.ERROR] == 0,
        "error_count": count[Severity.ERROR],
        "warning_count": count[Severity.WARNING],
        "diagnostics": [diagnostic_json(item) for item in ordered(diagnostics)],
    }
