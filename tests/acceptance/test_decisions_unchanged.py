"""Rows of the decision table that buy nothing: satisfied, working, unmet, gone, noticed."""

from __future__ import annotations

import pytest

from tests.acceptance.project import Project, line_with, run
from tests.service import FakeService

NO_OP = ("no-op", ["no-op"])


def bought_nothing_more(project: Project, service: FakeService) -> None:
    before = len(service.creates)
    project.apply()
    assert len(service.creates) == before


def test_a_satisfied_run_is_as_declared(project: Project, service: FakeService) -> None:
    project.declare(run("a"), run("b", 11), run("c", 12))
    project.apply()
    assert project.plan().decision("run.a") == NO_OP
    assert "No changes. 3 runs are as declared." in project.expect(0, "plan").stdout
    bought_nothing_more(project, service)


def test_a_satisfied_run_that_is_gone_still_satisfies_with_a_warning(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    service.forget(service.run_ids[0])
    plan = project.plan()
    assert plan.decision("run.a") == NO_OP
    assert [d["severity"] for d in plan.json["diagnostics"] if d["address"] == "run.a"] == ["warning"]
    bought_nothing_more(project, service)


def test_a_field_that_is_no_longer_declared_is_a_notice(project: Project, service: FakeService) -> None:
    project.declare(run("a", tools=["calculator"]))
    project.apply()
    project.declare(run("a"))
    plan = project.plan()
    assert plan.decision("run.a") == NO_OP
    assert "tools" in plan.text("diagnostics")
    bought_nothing_more(project, service)


@pytest.mark.parametrize(
    "fields",
    [
        {"skip_outline": False},
        {"outline_model": "anthropic/claude-haiku-4-5"},
        {"tools": []},
        {"revision_types": [], "filtering_types": []},
        {"seed_shuffling_level": "none"},
        {"spec_version": 3},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_a_field_newly_declared_with_the_value_in_use_changes_nothing(
    project: Project, service: FakeService, fields: dict[str, object]
) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("a", **fields))
    assert project.plan("--detailed-exitcode").decision("run.a") == NO_OP
    bought_nothing_more(project, service)


def test_the_order_of_a_list_means_nothing(project: Project, service: FakeService) -> None:
    project.declare(run("a", revision_types=["consistency", "conformance"]))
    project.apply()
    project.declare(run("a", revision_types=["conformance", "consistency"]))
    project.settled()
    bought_nothing_more(project, service)


def test_a_working_run_is_shown_with_its_progress(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a", 5000))
    project.apply("--no-wait")
    working = service.runs[service.run_ids[0]]
    working.status, working.completed = "PROCESSING", 1234
    assert project.plan("--detailed-exitcode").decision("run.a") == NO_OP
    line = line_with(project.expect(0, "plan").stdout, "run.a")
    assert "1234" in line.replace(",", "")
    assert len(service.creates) == 1


def test_a_failed_run_is_unmet_and_not_bought_again(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"), run("b", 11))
    project.apply("--no-wait")
    service.finish(service.run_of(10).id, "FAILED")
    service.finish(service.run_of(11).id)
    plan = project.plan("--detailed-exitcode")
    assert plan.unmet() == ["run.a"]
    assert plan.json["summary"]["unmet"] == 1
    assert "No changes. 1 run is as declared, 1 is unmet." in project.expect(0, "plan").stdout
    bought_nothing_more(project, service)
    project.expect(7, "apply", "--auto-approve", "--strict")


def test_max_attempts_buys_a_failed_request_again_and_then_stands_unmet(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a", lifecycle={"max_attempts": 2}))
    project.apply("--no-wait")
    service.finish(service.run_ids[0], "FAILED")
    plan = project.plan("--detailed-exitcode", code=2)
    assert plan.decision("run.a") == ("retry", ["create"])
    assert plan.json["summary"]["retry"] == 1
    assert "1 to retry" in project.expect(0, "plan").stdout
    project.apply("--no-wait")
    assert service.bodies[0] == service.bodies[1]
    service.finish(service.run_ids[1], "FAILED")
    assert project.plan("--detailed-exitcode").unmet() == ["run.a"]
    bought_nothing_more(project, service)
    assert len(service.creates) == 2


def test_raising_max_attempts_later_retries(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    service.finish(service.run_ids[0], "FAILED")
    bought_nothing_more(project, service)
    service.polls = 1
    project.declare(run("a", lifecycle={"max_attempts": 2}))
    assert project.plan().decision("run.a") == ("retry", ["create"])
    project.apply()
    assert len(service.creates) == 2
    project.settled()


@pytest.mark.parametrize("how", ["canceled", "too-few", "gone"])
def test_an_unmet_run_is_bought_again_only_on_purpose(project: Project, service: FakeService, how: str) -> None:
    service.polls = None
    lifecycle: dict[str, object] = {"min_samples": 8}
    project.declare(run("a", lifecycle=lifecycle), run("b", 11))
    project.apply("--no-wait")
    first = service.run_of(10).id
    service.finish(service.run_of(11).id)
    match how:
        case "canceled":
            service.finish(first, "CANCELED")
        case "too-few":
            service.finish(first, "SUCCEEDED", completed=7, failed=3)
        case _:
            service.forget(first)
    plan = project.plan("--detailed-exitcode")
    assert plan.unmet() == ["run.a"]
    assert plan.decision("run.b") == NO_OP
    bought_nothing_more(project, service)

    service.polls = 1
    project.declare(run("a", lifecycle=lifecycle | {"rerun": 1}), run("b", 11))
    assert project.plan().change("run.a")["change"]["actions"][-1:] == ["create"]
    project.apply()
    assert len(service.creates) == 3
    project.settled()


def test_replace_is_the_other_way_to_buy_an_unmet_run_again(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    service.finish(service.run_ids[0], "CANCELED")
    assert project.plan().unmet() == ["run.a"]
    service.polls = 1
    project.apply("--replace", "run.a")
    assert len(service.creates) == 2
    project.settled()


def test_gone_is_not_final(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    (hidden,) = service.runs.values()
    service.forget(hidden.id)
    project.expect(0, "refresh")
    assert project.plan().unmet() == ["run.a"]
    service.runs[hidden.id] = hidden
    assert project.plan().unmet() == []
    service.finish(hidden.id)
    project.settled()


def test_enough_samples_satisfy(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a", lifecycle={"min_samples": 7}))
    project.apply("--no-wait")
    service.finish(service.run_ids[0], "SUCCEEDED", completed=7, failed=3)
    project.settled()


def test_a_report_that_differs_is_drift_and_buys_nothing(project: Project, service: FakeService) -> None:
    service.reported = {"generation_model": "openai/gpt-oss-120b"}
    project.declare(run("a"))
    project.apply()
    plan = project.plan("--detailed-exitcode")
    assert plan.decision("run.a") == NO_OP
    assert [entry["address"] for entry in plan.json["drift"]] == ["run.a"]
    assert "openai/gpt-oss-120b" in plan.text("drift")
    bought_nothing_more(project, service)


def test_alias_words_and_words_not_known_are_understood(project: Project, service: FakeService) -> None:
    service.polls = 3
    service.words = {"PENDING": "QUEUED", "PROCESSING": "IN_PROGRESS", "SUCCEEDED": "COMPLETED"}
    project.declare(run("a"))
    project.apply()
    assert [entry["status"] for entry in project.output()] == ["SUCCEEDED"]
    project.settled()


def test_a_final_status_never_goes_back(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    (finished,) = service.runs.values()
    finished.status = "PROCESSING"
    finished.polls = None
    assert project.plan("--detailed-exitcode").decision("run.a") == NO_OP
    project.expect(0, "refresh")
    assert [entry["status"] for entry in project.output()] == ["SUCCEEDED"]
