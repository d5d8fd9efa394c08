"""Which version of a spec is sent, and what a newer one means; specs by id and by name."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.project import Project, line_with, run, said
from tests.service import LETTERS, TICKETS, FakeService, Spec


def test_an_inferred_version_is_pinned_and_a_newer_one_changes_nothing(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    service.specs[TICKETS].versions = 4
    project.settled()
    assert [body["spec_version"] for body in service.bodies] == [3]


def test_latest_follows_with_a_planned_replacement(project: Project, service: FakeService) -> None:
    project.declare(run("a", spec_version="latest"))
    project.apply()
    project.settled()
    service.specs[TICKETS].versions = 4
    plan = project.plan()
    assert plan.decision("run.a") == ("replace", ["forget", "create"])
    line = line_with(project.expect(0, "plan").stdout, "spec_version", "4")
    assert re.search(r"spec_version\W+3 (→|->) 4", line), line
    project.apply()
    assert [body["spec_version"] for body in service.bodies] == [3, 4]
    project.settled()


def test_a_count_below_what_runs_report_is_not_sent_but_read_back(project: Project, service: FakeService) -> None:
    service.add_run({"spec_id": TICKETS, "number_of_samples": 3, "spec_version": 9})
    project.declare(run("a"))
    project.apply()
    assert "spec_version" not in service.bodies[0]
    assert [entry["spec_version"] for entry in project.output("run.a")] == [3]
    project.settled()


def test_a_retry_keeps_the_version_and_a_replacement_takes_it_anew(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a", lifecycle={"max_attempts": 2}))
    project.apply("--no-wait")
    service.finish(service.run_ids[0], "FAILED")
    service.specs[TICKETS].versions = 5
    service.polls = 1
    project.apply()
    project.declare(run("a", 11, lifecycle={"max_attempts": 2}))
    project.apply()
    assert [body["spec_version"] for body in service.bodies] == [3, 3, 5]


def test_declaring_the_version_that_was_inferred_changes_nothing(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("a", spec_version=3))
    project.settled()
    assert len(service.creates) == 1


@pytest.mark.parametrize(
    ("reference", "spec_id"),
    [({"spec_id": LETTERS}, LETTERS), ({"spec_name": "Support tickets"}, TICKETS), ({"spec": "letters"}, LETTERS)],
    ids=["id", "name", "alias"],
)
def test_a_spec_by_id_name_and_alias(
    project: Project, service: FakeService, reference: dict[str, str], spec_id: str
) -> None:
    project.declare(run("a", **({"spec": None} | reference)))
    project.apply()
    assert [body["spec_id"] for body in service.bodies] == [spec_id]
    project.settled()


def test_an_ambiguous_or_unknown_name_is_an_error_that_helps(project: Project, service: FakeService) -> None:
    twin = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
    service.specs[twin] = Spec(twin, "Letters")
    project.declare(run("a", spec=None, spec_name="Letters"), run("b", spec=None, spec_name="Suport tickets"))
    told = said(project.expect(1, "apply", "--auto-approve"))
    assert twin in told
    assert LETTERS in told
    assert "Support tickets" in told
    assert service.creates == []


def test_distinguishability_without_a_seed_dataset_is_an_error_of_the_plan(
    project: Project, service: FakeService
) -> None:
    project.declare(run("a", revision_types=["distinguishability"]))
    project.expect(0, "validate")
    for command in (["plan"], ["apply", "--auto-approve"]):
        told = said(project.expect(1, *command))
        assert "distinguishability" in told
        assert "seed" in told
        assert project.line("revision_types") in told
    assert service.creates == []
