"""Projects to measure, each made once: declarations, a state in which every run was made, and the service's list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, count
from pathlib import Path

from tests.bench.running import environment, module, program, run

_HEAD = """\
[api]
base_url = "{url}"

[apply]
parallelism = {at_once}

[specs]
tickets = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"

[defaults]
generation_model = "anthropic/claude-haiku-4-5"

"""
_RUN = """\
[run.evaluation_{number:06d}]
spec = "tickets"
number_of_samples = {samples}
revision_types = ["consistency", "conformance"]
outline_model = "anthropic/claude-haiku-4-5"
seed_shuffling_level = "sample"

"""
_MATRIX = """\
[run.sweep_{number:03d}]
spec = "tickets"
revision_types = ["consistency", "conformance"]
outline_model = "anthropic/claude-haiku-4-5"

[run.sweep_{number:03d}.matrix]
number_of_samples = [{samples}]
seed_shuffling_level = ["none", "sample", "field", "prompt"]

"""
_LEVELS = 4
_IN_A_MATRIX = 1_000
IN_A_FILE = 20_000  # a file may have 8 MiB and 500,000 values


class Layout(StrEnum):
    """How runs are declared. ``PLAIN``: one by one, in as few files as may be."""

    PLAIN = "plain"
    FILES = "from many files"
    MATRIX = "from matrices"


@dataclass(frozen=True, slots=True)
class Project:
    """A project with its home. ``listed``: the service's list, an object a line; ``floor``: the floor's database."""

    home: Path
    runs: int

    @property
    def root(self) -> Path:
        return self.home / "project"

    @property
    def listed(self) -> Path:
        return self.home / "listed.jsonl"

    @property
    def floor(self) -> Path:
        return self.home / "floor.db"

    @property
    def env(self) -> dict[str, str]:
        return environment(self.home)

    def edit(self, count: int) -> None:
        """Ask for one sample more in the first ``count`` runs. Of plain projects of one file."""
        path = self.root / "reconciler.toml"
        before, *runs = path.read_text("utf-8").split("number_of_samples = ")
        for at in range(count):
            samples, _, rest = runs[at].partition("\n")
            runs[at] = f"{int(samples) + 1}\n{rest}"
        path.write_text("number_of_samples = ".join([before, *runs]), "utf-8")


def declare(
    home: Path, url: str, runs: int, layout: Layout = Layout.PLAIN, at_once: int = 10, files: int = 1_000
) -> Project:
    """Write a project; nothing is recorded. The text is never whole in memory: who measures has to stay small."""
    project = Project(home, runs)
    (project.root / "runs").mkdir(parents=True)
    names = chain([] if layout is Layout.FILES else ["reconciler.toml"], (f"runs/{n:04d}.toml" for n in count()))
    (project.root / "reconciler.toml").write_text(_HEAD.format(url=url, at_once=at_once), "utf-8")
    for declarations in _portions(runs, layout, files):
        with (project.root / next(names)).open("a", encoding="utf-8") as file:
            file.writelines(declarations)
    return project


def _portions(runs: int, layout: Layout, files: int) -> Iterator[Iterator[str]]:
    """Declarations, file by file."""
    if layout is Layout.MATRIX:
        each = min(runs, _IN_A_MATRIX)
        samples = ", ".join(map(str, range(1, each // _LEVELS + 1)))
        yield (_MATRIX.format(number=number, samples=samples) for number in range(runs // each))
        return
    each = IN_A_FILE if layout is Layout.PLAIN else max(1, runs // files)
    for first in range(0, runs, each):
        yield map(_run, range(first, min(runs, first + each)))


def _run(number: int) -> str:
    return _RUN.format(number=number, samples=number % 1_000 + 1)


def record(project: Project, working: int = 0) -> None:
    """Fill the state, as if every run had been made; the first ``working`` of them are at work. And the floor's."""
    run(module("recording", str(project.root), str(project.listed), str(working)), project.env)
    run(program("floor", "fill", str(project.root), str(project.floor), str(project.listed)), project.env)
