"""Rows of the decision table where the declaration is gone: cancel, forget, delete, and declared again."""

from __future__ import annotations

import pytest

from tests.acceptance.project import Project, run, said, symbol_of
from tests.service import FakeService, answers

OTHER = run("other", 77)


def with_run(project: Project, service: FakeService, working: bool, on_remove: str | None = None) -> str:
    """Apply ``run.a`` and another; return the id of its run, working or SUCCEEDED."""
    service.polls = None
    lifecycle = {"on_remove": on_remove} if on_remove else None
    project.declare(run("a", lifecycle=lifecycle), OTHER)
    project.apply("--no-wait")
    service.finish(service.run_of(77).id)
    run_id = service.run_of(10).id
    if not working:
        service.finish(run_id)
    project.expect(0, "refresh")
    return run_id


@pytest.mark.parametrize("on_remove", [None, "cancel"])
def test_a_working_run_is_cancelled_with_prune_and_forgotten(
    project: Project, service: FakeService, on_remove: str | None
) -> None:
    run_id = with_run(project, service, working=True, on_remove=on_remove)
    project.declare(OTHER)
    plan = project.plan("--detailed-exitcode", code=2)
    assert plan.decision("run.a") == ("cancel", ["delete"])
    assert plan.json["summary"]["cancel"] == 1
    shown = project.expect(0, "plan").stdout
    assert symbol_of(shown, "run.a") == "-"
    assert "1 to cancel" in shown

    refused = said(project.apply(code=1))
    assert "--prune" in refused
    assert service.cancels == []

    project.apply("--prune")
    assert service.cancels == [run_id]
    assert service.deletes == []
    assert service.runs[run_id].status == "CANCELED"
    project.settled()
    assert [entry["address"] for entry in project.output()] == ["run.other"]


def test_a_cancel_that_takes_its_time_is_waited_for(project: Project, service: FakeService) -> None:
    run_id = with_run(project, service, working=True)
    service.cancel_polls = 3
    project.declare(OTHER)
    project.apply("--prune")
    assert service.runs[run_id].status == "CANCELED"
    assert service.cancels == [run_id]
    project.settled()


def test_a_run_that_finished_before_its_cancel_is_no_failure(project: Project, service: FakeService) -> None:
    run_id = with_run(project, service, working=True)
    project.declare(OTHER)
    service.finish(run_id)
    project.apply("--no-refresh", "--prune")
    assert service.runs[run_id].status == "SUCCEEDED"
    project.settled()


def test_a_final_run_is_forgotten_and_reused_when_declared_again(project: Project, service: FakeService) -> None:
    run_id = with_run(project, service, working=False)
    project.declare(OTHER)
    plan = project.plan("--detailed-exitcode", code=2)
    assert plan.decision("run.a") == ("forget", ["forget"])
    assert symbol_of(project.expect(0, "plan").stdout, "run.a") == "-"
    project.apply()
    assert service.cancels == service.deletes == []
    project.settled()

    project.declare(run("a"), OTHER)
    assert project.plan().decision("run.a") == ("reuse", ["update"])
    project.apply()
    assert len(service.creates) == 2
    assert [entry["run_id"] for entry in project.output("run.a")] == [run_id]
    project.settled()


def test_on_remove_keep_forgets_a_working_run_without_stopping_it(project: Project, service: FakeService) -> None:
    run_id = with_run(project, service, working=True, on_remove="keep")
    project.declare(OTHER)
    assert project.plan().decision("run.a") == ("forget", ["forget"])
    project.apply()
    assert service.cancels == service.deletes == []
    assert service.runs[run_id].status == "PROCESSING"
    project.settled()

    project.declare(run("a", lifecycle={"on_remove": "keep"}), OTHER)
    assert project.plan().decision("run.a") == ("reuse", ["update"])
    assert len(service.creates) == 2


@pytest.mark.parametrize("working", [False, True], ids=["final", "working"])
def test_on_remove_delete_removes_the_run_from_the_service(
    project: Project, service: FakeService, working: bool
) -> None:
    run_id = with_run(project, service, working, on_remove="delete")
    project.declare(OTHER)
    plan = project.plan()
    assert plan.decision("run.a") == ("delete", ["delete"])
    assert plan.json["summary"]["delete"] == 1
    assert "--prune" in said(project.apply(code=1))
    assert service.deletes == []
    project.apply("--prune")
    assert service.deletes == [run_id]
    assert service.cancels == ([run_id] if working else [])
    assert run_id not in service.runs
    project.settled()


def test_a_deleted_run_is_not_reused(project: Project, service: FakeService) -> None:
    with_run(project, service, working=False, on_remove="delete")
    project.declare(OTHER)
    project.apply("--prune")
    service.polls = 1
    project.declare(run("a", lifecycle={"on_remove": "delete"}), OTHER)
    project.apply()
    assert len(service.creates) == 3
    project.settled()


def test_an_address_that_never_got_a_run_is_forgotten(project: Project, service: FakeService) -> None:
    service.script_create(answers.refused(400), samples=10)
    project.declare(run("a"), OTHER)
    project.apply(code=1)
    project.declare(OTHER)
    project.apply()
    assert service.cancels == service.deletes == []
    project.settled()


def test_zero_declarations_over_a_state_with_instances_are_refused(project: Project, service: FakeService) -> None:
    with_run(project, service, working=True)
    project.declare()
    for command in (["plan"], ["apply", "--auto-approve", "--prune"]):
        assert "destroy" in said(project.expect(1, *command))
    assert service.cancels == []
    assert len(project.output()) == 2


def test_zero_declarations_over_nothing_are_no_changes(project: Project) -> None:
    project.declare()
    assert "No changes." in project.expect(0, "plan", "--detailed-exitcode").stdout


def test_a_saved_plan_needs_no_prune(project: Project, service: FakeService) -> None:
    run_id = with_run(project, service, working=True)
    project.declare(OTHER)
    saved = str(project.folder / "saved.plan")
    project.expect(0, "plan", "--out", saved)
    project.expect(0, "apply", saved)
    assert service.cancels == [run_id]
    project.settled()
