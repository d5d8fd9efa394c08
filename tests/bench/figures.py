"""What a benchmark measured: samples in pairs, their medians, the goal, and how that is shown and kept."""

from __future__ import annotations

import os
import platform
import resource
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.running import peak
from tests.campaign.figures import table

_BEGIN, _END = "<!-- figures of speed -->", "<!-- end of figures of speed -->"
HEAD = ("", "ours", "spread", "beside it", "", "ratio", "goal", "")


@dataclass(frozen=True, slots=True)
class Goal:
    """At most so much: of the ratio to what is measured beside it, or of our own figure."""

    most: float
    of_ratio: bool = True


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure and what was measured beside it, pair by pair. ``beside``: its name; without, there is nothing."""

    path: str
    what: str
    unit: str  # "ms", "s", "MB", "%" or what is counted
    ours: tuple[float, ...]
    beside: str = ""
    theirs: tuple[float, ...] = ()
    goal: Goal | None = None

    def __post_init__(self) -> None:
        if not self.ours or len(self.theirs) != (len(self.ours) if self.beside else 0):
            raise ValueError(f"{self.what}: samples come in pairs")

    @property
    def median(self) -> float:
        return statistics.median(self.ours)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the most."""
        return min(self.ours), max(self.ours)

    @property
    def ratio(self) -> float | None:
        """The median of the ratios of each pair: the machine's speed may change between two pairs."""
        if not self.beside:
            return None
        return statistics.median(a / b if b else float("inf") for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def missed(self) -> bool:
        """Whether there is a goal, and it was not reached."""
        if self.goal is None:
            return False
        judged = self.ratio if self.goal.of_ratio else self.median
        return judged is None or judged > self.goal.most

    @property
    def verdict(self) -> str:
        return "" if self.goal is None else "MISSED" if self.missed else "ok"

    def row(self) -> tuple[str, ...]:
        """For a table; see HEAD."""
        theirs = self._with_unit(statistics.median(self.theirs)) if self.beside else ""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        low, high = self.spread
        spread = f"{number(low)} … {number(high)}"
        return self.what, self._with_unit(self.median), spread, theirs, self.beside, ratio, self.limit, self.verdict

    @property
    def miss(self) -> str:
        """What was missed, in a line."""
        compared = f", {self.ratio:.2f} × {self.beside}" if self.beside else ""
        return f"{self.what}: {self._with_unit(self.median)}{compared}; goal {self.limit}"

    @property
    def limit(self) -> str:
        """The goal in words."""
        if self.goal is None:
            return ""
        return f"≤ {self.goal.most:g} ×" if self.goal.of_ratio else f"≤ {self._with_unit(self.goal.most)}"

    def _with_unit(self, value: float) -> str:
        return f"{number(value)} {self.unit}".rstrip()

    def json(self) -> dict[str, Any]:
        """Everything, with every sample."""
        return {
            "path": self.path,
            "what": self.what,
            "unit": self.unit,
            "ours": list(self.ours),
            "median": self.median,
            "beside": self.beside or None,
            "theirs": list(self.theirs),
            "ratio": self.ratio,
            "goal": None if self.goal is None else {"most": self.goal.most, "of_ratio": self.goal.of_ratio},
            "missed": self.missed,
        }


@dataclass(slots=True)
class Record:
    """All figures of one run. ``judging``: whether goals count."""

    rounds: int
    judging: bool = True
    figures: list[Figure] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)  # of paths that could not be measured
    loads: list[float] = field(default_factory=lambda: [os.getloadavg()[0]])

    def add(self, *figures: Figure) -> None:
        """Keep figures, and print them."""
        self.loads.append(os.getloadavg()[0])
        for figure in figures:
            self.figures.append(figure)
            name, ours, spread, theirs, beside, ratio, limit, verdict = figure.row()
            compared = f"; {beside} {theirs}; ratio {ratio}" if beside else ""
            judged = f"; goal {limit}: {verdict}" if limit and self.judging else ""
            print(f"{name}: {ours} ({spread}){compared}{judged}", flush=True)

    def fail(self, path: str, why: object) -> None:
        """A path ended early; what it had measured stays."""
        self.failures.append(f"{path}: {why}")
        print(f"NOT MEASURED: {self.failures[-1]}", flush=True)

    @property
    def missed(self) -> list[Figure]:
        """Figures that did not reach their goals."""
        return [figure for figure in self.figures if figure.missed] if self.judging else []

    def text(self) -> str:
        """A table, and what was missed."""
        rows = [figure.row() for figure in self.figures]
        if not self.judging:
            rows = [(*row[:-2], "", "") for row in rows]
        lines = table([HEAD, *rows]) if rows else []
        said = f"goals missed: {len(self.missed)}" if self.judging else "goals are not judged at this size"
        lines = [line.rstrip() for line in lines]
        lines += ["", said, *(f"  {figure.miss}" for figure in self.missed)]
        return "\n".join([*lines, *(f"NOT MEASURED: {failure}" for failure in self.failures)])

    def json(self) -> dict[str, Any]:
        """For programs."""
        figures = [figure.json() for figure in self.figures]
        about = {"machine": machine(self.loads), "rounds": self.rounds, "judged": self.judging}
        return {**about, "figures": figures, "failures": self.failures}


def machine(loads: Sequence[float]) -> dict[str, Any]:
    """What the figures were measured on, and how busy it was."""
    return {
        "cpus": os.cpu_count(),
        "system": platform.system(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": [min(loads), max(loads)],
        "least_mb": peak(resource.getrusage(resource.RUSAGE_SELF)),  # a peak of memory below this is not seen
    }


def number(value: float) -> str:
    """As people read it: three digits or more where it is small."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def markdown(figures: Iterable[Figure], loads: Sequence[float]) -> str:
    """The figures that have a goal, as a page shows them."""
    facts = machine(loads)
    system = f"{facts['cpus']} cores, {facts['system']}, Python {facts['python']}"
    lines = [
        f"`make bench`, {facts['date'][:10]}: {system}; load {min(loads):.1f} to {max(loads):.1f}. Medians; a ratio is"
        " that of pairs measured in turns.",
        "",
        "| path | ours | floor | ratio | goal |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for figure in figures:
        if figure.goal is not None:
            name, ours, _, theirs, beside, ratio, limit, verdict = figure.row()
            compared = f"{theirs} ({beside})" if beside else ""
            lines.append(
                f"| {name} | {ours} | {compared} | {ratio} | {limit}{' MISSED' if verdict == 'MISSED' else ''} |"
            )
    return "\n".join(lines)


def put_into(page: Path, record: Record) -> None:
    """Write the figures into a page. Raises ValueError for one without marks."""
    before, _, rest = page.read_text("utf-8").partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    if not mark:
        raise ValueError(f"{page} has no marks for figures of speed")
    page.write_text(f"{before}{_BEGIN}\n{markdown(record.figures, record.loads)}\n{_END}{after}", "utf-8")
