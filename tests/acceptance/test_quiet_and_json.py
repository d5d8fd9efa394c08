"""What is printed for who asked for little, and for who asked for data: also where nothing could be planned or done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.project import Done, Project, run
from tests.service import FakeService
from tests.views.schemas import problems


def stream(done: Done) -> list[dict[str, Any]]:
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [said for item in told for said in problems("event", item, closed=True)] == []
    return told


@pytest.mark.parametrize(
    ("declared", "args", "words"),
    [
        (run("a", 0), (), "number_of_samples"),
        (run("a"), ("--target", "run.b"), "--target run.b"),
    ],
    ids=["files", "command-line"],
)
def test_a_plan_that_can_not_be_made(project: Project, declared: str, args: tuple[str, ...], words: str) -> None:
    project.declare(declared)
    said = json.loads(project.expect(1, "plan", "--json", *args).stdout)
    assert said["errored"] is True
    assert problems("plan", said, closed=True) == []
    (found,) = said["diagnostics"]
    assert (found["severity"], words in json.dumps(found)) == ("error", True)
    first, *_, last = stream(project.apply("--json", *args, code=1))
    assert first["type"] == "version"
    assert (last["type"], last["exit_code"]) == ("summary", 1)
    assert words in json.dumps(stream(project.apply("--json", *args, code=1))[1])


def test_a_quiet_apply_says_what_came_of_it_and_errors(project: Project) -> None:
    project.declare(run("a"))
    done = project.expect(0, "--quiet", "apply", "--auto-approve")
    assert done.stdout.splitlines() == [
        "Plan: 1 to create.",
        "",
        "Apply complete: 1 created. 1 succeeded.",
        "The runs that came to rest cost $0.50.",
    ]
    assert project.expect(0, "--quiet", "apply", "--auto-approve").stdout == "No changes. 1 run is as declared.\n"
    project.declare(run("b"))
    refused = project.expect(1, "--quiet", "apply", "--auto-approve")
    assert "Bought already under another address" in refused.stderr


def test_an_apply_that_a_limit_or_an_error_ends(project: Project, service: FakeService) -> None:
    project.declare(run("a"), "[limits]\nmax_new_runs = 0\n")
    told = stream(project.apply("--json", code=3))
    assert [item["type"] for item in told] == ["version", "planned_change", "change_summary", "diagnostic", "summary"]
    assert "max_new_runs" in told[3]["diagnostic"]["summary"]
    assert told[-1]["exit_code"] == 3
    project.declare(run("a"))
    project.apply()
    project.declare(run("b"))
    told = stream(project.apply("--json", code=1))
    assert [item["type"] for item in told].count("diagnostic") == 1  # the plan has told it
    assert told[-1]["exit_code"] == 1
