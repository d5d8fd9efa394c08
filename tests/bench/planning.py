"""Paths from the first keystroke to a plan: start, validation, plans of what is recorded and of what is new."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

from tests.bench import projects
from tests.bench.figures import Figure, Goal
from tests.bench.harness import Bench, Measure, memory, millis, within
from tests.bench.projects import Layout, Project
from tests.bench.running import CommandFailed, Spent, environment, product, program, run

_NO_OP_GOALS = {100: Goal(2.75), 1_000: Goal(2.75), 10_000: Goal(2.25), 100_000: Goal(1.5)}  # times the floor
_NO_OP_MB = {100_000: 450.0}
_CANCEL_SECONDS, _FIRST_SECONDS = 0.4, 0.8


def start(bench: Bench) -> None:
    """``--help``, ``version`` and shell completion beside the help of a tiny program of click's."""
    env = environment(bench.folder)
    completing = env | {
        "_RECONCILER_COMPLETE": "bash_complete",
        "COMP_WORDS": "reconciler plan --ref",
        "COMP_CWORD": "2",
    }
    commands: dict[str, tuple[list[str], dict[str, str], str, Goal | None]] = {
        "--help": (["--help"], env, "Usage: reconciler", Goal(1.5)),
        "version": (["version"], env, "reconciler", Goal(1.5)),
        "completion of an option": ([], completing, "--refresh", None),
    }
    for what, (words, variables, says, goal) in commands.items():
        ours: Measure = partial(_saying, says, product(None, *words), variables)
        mine, floor = bench.turns(ours, partial(run, program("click_help", "--help"), env))
        bench.record.add(Figure("start", what, "ms", millis(mine), "click's --help", millis(floor), goal))


def validate(bench: Bench) -> None:
    """``validate``, beside a floor that reads and checks the same files."""

    def one(project: Project, what: str) -> Figure:
        ours: Measure = partial(
            _saying, f"{project.runs:,} runs declared", product(project.root, "validate"), project.env
        )
        floor: Measure = partial(
            _saying, f"{project.runs} runs", program("floor", "validate", str(project.root)), project.env
        )
        return bench.compare("validate", f"validate, {what}", ours, floor)

    figures = [one(bench.recorded(runs), f"{runs:,} runs") for runs in bench.scale.sizes]
    bench.growth("validate", "validate", figures)
    others = [one(bench.recorded(runs, layout), what) for runs, layout, what in _otherwise(bench)]
    bench.growth("validate", "validate, from matrices", others)


def offline(bench: Bench) -> None:
    """No-op ``plan --offline``, beside the floor."""

    def one(project: Project, what: str, goal: Goal | None = None, most_mb: float | None = None) -> Figure:
        ours: Measure = partial(_saying, "No changes.", product(project.root, "plan", "--offline"), project.env)
        line = program("floor", "plan", str(project.root), str(project.floor))
        floor: Measure = partial(_saying, "0 changes", line, project.env)
        return bench.compare("offline", f"no-op plan --offline, {what}", ours, floor, goal, most_mb)

    figures = [
        one(bench.recorded(runs), f"{runs:,} runs", _NO_OP_GOALS.get(runs), _NO_OP_MB.get(runs))
        for runs in bench.scale.sizes
    ]
    bench.growth("offline", "plan --offline", figures)
    others = [one(bench.recorded(runs, layout), what) for runs, layout, what in _otherwise(bench)]
    bench.growth("offline", "plan --offline, from matrices", others)


def refresh(bench: Bench) -> None:
    """No-op ``plan`` with one list of all runs, and one that sees a cancel."""
    figures = []
    for runs in bench.scale.sizes:
        project = bench.recorded(runs)
        counting = _Counting(bench, project, "No changes.")
        line = program("floor", "refresh", str(project.root), str(project.floor), bench.service.url)
        floor: Measure = partial(_saying, "0 changes", line, project.env)
        figures.append(bench.compare("refresh", f"no-op plan with refresh, {runs:,} runs", counting, floor))
        counting.add(f"requests of a plan with refresh, {runs:,} runs")
    bench.growth("refresh", "plan with refresh", figures)
    project = bench.recorded(bench.scale.middle, working=1)
    with project.listed.open("rb") as file:
        cancelled = json.loads(file.readline())["id"]
    seeing = _Counting(bench, project, f"{cancelled} was CANCELED", [cancelled])
    (samples,) = bench.turns(seeing)
    took = tuple(ms / 1000 for ms in millis(samples))
    what = f"plan that sees a cancel from outside, {project.runs:,} runs"
    bench.record.add(Figure("refresh", what, "s", took, goal=within(_CANCEL_SECONDS)))
    seeing.add(f"requests of a {what}")


