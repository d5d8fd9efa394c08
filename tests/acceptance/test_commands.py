"""The smaller commands: refresh, show, output, version, init."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.acceptance.project import ROOT, Plan, Project, run, said
from tests.service import KEY, LETTERS, TICKETS, FakeService


def test_refresh_records_and_changes_nothing_on_the_service(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"), run("b", 11))
    project.apply("--no-wait")
    service.finish(service.run_of(10).id, "SUCCEEDED", completed=9, failed=1)
    asked = len(service.requests)
    project.expect(0, "refresh")
    assert {request.method for request in service.requests[asked:]} == {"GET"}
    service.stop()
    recorded = {entry["address"]: entry for entry in project.output()}
    assert recorded["run.a"]["status"] == "SUCCEEDED"
    assert recorded["run.b"]["status"] in ("PENDING", "PROCESSING")


def test_output_lists_what_was_made(project: Project, service: FakeService) -> None:
    project.declare(run("a"), run("b", 11, spec="letters", spec_version=2))
    project.apply()
    service.stop()
    first, second = sorted(project.output(), key=lambda entry: str(entry["address"]))
    assert {name: first[name] for name in first if name != "files"} == {
        "address": "run.a",
        "run_id": service.run_of(10).id,
        "status": "SUCCEEDED",
        "samples_completed": 10,
        "samples_failed": 0,
        "total_cost": 0.5,
        "spec_id": TICKETS,
        "spec_version": 3,
    }
    assert len(first["files"]) == 3
    assert "sample_1.txt" in json.dumps(first["files"])
    assert (second["spec_id"], second["spec_version"]) == (LETTERS, 2)
    assert [entry["address"] for entry in project.output("run.b")] == ["run.b"]
    assert second["run_id"] in project.expect(0, "output").stdout
    assert "run.a" in said(project.expect(1, "output", "run.nobody"))


def test_show_prints_the_state(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    service.stop()
    (run_id,) = service.run_ids
    shown = project.expect(0, "show").stdout
    for part in ("run.a", run_id, "SUCCEEDED"):
        assert part in shown
    assert run_id in json.dumps(json.loads(project.expect(0, "show", "--json").stdout))


def test_commands_that_read_make_no_state(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    assert project.output() == []
    project.expect(0, "show")
    assert not (project.root / ".reconciler").exists()
    assert service.requests == []


def test_version_needs_no_project(project: Project) -> None:
    text = project.expect(0, "version").stdout
    found = json.loads(project.expect(0, "version", "--json").stdout)
    assert found["version"] in text
    assert f'__version__ = "{found["version"]}"' in (ROOT / "reconciler" / "__init__.py").read_text()


def test_init_writes_a_project_that_validates(project: Project, service: FakeService) -> None:
    project.expect(0, "init")
    written = (project.root / "reconciler.toml").read_text()
    assert "#" in written
    assert ".reconciler/" in (project.root / ".gitignore").read_text().splitlines()
    project.expect(0, "validate")
    assert service.requests == []


def test_init_overwrites_nothing(project: Project) -> None:
    project.declare(run("a"))
    project.write(".gitignore", "*.pyc")
    before = (project.root / "reconciler.toml").read_bytes()
    project.run("init")
    assert (project.root / "reconciler.toml").read_bytes() == before
    assert (project.root / ".gitignore").read_text().splitlines() == ["*.pyc", ".reconciler/", "outputs/", "*.plan"]
    project.run("init")
    assert (project.root / ".gitignore").read_text().splitlines() == ["*.pyc", ".reconciler/", "outputs/", "*.plan"]


def test_quiet_and_verbose_do_not_change_what_json_says(project: Project) -> None:
    project.declare(run("a"))
    for flag in ("--quiet", "-v", "--no-color"):
        found = json.loads(project.expect(0, flag, "plan", "--json").stdout)
        assert found["summary"]["create"] == 1


def test_text_without_a_terminal_has_no_colour(project: Project) -> None:
    project.declare(run("a"))
    for command in (["plan"], ["apply", "--auto-approve"], ["show"], ["output"], ["--help"]):
        assert "\x1b" not in said(project.expect(0, *command, env={"NO_COLOR": None}))


def test_the_project_is_the_current_folder_without_c(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "plan", "--json"],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert Plan(json.loads(done.stdout)).decision("run.a") == ("create", ["create"])
    assert KEY not in said(done)
    assert service.creates == []
