"""The state: private, locked while submitting, bound to its service, readable with any SQLite tool."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from tests.acceptance.project import Project, run, said
from tests.service import FakeService


def database(project: Project) -> Path:
    return project.root / ".reconciler" / "state.db"


def test_folder_and_files_are_private(project: Project) -> None:
    project.declare(run("a"))
    project.apply()
    folder = database(project).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert database(project) in files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_any_sqlite_tool_reads_the_current_runs(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    with closing(sqlite3.connect(f"file:{database(project)}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        views = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
        rows = [str(tuple(row)) for view in views for row in connection.execute(f'SELECT * FROM "{view}"')]
    (run_id,) = service.run_ids
    assert any("run.a" in row and run_id in row and "SUCCEEDED" in row for row in rows)


def test_the_serial_rises_with_decisions_alone(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    first = project.plan().json
    project.apply()
    project.expect(0, "refresh")
    second = project.plan().json
    assert (first["lineage"], first["serial"]) == (second["lineage"], second["serial"])
    project.declare(run("a", 11))
    project.apply()
    assert project.plan().json["serial"] > first["serial"]
    assert project.plan().json["lineage"] == first["lineage"]


def test_a_second_apply_is_locked_out_while_the_first_submits(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    with service.creates_held():
        process = project.start("apply", "--auto-approve")
        service.wait_for(lambda: len(service.creates) == 1)
        told = said(project.apply("--lock-timeout", "0s", code=5))
        assert str(process.pid) in told
        planned = project.run("plan")
        assert planned.returncode == 0, said(planned)
        assert str(process.pid) in said(planned)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, out + err
    assert len(service.creates) == 1


def test_while_following_the_lock_is_free(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"))
    process = project.start("apply", "--auto-approve")
    service.wait_for(lambda: len(service.requests) > 0 and len(service.runs) == 1)
    project.declare(run("a"), run("b", 11))
    project.apply("--no-wait", "--lock-timeout", "5s")
    assert sorted(body["number_of_samples"] for body in service.bodies) == [10, 11]
    for run_id in service.run_ids:
        service.finish(run_id)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, out + err


def test_a_state_is_bound_to_its_service(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    with FakeService() as another:
        project.url = another.url
        project.declare(run("a"), run("b", 11))
        told = said(project.apply(code=1))
        assert service.url in told
        assert another.requests == []
    assert len(service.creates) == 1


def test_a_corrupt_state_is_refused_untouched(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    broken = b"this is no database, " * 500
    database(project).write_bytes(broken)
    for extra in ("state.db-wal", "state.db-shm"):
        (database(project).parent / extra).unlink(missing_ok=True)
    project.apply(code=1)
    assert database(project).read_bytes() == broken
    assert len(service.creates) == 1


def test_the_state_can_be_put_elsewhere(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    elsewhere = project.folder / "kept" / "runs.db"
    project.expect(0, "--state", f"sqlite:///{elsewhere}", "apply", "--auto-approve")
    assert elsewhere.exists()
    assert not database(project).exists()
    project.expect(0, "plan", "--detailed-exitcode", env={"RECONCILER_STATE_URL": f"sqlite:///{elsewhere}"})
    assert len(service.creates) == 1
