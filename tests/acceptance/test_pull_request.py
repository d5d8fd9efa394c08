"""A pull request from its branch to its runs: planned by one job, read by people on the forge, applied by another job
that knows nothing but the repository, the database and the digest in the comment. The state is in PostgreSQL.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import HEAD, Done, Project, run
from tests.forge.fake import GITHUB, FakeForge
from tests.git import git
from tests.service import FakeService

LIMITS = "\n[limits]\nmax_new_runs = 50\nmax_cancel = 5\n"
pytestmark = pytest.mark.parametrize("project", ["postgres"], indirect=True)


@pytest.fixture
def forge() -> Iterator[FakeForge]:
    with FakeForge(GITHUB) as running:
        yield running


class Team:
    """A repository that everybody clones. Each job has a clone of its own, and no disk of another job."""

    def __init__(self, project: Project, service: FakeService, forge: FakeForge) -> None:
        self._project, self._service, self._forge = project, service, forge
        self._jobs = 0
        self.remote = project.folder / "remote.git"
        git(project.folder, "init", "--quiet", "--bare", "--initial-branch", "main", str(self.remote))
        self.desk = project.folder / "desk"
        git(project.folder, "clone", "--quiet", str(self.remote), str(self.desk))
        git(self.desk, "symbolic-ref", "HEAD", "refs/heads/main")

    def push(self, branch: str, files: dict[str, str], start: str = "main") -> None:
        """Commit files on a branch from the newest main."""
        if branch != "main":
            git(self.desk, "fetch", "--quiet", "origin")
            git(self.desk, "checkout", "--quiet", "-b", branch, f"origin/{start}")
        for name, text in files.items():
            target = self.desk / "evals" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text.replace("{url}", self._service.url))
        git(self.desk, "add", "--all")
        git(self.desk, "commit", "--quiet", "--message", f"change of {branch}")
        git(self.desk, "push", "--quiet", "origin", f"HEAD:{branch}")

    def merge(self, branch: str) -> str:
        """Merge a branch into main, with a commit of its own."""
        git(self.desk, "fetch", "--quiet", "origin")
        git(self.desk, "checkout", "--quiet", "--detach", "origin/main")
        git(self.desk, "merge", "--quiet", "--no-ff", "--message", f"merge {branch}", f"origin/{branch}")
        git(self.desk, "push", "--quiet", "origin", "HEAD:main")
        return git(self.desk, "rev-parse", "HEAD")

    def clone(self, ref: str) -> Path:
        """What a job checks out."""
        self._jobs += 1
        folder = self._project.folder / f"job {self._jobs}"
        git(self._project.folder, "clone", "--quiet", str(self.remote), str(folder))
        git(folder, "checkout", "--quiet", "--detach", f"origin/{ref}")
        self._project.root = folder / "evals"
        return folder

    def plan(self, branch: str) -> tuple[str, Path]:
        """The job of a pull request: plan what a merge would be, and comment. Returns the comment and the file."""
        folder = self.clone("main")
        git(folder, "merge", "--quiet", "--no-ff", "--message", "what CI checks out", f"origin/{branch}")
        saved, body = folder / "plan.bin", folder / "plan.md"
        shown = self._project.expect(
            0, "plan", "--base", "origin/main", "--format", "markdown", "--out", str(saved), env={"CI": "true"}
        )
        body.write_text(shown.stdout)
        self._project.expect(0, "comment", "--provider", "github", str(body), env=self._forge.environment())
        return self._forge.written[-1].body, saved

    def apply(self, commit: str, code: int, *options: str) -> Done:
        """The job after a merge: exactly what was reviewed."""
        self.clone("main")
        self._forge.pulls.clear()
        self._forge.merged(7, merge_commit_sha=commit)
        env: dict[str, str | None] = {"GITHUB_SHA": commit, "GITHUB_REF": "refs/heads/main"}
        asked = self._project.run(
            "comment", "--provider", "github", "--digest", env={**self._forge.environment(), **env}
        )
        assert asked.returncode == 0, asked.stderr
        digest = asked.stdout.strip()
        return self._project.expect(code, "apply", *options, "--expect-digest", digest, env={"CI": "true"})


@pytest.fixture
def team(project: Project, service: FakeService, forge: FakeForge) -> Team:
    """Run ``a`` is declared on main, and made."""
    made = Team(project, service, forge)
    made.push("main", {"reconciler.toml": HEAD + LIMITS, "runs/a.toml": run("a")})
    made.clone("main")
    project.apply(env={"CI": "true"})
    assert len(service.creates) == 1
    return made


def samples(service: FakeService) -> list[int]:
    return sorted(body["number_of_samples"] for body in service.bodies)


def test_another_change_in_between_stales_nothing(team: Team, project: Project, service: FakeService) -> None:
    team.push("more", {"runs/b.toml": run("b", 11)})
    team.push("other", {"runs/c.toml": run("c", 12)})
    comment, _ = team.plan("more")
    assert "run.b" in comment
    assert "run.c" not in comment
    merged = team.merge("other")  # without review: somebody applies from a laptop
    team.clone("main")
    project.apply()
    assert samples(service) == [10, 11 + 1]
    merged = team.merge("more")
    done = team.apply(merged, 0)
    assert "Apply complete: 1 created." in done.stdout
    assert samples(service) == [10, 11, 12]
    again = team.apply(merged, 0)  # somebody runs the job again
    assert "No changes. 3 runs are as declared." in again.stdout
    assert samples(service) == [10, 11, 12]
    history = json.loads(project.expect(0, "history", "run.b", "--json").stdout)["entries"]
    assert {entry["by"]["git"]["commit"] for entry in history} == {merged}


def test_what_changed_in_between_is_refused_and_told(team: Team, project: Project, service: FakeService) -> None:
    team.push("bigger", {"runs/a.toml": run("a", 20)})
    comment, saved = team.plan("bigger")
    first = service.run_ids[0]
    assert "10" in comment
    team.clone("main")
    project.apply("--replace", "run.a")  # another apply in between: what was reviewed would replace another run
    second = service.run_ids[1]
    merged = team.merge("bigger")
    refused = team.apply(merged, 4)
    assert "not the one that was reviewed" in refused.stderr
    assert "replace run.a: number_of_samples 10 → 20" in refused.stderr
    exactly = team.apply(merged, 4, str(saved))
    assert f"the current run: {first} (SUCCEEDED) when it was reviewed, {second} (SUCCEEDED) now" in exactly.stderr
    assert samples(service) == [10, 10]
    # The way on: the plan as it is now is reviewed, and applied.
    digest = json.loads(project.expect(0, "plan", "--json").stdout)["digest"]
    project.expect(0, "apply", "--expect-digest", digest, env={"CI": "true"})
    assert samples(service) == [10, 10, 20]


def test_a_branch_that_adds_after_the_review_is_refused(team: Team, project: Project, service: FakeService) -> None:
    team.push("small", {"runs/b.toml": run("b", 11)})
    _, saved = team.plan("small")
    (team.desk / "evals/runs/b.toml").write_text(run("b", 11) + run("c", 20_000))
    git(team.desk, "commit", "--quiet", "--all", "--message", "one more thing")
    git(team.desk, "push", "--quiet", "origin", "HEAD:small")
    refused = team.apply(team.merge("small"), 4, str(saved))
    assert "not reviewed: create run.c" in refused.stderr
    assert samples(service) == [10]
