"""One change, planned twice: the same digest, whatever else happens; and another one for whatever is decided."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.acceptance.project import HEAD, Project, run, said
from tests.git import git
from tests.service import TICKETS, FakeService

LIMITS = '\n[limits]\nmax_new_runs = 50\nmax_new_samples = { value = 100_000, level = "soft" }\n'
CREATED = run("created", 10, revision_types=["consistency", "conformance"], lifecycle={"min_samples": 1})
DECLARED = {
    "reconciler.toml": HEAD + LIMITS + run("kept", 31) + run("busy", 32),
    "runs/a.toml": CREATED + run("replaced", 20),
    "runs/b.toml": run("failed", 34, lifecycle={"max_attempts": 2})
    + run("swept", 0, number_of_samples=None, matrix={"number_of_samples": [41, 42]}),
}


def made(project: Project, service: FakeService) -> None:
    """Runs kept (done), busy (works, is left alone), replaced (works), failed, and gone (works, is not declared)."""
    service.polls = None
    project.write("reconciler.toml", HEAD + run("kept", 31) + run("busy", 32) + run("replaced", 33) + run("gone", 35))
    project.write("runs/b.toml", run("failed", 34, lifecycle={"max_attempts": 2}))
    project.apply("--no-wait")
    service.finish(service.run_of(31).id)
    service.finish(service.run_of(34).id, "FAILED")
    project.expect(0, "refresh")
    for file, text in DECLARED.items():
        project.write(file, text)


def digest(project: Project) -> str:
    done = project.run("plan", "--json")
    assert done.returncode == 0, said(done)
    return str(json.loads(done.stdout)["digest"])


def test_the_plan_has_one_of_each(project: Project, service: FakeService) -> None:
    made(project, service)
    found = json.loads(project.expect(0, "plan", "--json").stdout)["summary"]
    counts = {"create": 3, "replace": 1, "retry": 1, "cancel": 1, "unchanged": 2}
    assert found | counts == found


Happening = Callable[[Project, FakeService], object]


@dataclass(frozen=True)
class Case:
    """What differs from the first plan. ``edits``: (file, old text, new text); an empty old text: in front of it."""

    name: str
    edits: tuple[tuple[str, str, str], ...] = ()
    then: Happening = lambda project, service: None

    def happen(self, project: Project, service: FakeService) -> None:
        for file, old, new in self.edits:
            text = (project.root / file).read_text()
            assert old in text, (file, old)
            project.write(file, text.replace(old, new, 1) if old else new + text)
        self.then(project, service)


def a_merge(project: Project, _: FakeService) -> None:
    project.write(".gitignore", ".reconciler/\n")
    git(project.root, "init", "--quiet", "--initial-branch", "main")
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message", "one")
    git(project.root, "checkout", "--quiet", "-b", "other")
    git(project.root, "commit", "--quiet", "--allow-empty", "--message", "two")
    git(project.root, "checkout", "--quiet", "main")
    git(project.root, "merge", "--quiet", "--no-ff", "--message", "a merge", "other")


def another_machine(project: Project, _: FakeService) -> None:
    """The clone of somebody else, who has the state by its URL."""
    state = project.root / ".reconciler" / "state.db"
    clone = project.folder / "somebody else's" / "clone of it"
    shutil.copytree(project.root, clone, ignore=shutil.ignore_patterns(".reconciler"))
    project.env |= {
        "RECONCILER_STATE_URL": f"sqlite:///{state}", "HOME": str(project.folder), "TZ": "Asia/Tokyo",
        "LC_ALL": "C", "USER": "grace", "LOGNAME": "grace", "PYTHONHASHSEED": "7",
    }  # fmt: skip
    project.root = clone


def a_refused_attempt(project: Project, service: FakeService) -> None:
    """An attempt without a run does not count."""
    from tests.service import answers

    service.script_create(answers.refused(400), samples=10)
    project.apply("--no-wait", "--target", "run.created", code=1)


def progress(project: Project, service: FakeService) -> None:
    service.finish(service.run_of(32).id)
    service.run_of(35).completed = 17
    service.run_of(33).completed = 18


SAME = (
    Case("a merge commit", then=a_merge),
    Case("another time", then=lambda project, service: None),
    Case("other lines", tuple((file, "", "# a comment\n\n\n") for file in DECLARED)),
    Case("comments within", (("runs/a.toml", "number_of_samples = 20", "number_of_samples = 20 # as agreed"),)),
    Case(
        "another order of files",
        then=lambda project, service: (project.root / "runs/a.toml").rename(project.root / "runs/z.toml"),
    ),
    Case(
        "moved into another file",
        (("runs/a.toml", CREATED, ""), ("runs/b.toml", "", CREATED)),
    ),
    Case("another order of keys and values", (
        ("runs/a.toml", '["consistency", "conformance"]', '["conformance", "consistency"]'),
        ("reconciler.toml", "max_new_runs = 50\n", ""),
        ("reconciler.toml", 'level = "soft" }\n', 'level = "soft" }\nmax_new_runs = 50\n'),
    )),
    Case("another spelling", (
        ("reconciler.toml", "max_new_runs = 50", "max_new_runs = { level = 'hard', value = 5_0 }"),
        ("runs/a.toml", 'spec = "tickets"', f'spec_id = "{TICKETS}"'),
    )),
    Case("progress of runs, touched and not", then=progress),
    Case("progress that is recorded", then=lambda p, s: (progress(p, s), p.expect(0, "refresh"))),
    Case("another machine, clone, zone and person", then=another_machine),
    Case("an attempt that was refused", then=a_refused_attempt),
    Case("[apply] and [api]", (("reconciler.toml", "[limits]", "[apply]\nparallelism = 3\n\n[limits]"),)),
    Case("a variable in its place", (
        ("reconciler.toml", "", '[variables.size]\ntype = "integer"\ndefault = 20\n'),
        ("runs/a.toml", "number_of_samples = 20", 'number_of_samples = "${var.size}"'),
    )),
)  # fmt: skip


def edit(name: str, file: str, old: str, new: str) -> Case:
    return Case(name, ((file, old, new),))


OTHER = (
    edit("a field of what is created", "runs/a.toml", "number_of_samples = 10", "number_of_samples = 11"),
    edit("a field more", "runs/a.toml", "number_of_samples = 10", 'number_of_samples = 10\ntools = ["calculator"]'),
    edit("a value of a list", "runs/a.toml", '["consistency", "conformance"]', '["consistency"]'),
    edit("a default", "reconciler.toml", "claude-haiku-4-5", "claude-sonnet-4-6"),
    edit("a lifecycle", "runs/a.toml", "min_samples = 1", "min_samples = 2"),
    edit("a rerun", "runs/a.toml", "min_samples = 1", "min_samples = 1, rerun = 1"),
    edit("an action more", "runs/a.toml", "", run("more", 12)),
    edit("an action less", "runs/a.toml", CREATED, ""),
    edit("another name", "runs/a.toml", "[run.created]", "[run.renamed]"),
    edit("an axis", "runs/b.toml", "[41, 42]", "[41, 42, 43]"),
    edit("a limit", "reconciler.toml", "max_new_runs = 50", "max_new_runs = 51"),
    edit("a limit's level", "reconciler.toml", 'level = "soft"', 'level = "advisory"'),
    edit("a limit more", "reconciler.toml", "max_new_runs = 50", "max_new_runs = 50\nmax_cancel = 9"),
    Case("the spec's content", then=lambda p, s: setattr(s.specs[TICKETS], "words", "edited")),
    Case("the spec's version", then=lambda p, s: setattr(s.specs[TICKETS], "versions", 4)),
    Case("the run to cancel came to rest", then=lambda p, s: s.finish(s.run_of(35).id)),
    Case("the run to replace came to rest", then=lambda p, s: s.finish(s.run_of(33).id)),
    Case("the run to replace is another", (("runs/a.toml", "number_of_samples = 20", "number_of_samples = 21"),),
         lambda p, s: (p.apply("--no-wait", "--prune", "--target", "run.replaced"),
                       p.write("runs/a.toml", DECLARED["runs/a.toml"]))),
    Case("it was retried, and failed again", then=lambda p, s: (
        p.apply("--no-wait", "--target", "run.failed"),
        s.finish([run_.id for run_ in s.runs.values() if run_.samples == 34][-1], "FAILED"))),
)  # fmt: skip


@pytest.mark.parametrize("case", SAME, ids=lambda case: case.name)
def test_it_is_the_same(project: Project, service: FakeService, case: Case) -> None:
    made(project, service)
    before = digest(project)
    case.happen(project, service)
    assert digest(project) == before


@pytest.mark.parametrize("case", OTHER, ids=lambda case: case.name)
def test_it_is_another(project: Project, service: FakeService, case: Case) -> None:
    made(project, service)
    before = digest(project)
    case.happen(project, service)
    assert digest(project) != before
