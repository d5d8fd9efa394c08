"""The question before an apply: only a clear yes buys anything."""

from __future__ import annotations

import pytest

from tests.acceptance.project import Project, run, said
from tests.acceptance.terminal import converse
from tests.service import FakeService


@pytest.mark.parametrize("answer", ["no", "", "n", "maybe", "\x04"], ids=["no", "empty", "n", "maybe", "end-of-file"])
def test_anything_but_yes_buys_nothing(project: Project, service: FakeService, answer: str) -> None:
    project.declare(run("a"))
    code, shown = converse(project, "apply", answer=answer)
    assert code == 1
    assert "run.a" in shown
    assert service.creates == []
    assert project.plan().decision("run.a") == ("create", ["create"])


def test_yes_does_what_was_shown(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    code, shown = converse(project, "apply", answer="yes")
    assert code == 0, shown
    assert "1 to create" in shown
    assert len(service.creates) == 1


def test_a_terminal_may_cancel_without_prune(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"), run("b", 11))
    project.apply("--no-wait")
    service.finish(service.run_of(11).id)
    project.declare(run("b", 11))
    code, shown = converse(project, "apply", answer="yes")
    assert code == 0, shown
    assert service.cancels == [service.run_of(10).id]


def test_nothing_to_do_asks_nothing(project: Project) -> None:
    project.declare(run("a"))
    project.apply()
    code, shown = converse(project, "apply", answer="no")
    assert code == 0
    assert "No changes." in shown


def test_without_a_terminal_nobody_can_say_yes(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    assert "--auto-approve" in said(project.expect(1, "apply"))
    assert service.creates == []


def test_auto_approve_asks_nothing_on_a_terminal(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    code, shown = converse(project, "apply", "--auto-approve", answer="no")
    assert code == 0, shown
    assert len(service.creates) == 1
