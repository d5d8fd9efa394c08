"""What a benchmark measures, how, and what must come out."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.filling import command
from tests.bench.running import run
from tests.campaign.figures import table


@dataclass(slots=True)
class Book:
    """What was measured."""

    rounds: int
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    goals: dict[str, tuple[float, float]] = field(default_factory=dict)  # measured, and at most
    loads: list[float] = field(default_factory=list)  # of the machine

    def turns(self, title: str, **measures: Callable[[], float]) -> dict[str, float]:
        """The median of each, measured in turns."""
        found: dict[str, list[float]] = {name: [] for name in measures}
        for _ in range(self.rounds):
            for name, measure in measures.items():
                found[name].append(measure())
        return self.note(title, {name: statistics.median(values) for name, values in found.items()})

    def note(self, title: str, values: Mapping[str, float]) -> dict[str, float]:
        self.figures.setdefault(title, {}).update(values)
        self.loads.append(os.getloadavg()[0])
        shown = [(name, f"{value:,.1f}") for name, value in values.items()]
        print("\n".join([f"\n{title} (load {self.loads[-1]:.1f})", *table(shown)]), flush=True)
        return self.figures[title]

    def goal(self, what: str, value: float, most: float) -> None:
        verdict = "holds" if value <= most else "MISSED"
        print(f"goal: {what}: {value:.2f}, at most {most:g}: {verdict}", flush=True)
        self.goals[what] = (value, most)

    @property
    def missed(self) -> list[str]:
        """A sentence for each goal that was missed."""
        return [f"{what}: {value:.2f} > {most:g}" for what, (value, most) in self.goals.items() if value > most]


def timed(step: Callable[[], object]) -> float:
    """Milliseconds."""
    begin = time.perf_counter()
    step()
    return (time.perf_counter() - begin) * 1000


def process(root: Path, *words: str, state: str) -> tuple[float, float]:
    """Run a command: its milliseconds, and its peak memory in MB."""
    spent = run(*command(root, *words, state=state))
    return spent.ms, spent.mb
