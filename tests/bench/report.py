"""Figures of a benchmark as tables of a page, between its two marks."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

Figures = Mapping[str, Mapping[str, float]]
Goals = Mapping[str, tuple[float, float]]  # measured, and at most
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"
_PLACES = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "postgres, 1 ms": "1 ms away",
    "postgres, 20 ms": "20 ms away",
    "postgres, with a history": "with a history",
}
_HISTORY = ("without", "with")


def put_into(page: Path, figures: Figures, goals: Goals, loads: Sequence[float]) -> None:
    """Write the figures into a page. Raises ValueError for one without marks."""
    before, _, rest = page.read_text("utf-8").partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    if not mark:
        raise ValueError(f"{page} has no marks for figures")
    system = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    said = (
        f"`make bench`, {date.today()}: {system}; load {min(loads):.1f} to {max(loads):.1f}, other work included."
        " Medians, in milliseconds unless a row says otherwise; distances are round trips."
    )
    page.write_text(f"{before}{_BEGIN}\n{said}\n\n{tables(figures, goals)}\n{_END}{after}", "utf-8")


def tables(figures: Figures, goals: Goals) -> str:
    """What stands side by side, in tables; the rest as a list."""
    places = [(title, values) for title, values in figures.items() if values.keys() <= _PLACES.keys()]
    history = [(title, values) for title, values in figures.items() if set(values) == set(_HISTORY)]
    taken = {title for title, _ in (*places, *history)}
    lines = [*_table(_PLACES, places), "", *_table({name: name for name in _HISTORY}, history), ""]
    lines += ["| goal | measured | at most |", "| --- | ---: | ---: |"]
    lines += [f"| {what} | {value:.2f} | {most:g} |" for what, (value, most) in goals.items()]
    lines.append("")
    for title, values in figures.items():
        if title not in taken:
            lines.append(f"- {title}: " + ", ".join(f"{name} {_number(value)}" for name, value in values.items()))
    return "\n".join(lines)


def _table(columns: Mapping[str, str], rows: Sequence[tuple[str, Mapping[str, float]]]) -> list[str]:
    lines = [f"| | {' | '.join(columns.values())} |", f"| --- |{' ---: |' * len(columns)}"]
    for title, values in rows:
        cells = [_number(values[name]) if name in values else "" for name in columns]
        lines.append(f"| {title.removesuffix(', ms')} | {' | '.join(cells)} |")
    return lines


def _number(value: float) -> str:
    return f"{value:,.1f}" if value < 100 and value != int(value) else f"{value:,.0f}"
