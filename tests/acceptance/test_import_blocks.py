"""``[[import]]`` blocks: existing runs, adopted as the plan says."""

from __future__ import annotations

import pytest

from tests.acceptance.project import Project, line_with, run, said, symbol_of
from tests.service import TICKETS, FakeService

BODY = {"spec_id": TICKETS, "number_of_samples": 10, "generation_model": "anthropic/claude-haiku-4-5"}


def block(run_id: str, address: str = "run.a") -> str:
    return f'[[import]]\nto = "{address}"\nid = "{run_id}"\n'


def test_a_run_is_adopted_once(project: Project, service: FakeService) -> None:
    existing = service.add_run(BODY)
    project.declare(run("a"), block(existing.id))
    shown = project.expect(2, "plan", "--detailed-exitcode").stdout
    assert symbol_of(shown, "run.a") == "~"
    assert "Plan: 1 to import." in shown
    done = project.apply()
    assert "Apply complete: 1 imported." in done.stdout
    project.settled()  # the block may stay
    assert project.output()[0]["run_id"] == existing.id
    project.declare(run("a", 20), block(existing.id))
    project.apply()
    project.settled()  # also when another run is current by now
    assert [body["number_of_samples"] for body in service.bodies] == [20]


def test_a_working_run_is_followed(project: Project, service: FakeService) -> None:
    existing = service.add_run(BODY, "PENDING")
    existing.polls = 8
    project.declare(run("a"), block(existing.id))
    assert "1 imported. 1 succeeded." in project.apply().stdout


def test_what_is_not_as_declared_is_refused_with_the_fields(project: Project, service: FakeService) -> None:
    existing = service.add_run(BODY | {"number_of_samples": 15})
    project.declare(run("a"), block(existing.id))
    refused = project.expect(1, "plan").stdout
    line_with(refused, "reconciler.toml:", "number_of_samples is 15, declared 10")
    project.apply(code=1)
    project.apply("--no-refresh", code=1)
    assert project.expect(0, "plan", "--offline").stdout.count("if it is as declared") == 1
    assert service.creates == []


@pytest.mark.parametrize("case", ["missing", "failed", "owned"])
def test_what_can_not_be_adopted(project: Project, service: FakeService, case: str) -> None:
    if case == "owned":
        project.declare(run("b"))
        project.apply()
        run_id, words = service.run_of(10).id, "belongs to run.b"
    elif case == "failed":
        run_id, words = service.add_run(BODY, "FAILED").id, "FAILED"
    else:
        run_id, words = "3c90c3cc-0d44-4b50-8888-8dd25736052a", "no run 3c90c3cc"
    bought = len(service.creates)
    others = [run("b")] if case == "owned" else []
    project.declare(run("a"), *others, block(run_id))
    assert words in said(project.expect(1, "plan"))
    assert len(service.creates) == bought
