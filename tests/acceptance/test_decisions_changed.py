"""Rows of the decision table where the declaration changed: replace, reuse, rerun, update, notice, protect."""

from __future__ import annotations

import pytest

from tests.acceptance.project import Project, line_with, run, said, symbol_of
from tests.service import FakeService, answers


def samples(service: FakeService) -> list[int]:
    return [body["number_of_samples"] for body in service.bodies]


def test_a_changed_field_replaces_a_final_run_without_a_cancel(project: Project, service: FakeService) -> None:
    project.declare(run("a"), run("b", 15))
    project.apply()
    project.declare(run("a", 20), run("b", 15))
    plan = project.plan("--detailed-exitcode", code=2)
    assert plan.decision("run.a") == ("replace", ["forget", "create"])
    assert plan.decision("run.b") == ("no-op", ["no-op"])
    assert plan.change("run.a")["change"]["before"]["number_of_samples"] == 10
    assert plan.change("run.a")["change"]["after"]["number_of_samples"] == 20
    project.apply()
    assert sorted(samples(service)) == [10, 15, 20]
    assert service.cancels == []
    project.settled()


def test_the_new_run_is_accepted_before_the_working_old_one_is_cancelled(
    project: Project, service: FakeService
) -> None:
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    service.polls = 1
    project.declare(run("a", 20))
    assert project.plan().decision("run.a") == ("replace", ["create", "delete"])

    refused = project.apply(code=1)
    assert "--prune" in said(refused)
    assert samples(service) == [10]

    service.script_create(answers.accepted(delay=0.3))
    project.apply("--prune")
    order = [request.path for request in service.requests if request.method == "POST"]
    old = service.run_of(10).id
    assert [path.endswith("/cancel/") for path in order] == [False, False, True]
    assert service.cancels == [old]
    assert service.runs[old].status == "CANCELED"
    project.settled()


@pytest.mark.parametrize(
    "answer", [answers.refused(400), answers.dropped(), answers.failed_after_creating()], ids=["400", "dropped", "500"]
)
def test_without_acceptance_the_old_run_goes_on(project: Project, service: FakeService, answer: answers.Answer) -> None:
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    project.declare(run("a", 20))
    service.script_create(answer)
    project.apply("--prune", "--no-wait", code=1 if answer.status == 400 else 6)
    assert service.cancels == []
    assert len(service.creates) == 2


def test_an_owed_cancel_stays_in_every_plan_until_the_old_run_is_final(project: Project, service: FakeService) -> None:
    service.polls = None
    service.cancel_polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    project.declare(run("a", 20))
    project.apply("--prune", "--no-wait")
    old = service.run_of(10).id
    assert service.cancels == [old]
    service.finish(service.run_of(20).id)
    shown = project.expect(0, "plan").stdout
    assert "cancel" in line_with(shown, old[:8])
    service.finish(old, "CANCELED")
    project.apply("--prune")
    assert old[:8] not in project.expect(0, "plan").stdout
    project.settled()
    assert len(service.creates) == 2


