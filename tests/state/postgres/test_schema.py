"""The tables: made once, upgraded in transactions, refused where they are newer or not ours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from state.errors import (
    StateBoundElsewhere,
    StateCorrupt,
    StateError,
    StateMissing,
    StateNewer,
    StateOutdated,
    StateUnreadable,
)
from state.postgres import migrations
from state.postgres.store import PostgresStore, open_postgres
from state.records import RECORD_TYPES, JournalRecord, Phase
from state.rows import columns
from state.writes import Put
from tests.postgres.server import Server
from tests.state.samples import URL, attempt, instance


def execute(database: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def make(database: str) -> None:
    open_postgres(database, base_url=URL, create=True).close()


def test_the_columns_are_the_fields_of_the_records(database: str) -> None:
    make(database)
    for kind in (*RECORD_TYPES, JournalRecord):
        table = "journal" if kind is JournalRecord else kind.table  # type: ignore[union-attr]
        found = execute(
            database,
            f"SELECT column_name FROM information_schema.columns WHERE table_schema = 'reconciler'"
            f" AND table_name = '{table}' ORDER BY ordinal_position",
        )
        own = [
            name
            for (name,) in found
            if name not in ("workspace", "server") and (kind is JournalRecord or name != "seq")
        ]
        assert own == list(columns(kind)), table


def test_opening_again_changes_nothing(database: str) -> None:
    with_one = open_postgres(database, base_url=URL, create=True)
    lineage = with_one.meta().lineage
    with_one.close()
    again = open_postgres(database, base_url=URL, create=True)
    assert again.meta().lineage == lineage
    again.close()
    applied = [(number, "team") for number in range(1, len(migrations.MIGRATIONS) + 1)]
    assert execute(database, "SELECT number, applied_by FROM reconciler.migrations") == applied


def test_many_that_make_it_at_once_make_one(database: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: open_postgres(database, base_url=URL, create=True), range(8)))
    assert len({store.meta().lineage for store in stores}) == 1
    for store in stores:
        store.close()


def test_a_migration_that_fails_leaves_nothing(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, "SELECT 1 / 0"))
    with pytest.raises(StateError):
        make(database)
    assert execute(database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'reconciler'") == [(0,)]


def test_an_older_schema_is_upgraded_by_who_may_and_told_to_who_reads(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_postgres(database, base_url=URL, create=True)
    store.commit([Put(attempt()), Put(instance("run.x"))])
    store.close()
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, "CREATE TABLE reconciler.more (x integer)"))
    for module in ("access", "store"):
        monkeypatch.setattr(f"state.postgres.{module}.SCHEMA_VERSION", len(migrations.MIGRATIONS))
    with pytest.raises(StateOutdated, match=f"version {len(migrations.MIGRATIONS) - 1}"):
        open_postgres(database, base_url=URL, read_only=True)
    store = open_postgres(database, base_url=URL)
    assert set(store.snapshot().instances) == {"run.x"}
    store.close()
    assert execute(database, "SELECT count(*) FROM reconciler.more") == [(0,)]


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("INSERT INTO reconciler.migrations VALUES (4, now(), 'x'), (5, now(), 'x')", StateNewer),
        ("INSERT INTO reconciler.migrations VALUES (5, now(), 'x')", StateCorrupt),
        ("ALTER TABLE reconciler.attempts RENAME TO other", StateCorrupt),
        ("ALTER TABLE reconciler.workspaces RENAME COLUMN lineage TO other", StateCorrupt),
        ("DROP SCHEMA reconciler CASCADE", StateMissing),
    ],
)
def test_refused(database: str, damage: str, expected: type[StateError], read_only: bool) -> None:
    make(database)
    execute(database, damage)
    with pytest.raises(expected):
        open_postgres(database, base_url=URL, read_only=read_only).snapshot()


def test_another_service_is_refused(database: str) -> None:
    make(database)
    with pytest.raises(StateBoundElsewhere, match="another service"):
        open_postgres(database, base_url="https://other.example")


def test_a_missing_workspace_is_told_with_those_that_are_there(database: str) -> None:
    for name in ("search", "ads/production"):
        open_postgres(database, base_url=URL, workspace=name, create=True).close()
    with pytest.raises(StateMissing, match="no workspace serach here: it has ads/production, search"):
        open_postgres(database, base_url=URL, workspace="serach")


def test_workspaces_know_nothing_of_each_other(database: str) -> None:
    def workspace(name: str) -> PostgresStore:
        return open_postgres(f"{database}?workspace={name}", base_url=URL, create=True)

    one, other = workspace("one"), workspace("other")
    bought = attempt(phase=Phase.ACCEPTED, run_id="r1")
    one.commit([Put(bought), Put(instance("run.x", "a1"))])
    assert other.snapshot().instances == {}
    assert other.attempts() == other.attempts_of_runs(["r1"]) == other.newest_runs(5) == other.journal() == []
    assert (one.meta().serial, other.meta().serial) == (1, 0)
    assert one.meta().lineage != other.meta().lineage
    assert other.recorded_elsewhere(["r1", "r2"]) == {"r1": "one"}
    assert one.recorded_elsewhere(["r1"]) == {}
    with one.lock("apply"), other.lock("apply"):
        other.commit([Put(bought)])  # the same ids are other rows
    assert other.attempts_of_runs(["r1"]) == [bought]
    one.close()
    other.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM reconciler.attempts",
        "TRUNCATE reconciler.attempts CASCADE",
        "UPDATE reconciler.attempts SET run_id = 'r2'",
    ],
)
def test_other_programs_can_not_lose_a_run(database: str, sql: str) -> None:
    store = open_postgres(database, base_url=URL, create=True)
    store.commit([Put(attempt(phase=Phase.ACCEPTED, run_id="r1"))])
    with pytest.raises(psycopg.Error, match="attempt"):
        execute(database, sql)
    assert [one.run_id for one in store.attempts()] == ["r1"]
    store.close()


def test_the_view_for_people(database: str) -> None:
    store = open_postgres(database, base_url=URL, create=True)
    store.commit([Put(attempt(phase=Phase.ACCEPTED, run_id="r1", status="FAILED")), Put(instance("run.x", "a1"))])
    store.close()
    assert execute(database, "SELECT workspace, address, run_id, status FROM reconciler.current_runs") == [
        ("default", "run.x", "r1", "FAILED")
    ]


def test_a_database_in_another_encoding_is_refused(postgres: Server) -> None:
    name = postgres.create_database("ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        with pytest.raises(StateUnreadable, match="LATIN1"):
            open_postgres(postgres.url(name, user="team"), base_url=URL, create=True)
        assert execute(postgres.url(name), "SELECT count(*) FROM pg_namespace WHERE nspname = 'reconciler'") == [(0,)]
    finally:
        postgres.drop_database(name)


def test_a_nul_which_no_text_of_a_database_can_hold_becomes_its_symbol(database: str) -> None:
    store = open_postgres(database, base_url=URL, create=True)
    store.commit([Put(attempt(note="a\0b", sent_json='{"seed":"\\u0000"}'))])
    (found,) = store.attempts()
    assert (found.note, found.sent_json) == ("a\u2400b", '{"seed":"\\u0000"}')
    store.close()
