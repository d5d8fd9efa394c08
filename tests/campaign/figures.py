"""What every program of the campaign shares: its options, and how it says what it counted."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Figures:
    """What a program counted. ``violations``: a sentence for each promise that was broken."""

    title: str
    counts: dict[str, float | int | str] = field(default_factory=dict)
    by_point: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)  # a table of another shape
    violations: list[str] = field(default_factory=list)

    def text(self) -> str:
        """A short table."""
        lines = [self.title, ""]
        lines += table([(name, _number(value)) for name, value in self.counts.items()])
        if self.by_point:
            lines += ["", *table([(name, _number(value)) for name, value in self.by_point.items()])]
        if self.lines:
            lines += ["", *self.lines]
        lines += ["", f"violations: {len(self.violations)}", *(f"  {text}" for text in self.violations)]
        return "\n".join(lines)

    def json(self) -> Mapping[str, object]:
        """The same for programs."""
        return {
            "title": self.title,
            "counts": self.counts,
            "by_point": self.by_point,
            "violations": self.violations,
        }


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines with aligned columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]


def _number(value: float | int | str) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value


def options(description: str, count: int, states: Sequence[str] = ("sqlite", "postgres")) -> argparse.ArgumentParser:
    """The options that every program has. ``states``: the kinds of states that it can do its work on."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--count", type=int, default=count, help=f"how many (default {count})")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same faults (default 1)")
    parser.add_argument("--state", choices=states, default=states[0], help=f"where states live (default {states[0]})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    return parser


def finish(chosen: argparse.Namespace, figures: Figures, say: Callable[[str], object] = print) -> int:
    """Print the figures; the exit code is 1 if any promise was broken."""
    say(figures.text())
    if chosen.json:
        chosen.json.write_text(json.dumps(figures.json(), indent=2) + "\n", "utf-8")
    return 1 if figures.violations else 0
