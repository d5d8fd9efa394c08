"""On a terminal ``apply`` asks by itself what became of submissions that only a person can settle."""

from __future__ import annotations

import pytest

from tests.acceptance.project import Project, run
from tests.acceptance.terminal import converse
from tests.service import FakeService, answers

SOON = {"RECONCILER_SETTLE_SECONDS": "0.2", "RECONCILER_DEAD_SECONDS": "1"}
pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def absent(project: Project, service: FakeService) -> None:
    """A submission that nothing came of."""
    project.env |= SOON
    service.script_create(answers.dropped(creates=False))
    project.declare(run("a"))
    project.apply(code=6)


@pytest.fixture
def twins(project: Project, service: FakeService) -> list[str]:
    """A submission that two runs may have come of; ours first."""
    project.env |= SOON
    service.script_create(answers.dropped(creates=True))
    project.declare(run("a"))
    project.apply("--no-wait", code=6)
    service.add_run(dict(service.bodies[0]), "PENDING")
    return service.run_ids


@pytest.mark.usefixtures("absent")
def test_what_is_absent_is_sent_again(project: Project, service: FakeService) -> None:
    code, shown = converse(project, "apply", answer=["r", "yes"])
    assert code == 0, shown
    assert "nobody knows whether it was bought" in shown
    assert len(service.creates) == 2
    assert [entry["run_id"] for entry in project.output()] == service.run_ids


@pytest.mark.usefixtures("absent")
def test_what_is_absent_is_given_up(project: Project, service: FakeService) -> None:
    code, shown = converse(project, "apply", answer=["what?", "a"])
    assert code == 0, shown
    assert "That is none of them." in shown
    assert "given up" in shown
    assert len(service.creates) == 1


@pytest.mark.usefixtures("absent")
def test_enter_leaves_it_as_it_is(project: Project, service: FakeService) -> None:
    code, shown = converse(project, "apply", answer=["", ""])
    assert code == 6, shown
    assert len(service.creates) == 1


def test_one_of_two_runs_is_adopted(project: Project, service: FakeService, twins: list[str]) -> None:
    code, shown = converse(project, "apply", answer=["1"])
    assert code == 0, shown
    assert all(run_id in shown for run_id in twins)
    (entry,) = project.output()
    assert entry["run_id"] in twins
    assert len(service.creates) == 1


def test_it_asks_after_submitting_as_well(project: Project, service: FakeService) -> None:
    project.env |= SOON
    service.script_create(answers.dropped(creates=False))
    project.declare(run("a"))
    code, shown = converse(project, "apply", answer=["yes", "r", "yes"])
    assert code == 0, shown
    assert len(service.creates) == 2
    project.settled()


def test_without_a_question_nothing_is_decided(project: Project, service: FakeService, twins: list[str]) -> None:
    code, shown = converse(project, "apply", "--auto-approve", answer="1")
    assert code == 6, shown
    assert all(run_id in shown for run_id in twins)
    assert len(service.creates) == 1
