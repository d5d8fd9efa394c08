"""One plan in every format, from the command line: ``plan --format`` and ``show PLANFILE --format``."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from reconciler.model.marker import Marker
from tests.acceptance.project import HEAD, Project, run, said
from tests.service import FakeService

MACHINES = ("json", "markdown", "gitlab", "github", "junit")
KEPT = "".join(run(f"kept{n}", 100 + n) for n in range(39))
LIMITS = '\n[limits]\nmax_new_runs = 50\nmax_cancel = { value = 1, level = "soft" }\n'


def rendered(text: str) -> str:
    return str(cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE))


@pytest.fixture
def reviewed(project: Project, service: FakeService) -> Path:
    """3 to create (2 of them points of a matrix), 1 to replace that cancels, 1 to retry, 1 to cancel, 40 unchanged."""
    subprocess.run(["git", "init", "--quiet", project.folder], check=True)  # the project is in a folder of a repository
    service.polls = None
    project.write("reconciler.toml", HEAD + KEPT + run("busy", 50) + run("changed", 51) + run("gone", 52))
    project.write("runs/more.toml", run("failed", 53, lifecycle={"max_attempts": 2}))
    project.apply("--no-wait")
    for body in service.bodies:
        if body["number_of_samples"] >= 100:
            service.finish(service.run_of(body["number_of_samples"]).id)
    service.finish(service.run_of(53).id, "FAILED")
    service.run_of(52).completed = 17
    project.write("reconciler.toml", HEAD + LIMITS + KEPT + run("busy", 50) + run("changed", 61))
    matrix = run("swept", 0, number_of_samples=None, matrix={"number_of_samples": [71, 72]})
    project.write("runs/more.toml", run("failed", 53, lifecycle={"max_attempts": 2}) + run("new", 70) + "\n" + matrix)
    saved = project.folder / "saved.plan"
    project.expect(3, "plan", "--out", str(saved))
    return saved


def shown(project: Project, saved: Path, form: str, *options: str) -> str:
    return project.expect(0, "show", str(saved), "--format", form, *options).stdout


def test_gitlab_counts_what_is_bought_and_what_is_ended(project: Project, reviewed: Path) -> None:
    assert json.loads(shown(project, reviewed, "gitlab")) == {"create": 5, "update": 0, "delete": 2}


def test_github_annotates_the_declarations_also_of_a_matrix(project: Project, reviewed: Path) -> None:
    lines = shown(project, reviewed, "github").splitlines()
    commands = [line for line in lines if line.startswith("::")]
    assert len(commands) <= 10
    kinds = [line[2:].partition(" ")[0] for line in commands]
    assert kinds == sorted(kinds, key=["error", "warning", "notice"].index)
    limit = project.line("max_cancel").replace("reconciler.toml:", "file=project/reconciler.toml,line=")
    assert limit in commands[0]
    swept = project.line("[run.swept]", "runs/more.toml").replace(
        "runs/more.toml:", "file=project/runs/more.toml,line="
    )
    assert sum(swept in line and "run.swept" in line for line in commands) >= 1


def test_the_step_summary_is_the_comment(project: Project, reviewed: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# from an earlier step\n")
    done = project.run("show", str(reviewed), "--format", "github", env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert done.returncode == 0, said(done)
    earlier, _, comment = summary.read_text().partition("\n")
    assert earlier == "# from an earlier step"
    assert comment.strip() == shown(project, reviewed, "markdown").strip()
    unwritable = project.run("show", str(reviewed), "--format", "github", env={"GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert unwritable.returncode == 1
    assert "GITHUB_STEP_SUMMARY" in unwritable.stderr


def test_the_comment_is_what_reviewers_read(project: Project, reviewed: Path) -> None:
    text = shown(project, reviewed, "markdown")
    marker = Marker.read(text)
    digest = json.loads(shown(project, reviewed, "json"))["digest"]
    assert marker is not None
    assert (marker.digest, marker.folder, marker.truncated) == (digest, "project", False)
    heading = text.splitlines()[1]
    assert heading.startswith("## Blocked: `max_cancel` (soft) · `project` · Plan: 3 to create, 1 to replace, ")
    page = rendered(text)
    assert re.search(r"17.{0,20} of 52", page)
    assert page.count("<details") == page.count("</details>") > 0
    assert f"apply --expect-digest {digest}" in page
    assert text.index("CAUTION") < text.index("run.new")
    small = shown(project, reviewed, "markdown", "--max-bytes", "3000")
    assert len(small.encode()) <= 3_000
    cut = Marker.read(small)
    assert cut is not None
    assert cut.truncated
    assert cut.digest == digest


def test_limits_are_test_cases(project: Project, reviewed: Path) -> None:
    root = ET.fromstring(shown(project, reviewed, "junit"))
    failed = [case.get("name") or "" for case in root.iter("testcase") if case.find("failure") is not None]
    assert len(failed) == 1
    assert "max_cancel" in failed[0]


def test_what_must_be_told_and_does_not_fit_is_an_error(project: Project, service: FakeService) -> None:
    service.polls = None
    many = run("many", 0, number_of_samples=None, matrix={"number_of_samples": list(range(1, 121))})
    project.declare(many)
    project.apply("--no-wait")
    project.declare(run("one", 5_000))
    done = project.run("plan", "--format", "markdown", "--max-bytes", "4000")
    assert done.returncode == 1
    assert len(done.stdout.encode()) <= 4_000
    assert "120" in done.stdout
    assert "--max-bytes" in done.stderr
    assert project.run("plan", "--format", "markdown").returncode == 0


@pytest.mark.parametrize("form", MACHINES)
def test_the_same_plan_by_plan_and_by_show(project: Project, reviewed: Path, form: str) -> None:
    """But for what a second plan must have of its own."""

    def common(text: str) -> str:
        stamped = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME", text)
        return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", stamped)

    again = project.run("plan", "--format", form)
    assert again.returncode == 3
    assert common(again.stdout) == common(shown(project, reviewed, form))


@pytest.mark.parametrize("form", MACHINES)
def test_a_project_with_errors_is_told_in_the_same_format(project: Project, form: str, tmp_path: Path) -> None:
    project.declare(run("a", -5), "[run.b]\nspec = 3\n")
    summary = tmp_path / "summary.md"
    done = project.run("plan", "--format", form, env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert done.returncode == 1
    where = project.line("number_of_samples = -5")
    assert where in done.stderr
    match form:
        case "json":
            assert json.loads(done.stdout)["errored"] is True
        case "markdown":
            assert Marker.read(done.stdout) is not None
            assert "Blocked" in done.stdout.splitlines()[1]
            assert where in rendered(done.stdout)
        case "gitlab":
            assert done.stdout == ""
        case "github":
            assert done.stdout.startswith("::error file=reconciler.toml,line=")
            assert "Blocked" in summary.read_text()
        case "junit":
            (failure,) = ET.fromstring(done.stdout).iter("failure")  # one case a file
            assert "run.a" in str(failure.text)
            assert "run.b" in str(failure.text)


def test_the_state_has_no_such_formats(project: Project) -> None:
    project.declare(run("a"))
    assert "name a saved one" in project.expect(1, "show", "--format", "markdown").stderr
