"""The ways to log in that docs/scale.md names: libpq's own, so nothing secret stands in a project's files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.project import Project, run, said
from tests.postgres.server import Server
from tests.service import FakeService

PASSWORD = "canary-pass word"


@pytest.fixture
def login(postgres: Server, project: Project) -> Iterator[str]:
    """The URL of a database of a role that needs a password, without it."""
    role = postgres.role("runner", PASSWORD)
    name = postgres.create_database(owner=role)
    project.declare(run("a"))
    yield postgres.url(name, user=role, workspace="search")
    postgres.drop_database(name)
    postgres.execute(f"DROP ROLE {role}")


def pgpass(project: Project, mode: int = 0o600) -> None:
    path = project.home / ".pgpass"
    path.write_text(f"127.0.0.1:*:*:runner:{PASSWORD}\n")
    path.chmod(mode)


def with_password(url: str) -> str:
    return url.replace("runner@", f"runner:{PASSWORD.replace(' ', '%20')}@")


def test_by_the_environment(project: Project, login: str, service: FakeService) -> None:
    told = said(project.expect(1, "--state", login, "apply", "--auto-approve"))
    assert "does not let us in" in told
    project.apply(env={"RECONCILER_STATE_URL": login, "PGPASSWORD": PASSWORD})
    told = said(project.apply(env={"RECONCILER_STATE_URL": login, "PGPASSWORD": "wrong"}, code=1))
    assert "password authentication failed" in told
    told = said(project.apply(env={"RECONCILER_STATE_URL": with_password(login)}))
    assert "canary" not in told
    assert len(service.creates) == 1


def test_by_a_password_file(project: Project, login: str, service: FakeService) -> None:
    pgpass(project)
    project.expect(0, "--state", login, "apply", "--auto-approve")
    assert len(service.creates) == 1


def test_by_a_service_file(project: Project, login: str, service: FakeService) -> None:
    pgpass(project)
    host, _, rest = login.partition("@")[2].partition("/")
    address, _, port = host.partition(":")
    lines = ["[team]", f"host={address}", f"port={port}", f"dbname={rest.partition('?')[0]}", "user=runner"]
    (project.home / ".pg_service.conf").write_text("\n".join(lines) + "\n")
    project.write("reconciler.toml", _with_state(project, 'url = "postgresql:///?service=team"\nworkspace = "search"'))
    project.apply()
    project.settled()
    assert len(service.creates) == 1


def test_by_a_variable_that_the_project_names(project: Project, login: str, service: FakeService) -> None:
    project.write("reconciler.toml", _with_state(project, 'url = { env = "TEAM_STATE" }'))
    project.apply(env={"TEAM_STATE": with_password(login)})
    assert len(service.creates) == 1


def test_never_by_a_file_or_an_argument(project: Project, login: str, service: FakeService) -> None:
    told = said(project.expect(1, "--state", with_password(login), "apply", "--auto-approve"))
    project.write("reconciler.toml", _with_state(project, f'url = "{with_password(login)}"'))
    told += said(project.apply(code=1))
    assert "canary" not in told
    assert service.creates == []


def _with_state(project: Project, lines: str) -> str:
    return (project.root / "reconciler.toml").read_text() + f"\n[state]\n{lines}\n"
