"""Who is not let in, or may not write, is told so, and what to do; a server that is away is something else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from state.errors import StateError, StateOutdated, StateReadOnly, StateUnreachable, StateUnreadable
from state.postgres import migrations
from state.postgres.store import open_postgres
from tests.postgres.server import Server
from tests.state.samples import URL


@pytest.fixture
def name(postgres: Server) -> Iterator[str]:
    """A database that holds a state."""
    made = postgres.create_database()
    open_postgres(postgres.url(made, user="team"), base_url=URL, create=True).close()
    yield made
    postgres.drop_database(made)


@pytest.fixture
def role(postgres: Server) -> Iterator[str]:
    """A role with a password and without any rights."""
    made = postgres.role("guest", "s3cret")
    yield made
    postgres.execute(f"DROP ROLE {made}")


def refusal(url: str, kind: type[StateError], *, read_only: bool = False) -> str:
    with pytest.raises(kind) as caught:
        open_postgres(url, base_url=URL, create=not read_only, read_only=read_only)
    assert type(caught.value) is kind
    return str(caught.value)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_role_without_rights_on_the_schema(postgres: Server, name: str, role: str, read_only: bool) -> None:
    said = refusal(postgres.url(name, user=role, password="s3cret"), StateReadOnly, read_only=read_only)
    assert "permission denied for schema reconciler" in said
    assert "docs/scale.md" in said


def test_a_role_that_may_only_look_at_the_schema(postgres: Server, name: str, role: str) -> None:
    postgres.execute(f"GRANT USAGE ON SCHEMA reconciler TO {role}", name)
    said = refusal(postgres.url(name, user=role, password="s3cret"), StateReadOnly, read_only=True)
    assert "permission denied for table" in said
    postgres.execute(f"REVOKE USAGE ON SCHEMA reconciler FROM {role}", name)


def test_a_role_that_may_not_connect(postgres: Server, name: str, role: str) -> None:
    postgres.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    said = refusal(postgres.url(name, user=role, password="s3cret"), StateUnreadable)
    assert "permission denied for database" in said


def test_a_wrong_password_and_none(postgres: Server, name: str, role: str) -> None:
    assert "password authentication failed" in refusal(postgres.url(name, user=role, password="no"), StateUnreadable)
    assert "no password supplied" in refusal(postgres.url(name, user=role), StateUnreadable)


def test_a_role_and_a_database_that_do_not_exist(postgres: Server, name: str) -> None:
    assert 'role "nobody" does not exist' in refusal(postgres.url(name, user="nobody"), StateUnreadable)
    assert 'database "nowhere" does not exist' in refusal(postgres.url("nowhere", user="team"), StateUnreadable)


def test_a_server_that_is_away(postgres: Server) -> None:
    away = postgres.url("any", user="team").replace(f":{postgres.port}/", ":1/")
    assert "Check host, network and server" in refusal(away, StateUnreachable)


@pytest.mark.parametrize(
    "query", [{"sslmode": "require"}, {"sslmode": "verify-full", "sslrootcert": "/nowhere/root.crt"}]
)
def test_a_connection_that_can_not_be_trusted(postgres: Server, name: str, query: dict[str, str]) -> None:
    said = refusal(postgres.url(name, user="team", **query), StateUnreadable)
    assert "sslrootcert" in said


@pytest.mark.parametrize("read_only", [False, True])
def test_a_role_that_may_write_and_not_upgrade(
    postgres: Server, name: str, role: str, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    postgres.execute(f"GRANT USAGE ON SCHEMA reconciler TO {role}", name)
    postgres.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA reconciler TO {role}", name)
    more = "ALTER TABLE reconciler.specs ADD COLUMN more text"
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, more))
    monkeypatch.setattr("state.postgres.access.SCHEMA_VERSION", len(migrations.MIGRATIONS))
    said = refusal(postgres.url(name, user=role, password="s3cret"), StateOutdated, read_only=read_only)
    assert "the role that owns the schema" in said
    done = postgres.execute("SELECT count(*) FROM reconciler.migrations", name)
    assert done == [(len(migrations.MIGRATIONS) - 1,)]
    postgres.execute(f"DROP OWNED BY {role}", name)


def test_an_owner_needs_no_right_on_the_database_where_the_schema_was_made_for_it(postgres: Server) -> None:
    name = postgres.create_database(owner="postgres")
    postgres.execute("CREATE SCHEMA reconciler AUTHORIZATION team", name)
    open_postgres(postgres.url(name, user="team"), base_url=URL, create=True).close()
    with psycopg.connect(postgres.url(name, user="team")) as connection, pytest.raises(psycopg.Error):
        connection.execute("CREATE SCHEMA another")
    postgres.drop_database(name)


def test_a_database_without_tables_and_a_role_that_may_make_none(postgres: Server, role: str) -> None:
    name = postgres.create_database()
    said = refusal(postgres.url(name, user=role, password="s3cret"), StateOutdated)
    assert f"role {role} may not" in said
    assert "reconciler init --fresh" in said
    postgres.drop_database(name)


def test_a_server_whose_advisory_locks_are_none(postgres: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """CockroachDB's say yes and do nothing; YugabyteDB's do so where they are silenced."""
    granting = "SELECT true, w.breaks FROM reconciler.workspaces AS w WHERE w.workspace = %s"
    monkeypatch.setattr("state.postgres.advisory._TRY_SQL", granting)
    store = open_postgres(postgres.url(name, user="team"), base_url=URL)
    with pytest.raises(StateUnreadable, match="knows of none"), store.lock("apply"):
        pytest.fail("locked")
    store.close()


def test_a_server_whose_advisory_locks_are_none_gives_no_lead(
    postgres: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_postgres(postgres.url(name, user="team"), base_url=URL)) as store:
        monkeypatch.setattr("state.postgres.lead._TRY_SQL", "SELECT true WHERE %s > 0")
        with pytest.raises(StateUnreadable, match="knows of no lock"):
            store.lead()
