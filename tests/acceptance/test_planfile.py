"""A saved plan: exactly its actions, as long as what it saw still holds, until all of them are done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.project import Project, run, said
from tests.service import KEY, FakeService, answers


@pytest.fixture
def saved(project: Project) -> Path:
    return project.folder / "saved.plan"


def samples(service: FakeService) -> list[int]:
    return sorted(body["number_of_samples"] for body in service.bodies)


def test_exactly_what_was_planned(project: Project, service: FakeService, saved: Path) -> None:
    project.declare(run("a"), run("b", 11))
    project.expect(2, "plan", "--detailed-exitcode", "--out", str(saved))
    assert service.creates == []
    project.declare(run("a", 20), run("b", 11), run("c", 12))
    project.expect(0, "apply", str(saved))
    assert samples(service) == [10, 11]
    assert [entry["status"] for entry in project.output()] == ["SUCCEEDED"] * 2


def test_a_spent_plan_is_refused(project: Project, service: FakeService, saved: Path) -> None:
    project.declare(run("a"))
    project.expect(0, "plan", "--out", str(saved))
    project.expect(0, "apply", str(saved))
    done = project.run("apply", str(saved))
    assert done.returncode in (1, 4), said(done)
    assert len(service.creates) == 1


def test_a_plan_resumes_until_all_is_done(project: Project, service: FakeService, saved: Path) -> None:
    service.script_create(answers.refused(400), samples=11)
    project.declare(run("a"), run("b", 11), run("c", 12))
    project.expect(0, "plan", "--out", str(saved))
    project.expect(1, "apply", str(saved))
    assert samples(service) == [10, 11, 12]
    project.expect(0, "apply", str(saved))
    assert samples(service) == [10, 11, 11, 12]
    assert project.run("apply", str(saved)).returncode in (1, 4)
    assert samples(service) == [10, 11, 11, 12]


def test_another_current_run_stales_the_plan(project: Project, service: FakeService, saved: Path) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("a", 20))
    project.expect(0, "plan", "--out", str(saved))
    project.declare(run("a", 30))
    project.apply()
    told = said(project.expect(4, "apply", str(saved)))
    assert "run.a" in told
    assert samples(service) == [10, 30]


def test_another_status_class_stales_the_plan(project: Project, service: FakeService, saved: Path) -> None:
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    project.declare(run("a", 20))
    project.expect(0, "plan", "--out", str(saved))
    service.finish(service.run_ids[0])
    project.expect(4, "apply", str(saved))
    assert samples(service) == [10]
    assert service.cancels == []


def test_progress_and_other_runs_do_not_stale_the_plan(project: Project, service: FakeService, saved: Path) -> None:
    service.polls = None
    project.declare(run("a"), run("b", 11))
    project.apply("--no-wait")
    project.declare(run("a", 20), run("b", 11))
    project.expect(0, "plan", "--out", str(saved))
    old = service.run_of(10)
    old.status, old.completed = "PROCESSING", 9
    service.finish(service.run_of(11).id)
    project.expect(0, "refresh")
    service.polls = 1
    project.expect(0, "apply", str(saved))
    assert samples(service) == [10, 11, 20]
    assert service.cancels == [old.id]


def test_what_still_holds_is_done_when_something_else_does_not(
    project: Project, service: FakeService, saved: Path
) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("a", 20), run("b", 11))
    project.expect(0, "plan", "--out", str(saved))
    project.declare(run("a", 30))
    project.apply()
    project.expect(4, "apply", str(saved))
    assert samples(service) == [10, 11, 30]


def test_a_plan_of_another_state_is_refused(
    project: Project, service: FakeService, saved: Path, tmp_path: Path
) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("a", 20))
    project.expect(0, "plan", "--out", str(saved))
    (tmp_path / "second").mkdir()
    other = Project(tmp_path / "second", service.url)
    other.declare(run("b", 33))
    other.apply()
    assert other.run("apply", str(saved)).returncode in (1, 4)
    assert samples(service) == [10, 33]


def test_a_file_that_is_no_plan_is_refused(project: Project, service: FakeService, saved: Path) -> None:
    project.declare(run("a"))
    project.expect(0, "plan", "--out", str(saved))
    saved.write_bytes(saved.read_bytes()[:-40])
    assert saved.name in said(project.expect(1, "apply", str(saved)))
    missing = project.folder / "missing.plan"
    assert missing.name in said(project.expect(1, "apply", str(missing)))
    assert service.creates == []


def test_a_changed_plan_file_is_refused(project: Project, service: FakeService, saved: Path) -> None:
    project.declare(run("a", 1234))
    project.expect(0, "plan", "--out", str(saved))
    content = saved.read_bytes()
    assert b"1234" in content
    saved.write_bytes(content.replace(b"1234", b"9234"))
    assert project.run("apply", str(saved)).returncode in (1, 4)
    assert service.creates == []


def test_show_prints_a_saved_plan(project: Project, saved: Path) -> None:
    project.declare(run("a"))
    planned = project.expect(0, "plan", "--out", str(saved)).stdout
    shown = project.expect(0, "show", str(saved)).stdout
    assert "run.a" in shown
    assert "1 to create" in shown
    assert "1 to create" in planned
    found = json.loads(project.expect(0, "show", str(saved), "--json").stdout)
    assert [change["action"] for change in found["resource_changes"]] == ["create"]


def test_a_plan_with_errors_is_not_saved_for_use(project: Project, service: FakeService, saved: Path) -> None:
    project.declare(run("a", lifecycle={"protect": True}))
    project.apply()
    project.declare(run("a", 20, lifecycle={"protect": True}))
    project.expect(1, "plan", "--out", str(saved))
    assert project.run("apply", str(saved)).returncode == 1
    assert samples(service) == [10]


def test_a_saved_plan_holds_no_secret(project: Project, saved: Path) -> None:
    project.declare(run("a"))
    project.expect(0, "plan", "--out", str(saved))
    assert KEY.encode() not in saved.read_bytes()


def test_a_plan_of_before_does_not_buy_what_was_bought_and_forgotten_since(
    project: Project, service: FakeService
) -> None:
    project.declare(run("a"), run("b", 20))
    saved = str(project.folder / "first.plan")
    project.expect(0, "plan", "--target", "run.a", "--out", saved)
    project.apply()
    project.declare(run("b", 20))
    project.apply()
    project.declare(run("a"), run("b", 20))
    refused = project.expect(4, "apply", saved)
    assert service.run_of(10).id in said(refused)
    assert len(service.creates) == 2
    project.apply()  # takes it again
    assert len(service.creates) == 2