def test_apply_waits_until_the_displaced_run_is_final(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    service.polls = 1
    service.cancel_polls = 3
    project.declare(run("a", 20))
    project.apply("--prune")
    assert service.runs[service.cancels[0]].status == "CANCELED"
    project.settled()


def test_a_revert_reuses(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    first = service.run_ids[0]
    project.declare(run("a", 20))
    project.apply()
    project.declare(run("a"))
    plan = project.plan("--detailed-exitcode", code=2)
    assert plan.decision("run.a") == ("reuse", ["update"])
    assert symbol_of(project.expect(0, "plan").stdout, "run.a") == "~"
    project.apply()
    assert samples(service) == [10, 20]
    assert [entry["run_id"] for entry in project.output("run.a")] == [first]
    project.settled()


def test_reuse_cancels_the_working_run_that_it_displaces(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    service.polls = None
    project.declare(run("a", 20))
    project.apply("--no-wait")
    project.declare(run("a"))
    assert "--prune" in said(project.apply(code=1))
    assert service.cancels == []
    project.apply("--prune")
    assert service.cancels == [service.run_of(20).id]
    assert samples(service) == [10, 20]
    project.settled()


def test_a_run_that_is_gone_is_not_reused(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("a", 20))
    project.apply()
    service.forget(service.run_of(10).id)
    project.expect(0, "refresh")
    project.declare(run("a"))
    project.apply()
    assert samples(service) == [10, 20, 10]
    project.settled()


def test_taking_a_field_out_again_returns_to_the_run_from_before(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("a", tools=["calculator"]))
    project.apply()
    assert len(service.creates) == 2
    project.declare(run("a"))
    assert project.plan().decision("run.a") == ("reuse", ["update"])
    project.apply()
    assert len(service.creates) == 2
    assert [entry["run_id"] for entry in project.output("run.a")] == service.run_ids[:1]


def test_on_change_keep_is_a_notice(project: Project, service: FakeService) -> None:
    keep = {"on_change": "keep"}
    project.declare(run("a", lifecycle=keep))
    project.apply()
    project.declare(run("a", 20, lifecycle=keep))
    plan = project.plan("--detailed-exitcode")
    assert plan.decision("run.a") == ("no-op", ["no-op"])
    assert "number_of_samples" in plan.text("diagnostics")
    project.apply()
    assert samples(service) == [10]


def test_raising_rerun_buys_again(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("a", lifecycle={"rerun": 1}))
    assert project.plan().decision("run.a") == ("replace", ["forget", "create"])
    project.apply()
    assert samples(service) == [10, 10]
    assert "rerun" not in service.bodies[1]
    project.settled()
    project.declare(run("a"))
    assert project.plan().decision("run.a") == ("reuse", ["update"])


@pytest.mark.parametrize("working", [False, True], ids=["final", "working"])
def test_replace_names_an_address(project: Project, service: FakeService, working: bool) -> None:
    service.polls = None if working else 1
    project.declare(run("a"), run("b", 11))
    project.apply("--no-wait")
    if not working:
        project.expect(0, "refresh")
    old = service.run_of(10).id
    plan = project.plan("--replace", "run.a")
    assert plan.decision("run.a") == ("replace", ["create", "delete"] if working else ["forget", "create"])
    assert plan.decision("run.b") == ("no-op", ["no-op"])
    assert project.plan("--detailed-exitcode").decision("run.a") == ("no-op", ["no-op"])
    project.apply("--replace", "run.a", "--no-wait", *(["--prune"] if working else []))
    assert sorted(samples(service)) == [10, 10, 11]
    assert service.cancels == ([old] if working else [])


def test_replace_of_an_address_that_is_not_declared_is_an_error(project: Project, service: FakeService) -> None:
    project.declare(run("alpha"))
    assert "run.alpha" in said(project.expect(1, "plan", "--replace", "run.alhpa"))
    assert service.creates == []


def test_a_change_of_the_lifecycle_alone_is_a_visible_update(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("a", lifecycle={"protect": True, "on_remove": "keep"}))
    plan = project.plan("--detailed-exitcode", code=2)
    assert plan.decision("run.a") == ("update", ["update"])
    assert plan.json["summary"]["update"] == 1
    shown = project.expect(0, "plan").stdout
    assert symbol_of(shown, "run.a") == "~"
    assert "protect" in shown
    assert "on_remove" in shown
    project.apply()
    assert samples(service) == [10]
    project.settled()


def test_a_rejected_create_is_created_by_a_later_plan(project: Project, service: FakeService) -> None:
    service.script_create(answers.refused(400, "generation_model: retired"))
    project.declare(run("a"))
    assert "generation_model: retired" in said(project.apply(code=1))
    assert project.plan().decision("run.a") == ("create", ["create"])
    project.apply()
    assert samples(service) == [10, 10]
    project.settled()
