"""A state in PostgreSQL, as its users see it: workspaces, passwords, errors, a server that comes and goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psycopg
import pytest

from state.postgres.store import open_postgres
from tests.acceptance.project import Project, run, said
from tests.postgres.server import Server, build_url
from tests.service import FakeService

PASSWORD = "hunter2-correct-horse"


@pytest.fixture
def project(project: Project, database: str) -> Project:
    project.env["RECONCILER_STATE_URL"] = database
    return project


def in_file(project: Project, database: str, *declarations: str, workspace: str | None = None) -> None:
    """Name the state in the configuration."""
    project.env.pop("RECONCILER_STATE_URL", None)
    named = f'\nworkspace = "{workspace}"' if workspace else ""
    project.declare(f'[state]\nurl = "{database}"{named}\n', *declarations)


def text(project: Project) -> str:
    """What a plan says to people."""
    return project.expect(0, "plan").stdout


def rows(database: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(sql.encode()).fetchall()


def test_from_nothing_to_no_changes(project: Project, service: FakeService, database: str) -> None:
    in_file(project, database, run("a"), run("b"), workspace="search/prod")
    assert "1 to create" not in text(project)
    project.apply()
    assert "No changes. 2 runs are as declared" in text(project)
    assert len(service.creates) == 2
    found = rows(database, "SELECT workspace, address, status FROM reconciler.current_runs ORDER BY address")
    assert found == [("search/prod", "run.a", "SUCCEEDED"), ("search/prod", "run.b", "SUCCEEDED")]
    assert not (project.root / ".reconciler" / "state.db").exists()


def test_a_plan_writes_nothing_and_makes_nothing(project: Project, database: str) -> None:
    project.declare(run("a"))
    assert "no state yet" in said(project.run("plan"))
    assert rows(database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'reconciler'") == [(0,)]


def test_two_projects_share_a_database_not_a_state(project: Project, service: FakeService, database: str) -> None:
    in_file(project, database, run("a"), workspace="one")
    project.apply()
    in_file(project, database, run("a", 20), workspace="two")
    assert "1 to create" in text(project)
    project.apply()
    assert len(service.creates) == 2
    in_file(project, database, run("a"), workspace="one")
    assert "No changes" in text(project)


def test_a_mistyped_workspace_buys_nothing_again(project: Project, service: FakeService, database: str) -> None:
    in_file(project, database, run("a"), workspace="search")
    project.apply()
    in_file(project, database, run("a"), workspace="serach")
    told = said(project.run("plan"))
    assert "The database has other workspaces: search. Is the name right?" in told
    assert "not recorded would do" in told
    for command in ("show", "output"):
        shown = project.expect(0, command, "--json")
        assert "other workspaces: search" in shown.stderr
        assert not json.loads(shown.stdout)
    project.apply(code=1)
    open_postgres(database, base_url=service.url, workspace="serach", create=True).close()  # somebody made it meanwhile
    assert "recorded in workspace search of the same database" in said(project.run("plan"))
    project.apply(code=1)
    assert len(service.creates) == 1


def test_a_project_that_forgot_its_workspace_ends_nothing_of_another_one(
    project: Project, service: FakeService, database: str
) -> None:
    in_file(project, database, run("theirs"))
    project.apply()
    in_file(project, database, run("renamed", 12))
    assert "1 to create, 1 to forget" in text(project)  # it is theirs, whatever they declare
    project.root = project.root.rename(project.folder / "other")
    in_file(project, database, run("ours", 20))
    for command in (["plan"], ["apply", "--auto-approve", "--prune"]):
        told = said(project.expect(1, *command))
        assert "1 run(s) of project project, and this project, other, declares none of them" in told
        assert 'workspace = "NAME"' in told
    assert len(service.creates) == 1
    in_file(project, database, run("ours", 20), workspace="default")  # it is ours, they say
    assert "1 to forget" in text(project)


def test_another_run_of_another_workspace_is_nobodys_loss(
    project: Project, own_server: Server, service: FakeService
) -> None:
    database = own_server.url(own_server.create_database(), user="team")
    in_file(project, database, run("first", 5), workspace="one")
    project.apply()
    in_file(project, database, run("a"), workspace="two")
    project.apply()
    own_server.restart()  # now the state is looked at like one that was put back
    in_file(project, database, run("first", 5), run("a"), workspace="one")
    assert "1 to create" in text(project)
    project.apply()
    assert len(service.creates) == 3


def test_a_consent_outlives_a_restart(project: Project, own_server: Server, service: FakeService) -> None:
    database = own_server.url(own_server.create_database(), user="team")
    in_file(project, database, run("a"), workspace="old")
    project.apply()
    own_server.execute("DROP SCHEMA reconciler CASCADE", database.rpartition("/")[2])
    for made in service.run_ids:
        service.runs[made].created_at = "2026-03-01T08:00:00Z"  # long before the consent
    in_file(project, database, run("a"), workspace="new")
    assert "not recorded would do" in said(project.run("plan"))
    project.expect(0, "init", "--fresh")
    project.apply()
    assert len(service.creates) == 2
    own_server.restart()
    in_file(project, database, run("a", lifecycle={"rerun": 1}), workspace="new")
    assert "1 to replace" in text(project)
    project.apply()
    assert len(service.creates) == 3


def test_a_server_set_back_to_yesterday_buys_nothing_again(
    project: Project, own_server: Server, service: FakeService
) -> None:
    database = own_server.url(own_server.create_database(), user="team")
    in_file(project, database, run("a"))
    project.apply()
    yesterday = own_server.copy()
    in_file(project, database, run("a"), run("b"))
    project.apply()
    own_server.restore(yesterday)
    project.env["XDG_DATA_HOME"] = str(project.folder / "a fresh machine")
    told = said(project.run("plan"))
    assert "not recorded would do" in told
    assert service.run_ids[1] in told
    assert project.run("apply", "--auto-approve").returncode == 1
    assert len(service.creates) == 2
    assert "is adopted" in said(project.expect(0, "import", "--match"))
    assert "No changes. 2 runs" in text(project)


@pytest.mark.parametrize("command", [["plan"], ["apply", "--auto-approve"], ["refresh"]])
def test_a_server_that_is_away_is_an_error_in_words(project: Project, service: FakeService, command: list[str]) -> None:
    project.declare(run("a"))
    url = build_url("127.0.0.1", 1, "runs", "ada", PASSWORD)
    done = project.run(*command, env={"RECONCILER_STATE_URL": url})
    assert done.returncode == 1
    assert "can't be reached" in said(done)
    assert "postgresql://ada@127.0.0.1:1/runs, workspace default" in said(done)
    assert PASSWORD not in said(done)
    assert "Traceback" not in said(done)
    assert service.creates == []


def test_passwords(project: Project, postgres: Server, database: str) -> None:
    role = postgres.role(f"guarded_{os.getpid()}_{database.rpartition('_')[2]}", PASSWORD)
    name = database.rpartition("/")[2]
    postgres.execute(f"GRANT CREATE ON DATABASE {name} TO {role}")
    url = postgres.url(name, role)
    in_file(project, url, run("a"))
    for env, code in (({}, 1), ({"PGPASSWORD": "wrong-" + PASSWORD}, 1), ({"PGPASSWORD": PASSWORD}, 0)):
        done = project.run("apply", "--auto-approve", env=env)
        assert done.returncode == code, said(done)
        assert PASSWORD not in said(done)
        assert ("does not let us in" in said(done)) is (code == 1)
    with_password = postgres.url(name, role, PASSWORD)
    assert "No changes" in project.expect(0, "plan", env={"RECONCILER_STATE_URL": with_password}).stdout
    project.write("reconciler.toml", (project.root / "reconciler.toml").read_text().replace(url, with_password))
    told = said(project.expect(1, "plan"))
    assert "must be a reference" in told
    assert PASSWORD not in told
    in_file(project, url, run("a"))
    told = said(project.expect(1, "--state", with_password, "plan"))
    assert "PGPASSWORD" in told
    assert PASSWORD not in told


def test_without_its_driver(project: Project, database: str) -> None:
    project.declare(run("a"))
    code = "import sys; sys.modules['psycopg'] = None; from reconciler.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "-C", str(project.root), "plan"],
        env=project.environment(), cwd=project.elsewhere, capture_output=True, text=True, timeout=40, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "pip install 'reconciler[postgres]'" in done.stderr


def test_ctrl_c_at_a_server_that_hangs_leaves(project: Project, own_server: Server) -> None:
    database = own_server.url(own_server.create_database(), user="team")
    in_file(project, database, run("a"))
    project.apply()
    own_server.freeze()
    process = project.start("plan")
    try:
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        own_server.thaw()
    assert process.returncode in (1, 130), err
    assert "Traceback" not in err


def test_a_state_whose_variable_is_empty_is_no_other_state(project: Project, service: FakeService) -> None:
    project.env.pop("RECONCILER_STATE_URL")
    project.declare(run("a"))
    assert "--state is empty" in said(project.expect(1, "--state", "", "apply", "--auto-approve"))
    empty = {"RECONCILER_STATE_URL": ""}
    assert "RECONCILER_STATE_URL is empty" in said(project.expect(1, "apply", "--auto-approve", env=empty))
    assert service.creates == []
