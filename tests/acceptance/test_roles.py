"""The roles of docs/scale.md, made by the SQL of that page: who may do what, and what the others are told."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

import psycopg
import pytest

from tests.acceptance.project import ROOT, Project, run, said
from tests.postgres.binaries import asked_for, programs, run_as_server
from tests.postgres.folder import shared_folder
from tests.postgres.server import Server
from tests.service import FakeService

PAGE = (ROOT / "docs" / "scale.md").read_text("utf-8")
_RANDOM = re.compile(r"^\\(un)?restrict .*$", re.MULTILINE)  # a guard that newer versions of pg_dump write


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


REFUSED = (
    "DELETE FROM reconciler.attempts",
    "TRUNCATE reconciler.attempts CASCADE",
    "DELETE FROM reconciler.journal",
    "DELETE FROM reconciler.events",
    "INSERT INTO reconciler.migrations VALUES (99, now(), 'x')",
    "DROP TABLE reconciler.journal CASCADE",
    "ALTER TABLE reconciler.attempts DISABLE TRIGGER ALL",
    "CREATE TABLE reconciler.more (x integer)",
    "CREATE TABLE public.more (x integer)",
    "CREATE TEMPORARY TABLE more (x integer)",
    "CREATE SCHEMA more",
)


class Company:
    """A server with the page's database and roles on it, and what an administrator does there."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.bin = programs(asked_for(), shared_folder()).bin

    def psql(self, role: str, sql: str, database: str = "reconciler") -> None:
        words = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", self.server.url(database, user=role))
        run_as_server(self.bin / "psql", *words, folder=self.server.folder, text=sql)

    def url(self, role: str, workspace: str = "search") -> str:
        return self.server.url("reconciler", user=role, workspace=workspace)

    def dump(self) -> str:
        words = ("-n", "reconciler", self.server.url("reconciler"))
        return _RANDOM.sub("", run_as_server(self.bin / "pg_dump", *words, folder=self.server.folder))


@pytest.fixture
def company(own_server: Server, project: Project) -> Company:
    """As the page says, by an administrator like those of managed services, who is no superuser."""
    made = Company(own_server)
    own_server.role("admin", options="CREATEDB CREATEROLE")
    first, second = blocks("sql")
    made.psql("admin", first, "postgres")
    project.declare(run("a"))
    (command,) = [block for block in blocks("sh") if "init --fresh" in block]
    words = shlex.split(command.replace("db.example.com", f"127.0.0.1:{own_server.port}"))
    assert "Next: " in project.expect(0, *words[1:]).stdout
    made.psql("reconciler_owner", second)
    return made


def test_a_user_applies_and_makes_workspaces(company: Company, project: Project, service: FakeService) -> None:
    for workspace in ("search", "ads/production"):
        project.env["RECONCILER_STATE_URL"] = company.url("ci", workspace)
        project.declare(run("a"))
        project.expect(0, "init", "--fresh")
        project.apply("--no-wait")
        project.expect(0, "refresh")
        project.declare(run("b", 20))
        project.apply("--prune")
        project.settled()
    assert len(service.creates) == 4
    with psycopg.connect(company.server.url("reconciler", user="ci"), autocommit=True) as connection:
        for sql in REFUSED:
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName)):
                connection.execute(sql.encode())


def test_a_reader_plans_and_writes_not_a_byte(company: Company, project: Project, service: FakeService) -> None:
    project.env["RECONCILER_STATE_URL"] = company.url("ci")
    project.apply()
    project.declare(run("a"), run("b", 20))
    before, bought = company.dump(), len(service.creates)
    project.env["RECONCILER_STATE_URL"] = company.url("ada")
    assert "run.b" in project.expect(2, "plan", "--detailed-exitcode").stdout
    assert project.plan().decision("run.b")[0] == "create"
    assert "run.a" in project.expect(0, "show").stdout
    assert [row["address"] for row in project.output()] == ["run.a"]
    for command in (("apply", "--auto-approve"), ("refresh",), ("resolve", "run.a", "--abandon")):
        told = said(project.expect(1, *command))
        assert "Role ada may read the state, not write to it" in told
        assert "docs/scale.md" in told
    assert company.dump() == before
    assert len(service.creates) == bought
    with psycopg.connect(company.server.url("reconciler", user="ada")) as connection:
        rows = connection.execute("SELECT workspace, address, status FROM reconciler.current_runs").fetchall()
        assert rows == [("search", "run.a", "SUCCEEDED")]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE reconciler.attempts SET note = 'x'")


@pytest.mark.parametrize("role", ["ci", "ada"])
def test_older_tables_wait_for_their_owner(company: Company, project: Project, service: FakeService, role: str) -> None:
    company.psql("reconciler_owner", "DELETE FROM reconciler.migrations")
    before = company.dump()
    told = said(project.expect(1, "--state", company.url(role), "apply", "--auto-approve"))
    assert "the role that owns the schema" in told
    assert (service.creates, company.dump()) == ([], before)


def test_a_dump_that_lacks_a_run_is_put_back(company: Company, project: Project, service: FakeService) -> None:
    (block,) = [block for block in blocks("sh") if "pg_dump" in block]
    dump, *restore = block.replace("db.example.com", "127.0.0.1").strip().splitlines()
    env = {"PATH": f"{company.bin}:{os.environ['PATH']}", "PGPORT": str(company.server.port), "PGUSER": "admin"}

    def shell(line: str) -> None:
        subprocess.run(line, shell=True, check=True, env=env, cwd=project.elsewhere)

    project.env["RECONCILER_STATE_URL"] = company.url("ci")
    project.apply()
    shell(dump)
    project.declare(run("a"), run("b", 20))
    project.apply()
    (lost,) = [made for made in service.run_ids if service.runs[made].samples == 20]
    for line in restore:
        shell(line)
    copied = company.url("ci").replace("/reconciler?", "/reconciler_copy?")
    project.env |= {"RECONCILER_STATE_URL": copied, "XDG_DATA_HOME": str(project.folder / "another machine")}
    for command in (("plan",), ("apply", "--auto-approve")):
        told = said(project.expect(1, *command))
        assert lost in told
        assert "import --match" in told
    project.expect(0, "import", "--match")
    project.settled()
    assert len(service.creates) == 2
    project.env["RECONCILER_STATE_URL"] = copied.replace("ci@", "ada@")
    project.settled()


def test_a_reader_pulls_a_state_and_only_the_owner_pushes_one(
    company: Company, project: Project, service: FakeService
) -> None:
    project.env["RECONCILER_STATE_URL"] = company.url("ci")
    project.apply()
    pulled = str(project.folder / "pulled")
    project.expect(0, "--state", company.url("ada"), "state", "pull", "--out", pulled)
    told = said(project.expect(1, "--state", company.url("ci", "copy"), "state", "push", pulled))
    assert "docs/scale.md" in told
    project.expect(0, "--state", company.url("reconciler_owner", "copy"), "state", "push", pulled)
    project.env["RECONCILER_STATE_URL"] = company.url("ci", "copy")
    project.settled()
    assert len(service.creates) == 1
