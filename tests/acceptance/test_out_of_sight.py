"""What came to rest while nobody looked is recorded by the next command, whole: status, cost, files."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.acceptance.project import Project, run
from tests.service import FakeService


@pytest.fixture
def left(project: Project, service: FakeService) -> str:
    """A run that an apply submitted and left."""
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    return service.run_ids[0]


def test_the_next_apply_records_how_it_ended(project: Project, service: FakeService, left: str) -> None:
    service.finish(left)
    project.apply()
    (entry,) = project.output()
    assert (entry["status"], entry["samples_completed"], entry["total_cost"]) == ("SUCCEEDED", 10, 0.5)
    assert len(entry["files"]) == 3
    assert "No changes." in project.apply().stdout


def test_that_it_failed_stands_in_the_plan(project: Project, service: FakeService, left: str) -> None:
    service.finish(left, "FAILED")
    assert "FAILED" in project.apply().stdout
    assert project.output()[0]["status"] == "FAILED"
    project.apply("--strict", code=7)


def test_where_nobody_waits_it_is_looked_at_once(project: Project, service: FakeService, left: str) -> None:
    project.apply("--no-wait")
    assert project.output()[0]["status"] == "PROCESSING"
    service.finish(left)
    project.apply("--no-wait")
    assert project.output()[0]["status"] == "SUCCEEDED"
    assert len(service.creates) == 1


def test_refresh_brings_the_files_as_well(project: Project, service: FakeService, left: str) -> None:
    project.expect(0, "refresh")
    service.finish(left)
    project.expect(0, "refresh")
    (entry,) = project.output()
    assert entry["status"] == "SUCCEEDED"
    assert len(entry["files"]) == 3


def test_a_reader_that_goes_away_ends_nothing(project: Project, service: FakeService) -> None:
    project.declare(*(run(f"r{n}", 10 + n) for n in range(5)))
    process = project.start("apply", "--auto-approve")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        err = process.stderr.read()
    assert process.wait(timeout=60) == 0, err
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert len(project.output()) == 5
    assert {entry["status"] for entry in project.output()} == {"SUCCEEDED"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_under_standard_output_is_told(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            project.command("apply", "--auto-approve"), cwd=project.elsewhere, env=project.environment(), stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert [entry["run_id"] for entry in project.output()] == service.run_ids
