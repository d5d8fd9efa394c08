"""``protect``: whatever would cancel, delete, replace or forget the run is an error of the plan."""

from __future__ import annotations

import pytest

from tests.acceptance.project import Project, run, said
from tests.service import FakeService

PROTECTED = {"protect": True}


@pytest.mark.parametrize(
    ("declared", "options"),
    [
        ([run("a", 20, lifecycle=PROTECTED)], []),
        ([run("a", lifecycle=PROTECTED | {"rerun": 1})], []),
        ([run("a", lifecycle=PROTECTED)], ["--replace", "run.a"]),
        ([run("b", 15)], []),
    ],
    ids=["changed", "rerun", "replace", "removed"],
)
@pytest.mark.parametrize("working", [False, True], ids=["final", "working"])
def test_protect_refuses(
    project: Project, service: FakeService, declared: list[str], options: list[str], working: bool
) -> None:
    service.polls = None if working else 1
    project.declare(run("a", lifecycle=PROTECTED))
    project.apply("--no-wait")
    project.expect(0, "refresh")
    project.declare(*declared)
    for command in (["plan"], ["apply", "--auto-approve", "--prune"]):
        told = said(project.expect(1, *command, *options))
        assert "run.a" in told
        assert "protect" in told
    assert len(service.creates) == 1
    assert service.cancels == service.deletes == []


def test_protection_ends_with_a_declaration_that_says_so(project: Project, service: FakeService) -> None:
    project.declare(run("a", lifecycle=PROTECTED))
    project.apply()
    project.declare(run("a", lifecycle={"protect": False}))
    project.apply()
    project.declare(run("a", 20))
    project.apply()
    assert [body["number_of_samples"] for body in service.bodies] == [10, 20]
