"""What the paths of the benchmark share: the scale, the service, projects that are made once, measuring in turns."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import projects
from tests.bench.account import Service
from tests.bench.figures import Figure, Goal, Record
from tests.bench.projects import Layout, Project
from tests.bench.running import Spent

FLOOR = "floor"
Measure = Callable[[], Spent]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    sizes: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    files: int = 1_000
    changes: int = 10_000  # of a plan
    applied: int = 1_000
    widths: tuple[int, int, int] = (10, 32, 64)  # submissions at once
    latency: float = 0.05  # seconds of a create call
    sync: float = 0.005  # seconds that each commit takes longer, on a cloud disk
    large: int = 10_000  # runs of one apply, and runs that are followed
    followed: float = 30.0  # seconds

    @property
    def middle(self) -> int:
        """The size whose plan sees a cancel."""
        return self.sizes[1]

    @property
    def many(self) -> int:
        """The size that is also declared otherwise than plainly."""
        return self.sizes[-2]


FULL = Scale()
QUICK = Scale((20, 40), 8, 40, 20, (2, 3, 4), 0.005, 0.001, 40, 0.6)


@dataclass(slots=True)
class Bench:
    """One run of the benchmark in a folder."""

    record: Record
    folder: Path
    service: Service
    scale: Scale
    _made: dict[tuple[int, Layout, int], Project] = field(default_factory=dict)
    _count: int = 0

    def recorded(self, runs: int, layout: Layout = Layout.PLAIN, working: int = 0) -> Project:
        """A project in whose state every run was made, the first ``working`` of them at work; made once."""
        key = runs, layout, working
        if key not in self._made:
            project = self.declared(runs, layout)
            projects.record(project, working)
            self._made[key] = project
        return self._made[key]

    def declared(self, runs: int, layout: Layout = Layout.PLAIN, at_once: int = 10) -> Project:
        """A new project without a state."""
        self._count += 1
        home = self.folder / f"{self._count:03d}"
        return projects.declare(home, self.service.url, runs, layout, at_once, self.scale.files)

    def drop(self, project: Project) -> None:
        """A project of which nothing is needed any more."""
        shutil.rmtree(project.home)

    def turns(self, *measures: Callable[[], Any]) -> list[list[Any]]:
        """Samples of each, measured in turns after one that does not count."""
        for measure in measures if self.record.judging else ():
            measure()
        found: list[list[Any]] = [[] for _ in measures]
        for _ in range(self.record.rounds):
            for samples, measure in zip(found, measures, strict=True):
                samples.append(measure())
        return found

    def compare(
        self,
        path: str,
        what: str,
        ours: Measure,
        floor: Measure,
        goal: Goal | None = None,
        most_mb: float | None = None,
    ) -> Figure:
        """Time and memory of a command beside its floor; returns the figure of its time."""
        mine, theirs = self.turns(ours, floor)
        took = Figure(path, what, "ms", millis(mine), FLOOR, millis(theirs), goal)
        within_mb = None if most_mb is None else within(most_mb)
        self.record.add(
            took, Figure(path, f"{what}, peak memory", "MB", memory(mine), FLOOR, memory(theirs), within_mb)
        )
        return took

    def growth(self, path: str, what: str, figures: Sequence[Figure]) -> None:
        """What the last of these sizes costs beside the one before; sample by sample, though minutes lie between."""
        small, large = figures[-2:]
        each = self.scale.sizes[-1] // self.scale.sizes[-2]
        self.record.add(
            Figure(path, f"growth of {what} × {each}", "ms", large.ours, "the size before", small.ours, Goal(11))
        )


def millis(samples: Sequence[Spent]) -> tuple[float, ...]:
    return tuple(sample.ms for sample in samples)


def memory(samples: Sequence[Spent]) -> tuple[float, ...]:
    return tuple(sample.mb for sample in samples)


def within(most: float) -> Goal:
    """A goal of our own figure."""
    return Goal(most, of_ratio=False)
