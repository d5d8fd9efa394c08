"""Submissions in parallel: as many at once as allowed, each exactly once, whatever dies in between."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from tests.acceptance.project import Project, run
from tests.service import FakeService

LATER = {"RECONCILER_SETTLE_SECONDS": "3600", "RECONCILER_DEAD_SECONDS": "7200"}  # nothing settles by itself here


def bought(service: FakeService) -> Counter[int]:
    """How often each address was sent; its number of samples names it. A kill may cut a body off."""
    return Counter(body["number_of_samples"] for body in service.bodies if body)


@pytest.mark.parametrize(
    ("settings", "options", "limit"),
    [("parallelism = 3", [], 3), ("parallelism = 3", ["--parallelism", "2"], 2), ("", [], 10)],
    ids=["setting", "option", "default"],
)
def test_parallelism_is_reached_and_not_exceeded(
    project: Project, service: FakeService, settings: str, options: list[str], limit: int
) -> None:
    service.create_delay = 0.2
    project.declare(*[run(f"r{n:02}", 100 + n) for n in range(2 * limit + 2)], apply=settings)
    project.apply("--no-wait", *options)
    assert service.max_in_flight == limit


def test_fifty_runs_each_exactly_once(project: Project, service: FakeService) -> None:
    service.create_delay = 0.02
    project.declare(*[run(f"r{n:02}", 100 + n) for n in range(50)], apply="parallelism = 50")
    project.apply()
    assert bought(service) == Counter(range(100, 150))
    assert {entry["run_id"] for entry in project.output()} == set(service.runs)
    project.settled()
    project.apply()
    assert len(service.creates) == 50


def test_equal_declarations_under_two_names_are_two_runs(project: Project, service: FakeService) -> None:
    project.declare(run("a"), run("b"))
    project.apply()
    assert len(service.runs) == 2
    assert len({entry["run_id"] for entry in project.output()}) == 2
    project.settled()


@pytest.mark.parametrize("arrived", [1, 8, 20])
def test_a_kill_in_the_middle_never_buys_twice_and_loses_nothing(
    project: Project, service: FakeService, arrived: int
) -> None:
    service.create_delay = 0.1
    project.env |= LATER
    names = {100 + n: f"run.r{n:02}" for n in range(30)}
    project.declare(*[run(f"r{n:02}", 100 + n) for n in range(30)], apply="parallelism = 5")
    process = project.start("apply", "--auto-approve")
    service.wait_for(lambda: len(service.creates) >= arrived)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)

    plan = project.plan()
    unknown = set(plan.unmet())
    assert len(unknown) <= 5, "only what was in flight can be unknown"
    project.apply("--no-wait", code=6 if unknown else 0)
    assert max(bought(service).values()) == 1
    assert {names[number] for number in bought(service)} | unknown == set(names.values())
    recorded = {entry["run_id"] for entry in project.output()}
    missing = {names[run.samples] for run in service.runs.values() if run.id not in recorded}
    assert missing <= unknown
    project.apply("--no-wait", code=6 if unknown else 0)
    assert max(bought(service).values()) == 1
