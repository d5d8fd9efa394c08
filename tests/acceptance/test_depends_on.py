"""``depends_on``: waves, and what is deferred where a dependency does not succeed."""

from __future__ import annotations

from tests.acceptance.project import Project, line_with, run, said
from tests.service import FakeService, answers


def chain(first: int = 10) -> list[str]:
    return [
        run("a", first),
        run("b", 20, depends_on=["run.a"]),
        run("c", 30, depends_on=["run.b"]),
    ]


def test_a_chain_is_bought_in_order(project: Project, service: FakeService) -> None:
    project.declare(*reversed(chain()))
    shown = project.expect(0, "plan").stdout
    assert shown.index("run.a") < shown.index("Wave 2") < shown.index("create run.b") < shown.index("Wave 3")
    changes = project.plan()
    assert [changes.change(f"run.{name}").get("wave") for name in "abc"] == [None, 2, 3]
    done = project.apply()
    assert [body["number_of_samples"] for body in service.bodies] == [10, 20, 30]
    assert "3 created. 3 succeeded." in done.stdout
    assert done.stdout.index("run.a: SUCCEEDED") < done.stdout.index("run.c: created")
    project.settled()


def test_a_chain_whose_first_fails_buys_nothing_more_and_goes_on_after_a_fix(
    project: Project, service: FakeService
) -> None:
    service.fate = "FAILED"
    project.declare(*chain())
    done = project.apply(code=7)
    assert [body["number_of_samples"] for body in service.bodies] == [10]
    assert "run.b" in line_with(said(done), "depends on run.a", "FAILED")
    plan = project.plan()
    assert sorted(plan.unmet()) == ["run.a", "run.b", "run.c"]
    assert {item["address"]: item["kind"] for item in plan.json["unmet"]}["run.c"] == "deferred"
    again = project.apply()
    assert "3 are unmet" in again.stdout
    assert len(service.creates) == 1

    service.fate = "SUCCEEDED"
    project.declare(*chain(11))
    project.apply()
    assert [body["number_of_samples"] for body in service.bodies] == [10, 11, 20, 30]
    project.settled()


def test_without_waiting_the_rest_is_left_to_the_next_apply(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(*chain())
    left = project.apply("--no-wait", code=7)
    assert "apply again" in line_with(said(left), "run.b", "waits for run.a")
    assert len(service.creates) == 1
    service.run_of(10).polls = service.polls = 1
    project.apply()
    assert [body["number_of_samples"] for body in service.bodies] == [10, 20, 30]


def test_it_orders_only_and_a_replaced_dependency_replaces_nothing(project: Project, service: FakeService) -> None:
    project.declare(*chain())
    project.apply()
    project.declare(*chain(12))
    summary = project.plan().json["summary"]
    assert (summary["replace"], summary["unchanged"]) == (1, 2)


def test_a_target_brings_what_it_depends_on(project: Project, service: FakeService) -> None:
    project.declare(*chain(), run("d", 40))
    plan = project.plan("--target", "run.b")
    assert {change["address"] for change in plan.json["resource_changes"]} == {"run.a", "run.b"}
    left = project.plan("--exclude", "run.a")
    assert {change["address"] for change in left.json["resource_changes"]} == {"run.d"}
    assert left.unmet() == ["run.b", "run.c"]
    assert "Did you mean run.d?" in said(project.expect(1, "plan", "--target", "run.dd"))


def test_the_run_before_does_not_do_for_a_replaced_dependency(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    service.fate = "FAILED"
    project.declare(run("a", 11), run("b", 20, depends_on=["run.a"]))
    project.apply(code=7)
    assert [body["number_of_samples"] for body in service.bodies] == [10, 11]


SOON = {"RECONCILER_SETTLE_SECONDS": "0.1", "RECONCILER_DEAD_SECONDS": "0.8"}


def test_a_dependency_that_was_unknown_is_waited_for(project: Project, service: FakeService) -> None:
    service.script_create(answers.failed_after_creating(500), samples=10)
    project.declare(*chain())
    done = project.apply(env=SOON)
    assert [body["number_of_samples"] for body in service.bodies] == [10, 20, 30]
    assert "3 created. 3 succeeded." in done.stdout
    project.settled()


def test_what_waits_for_an_unknown_submission_that_nobody_can_settle_is_deferred(
    project: Project, service: FakeService
) -> None:
    service.script_create(answers.dropped(creates=False), samples=10)
    project.declare(*chain())
    done = project.apply(code=6, env=SOON)
    assert len(service.creates) == 1
    line_with(said(done), "run.b", "not submitted: it waits for run.a")
    line_with(said(done), "run.c", "not submitted: it waits for run.b")
