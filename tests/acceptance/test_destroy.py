"""``destroy``, ``plan --destroy`` and ``plan --refresh-only``."""

from __future__ import annotations

from tests.acceptance.project import Project, line_with, run, said
from tests.service import FakeService


def test_everything_recorded_ends(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"), run("b", 20), run("kept", 30, lifecycle={"on_remove": "keep"}))
    project.apply("--no-wait")
    service.finish(service.run_of(20).id)
    summary = project.plan("--destroy").json["summary"]
    assert (summary["cancel"], summary["forget"], summary["create"]) == (1, 2, 0)
    assert "--prune" in said(project.expect(1, "destroy", "--auto-approve"))
    done = project.expect(0, "destroy", "--auto-approve", "--prune")
    assert "- cancel run.a  to be destroyed" in done.stdout, "it is declared all the same"
    assert "1 cancelled, 2 forgotten" in done.stdout
    assert service.cancels == [service.run_of(10).id]
    assert service.deletes == []
    assert project.output() == []


def test_a_part_may_be_destroyed_and_protected_runs_not(project: Project, service: FakeService) -> None:
    project.declare(run("a"), run("b", 20, lifecycle={"protect": True}))
    project.apply()
    assert "protect" in said(project.expect(1, "destroy", "--auto-approve"))
    project.expect(0, "destroy", "--target", "run.a", "--auto-approve")
    assert [item["address"] for item in project.output()] == ["run.b"]
    assert project.plan().decision("run.a")[0] == "reuse"


def test_refresh_only_shows_what_went_astray(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"), run("b", 20))
    project.apply("--no-wait")
    assert "No drift." in project.expect(0, "plan", "--refresh-only", "--detailed-exitcode").stdout
    service.finish(service.run_of(10).id, "CANCELED")
    service.finish(service.run_of(20).id)
    shown = project.expect(2, "plan", "--refresh-only", "--detailed-exitcode").stdout
    line_with(shown, "drift run.a")
    line_with(shown, "status", "CANCELED")
    assert "run.b" not in shown
    project.expect(0, "apply", "--refresh-only")
    assert "No drift." in project.expect(0, "plan", "--refresh-only", "--detailed-exitcode").stdout