class _Counting:
    """A ``plan`` with refresh, and how many requests of any kind each sends."""

    def __init__(self, bench: Bench, project: Project, says: str, cancelled: Sequence[str] = ()) -> None:
        self._bench, self._project, self._says, self._cancelled = bench, project, says, cancelled
        self._counts: list[float] = []

    def __call__(self) -> Spent:
        project, service = self._project, self._bench.service
        service.set_up(listed=project.listed, cancelled=self._cancelled)
        spent = _saying(self._says, product(project.root, "plan"), project.env)
        self._counts.append(sum(service.facts().requests.values()))
        return spent

    def add(self, what: str) -> None:
        self._bench.record.add(Figure("refresh", what, "", tuple(self._counts), goal=within(1)))


def first(bench: Bench) -> None:
    """The first ``plan``: everything is new. And what it costs to write it down."""
    project = bench.declared(bench.scale.changes)
    bench.service.set_up()
    written: dict[str, tuple[str, ...]] = {
        "saved plan": ("--out", str(project.home / "saved.plan")),
        "plan as JSON": ("--format", "json"),
        "plan as Markdown": ("--format", "markdown"),
    }
    says = f"{project.runs:,} to create"
    ours: Measure = partial(_saying, says, product(project.root, "plan"), project.env, tail=True)
    plain, *others = bench.turns(
        ours, *(partial(run, product(project.root, "plan", *words), project.env) for words in written.values())
    )
    took = tuple(ms / 1000 for ms in millis(plain))
    runs = f"{project.runs:,} new runs"
    bench.record.add(
        Figure("first", f"first plan of {runs}", "s", took, goal=within(_FIRST_SECONDS)),
        Figure("first", f"first plan of {runs}, peak memory", "MB", memory(plain)),
    )
    for what, mine in zip(written, others, strict=True):
        bench.record.add(
            Figure("first", f"{what}, {runs}", "ms", millis(mine), "plan", millis(plain)),
            Figure("first", f"{what}, {runs}, peak memory", "MB", memory(mine), "plan", memory(plain)),
        )
    bench.drop(project)


def changed(bench: Bench) -> None:
    """``plan --offline`` after one run of a hundred was edited."""
    project = bench.declared(bench.scale.many)
    projects.record(project)
    count = max(1, project.runs // 100)
    project.edit(count)
    ours: Measure = partial(
        _saying, f"{count:,} to replace", product(project.root, "plan", "--offline"), project.env, tail=True
    )
    line = program("floor", "plan", str(project.root), str(project.floor))
    floor: Measure = partial(_saying, f"{count} changes", line, project.env)
    bench.compare("changed", f"plan --offline, {count:,} of {project.runs:,} runs changed", ours, floor)
    bench.drop(project)


def _otherwise(bench: Bench) -> list[tuple[int, Layout, str]]:
    """Sizes that are also measured from files and from matrices, and their titles."""
    many, most = bench.scale.many, bench.scale.sizes[-1]
    return [
        (many, Layout.FILES, f"{many:,} runs from {bench.scale.files:,} files"),
        (many, Layout.MATRIX, f"{many:,} runs from matrices"),
        (most, Layout.MATRIX, f"{most:,} runs from matrices"),
    ]


def _saying(expected: str, line: list[str], env: dict[str, str], tail: bool = False) -> Spent:
    """Run a command that has to say something. Raises CommandFailed."""
    spent = run(line, env, tail=tail)
    if expected not in spent.said:
        raise CommandFailed(f"{' '.join(line)} did not say {expected!r}: {spent.said[:1_000]}")
    return spent
