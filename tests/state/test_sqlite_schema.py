"""Migrations, the tables, and the view that any SQLite tool can read."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from sqlite_utils import Database, Migrations

from state.records import RECORD_TYPES, JournalRecord, Phase, Record
from state.rows import columns, typed_columns
from state.sqlite import connection, migrations
from state.sqlite.connection import SCHEMA_VERSION
from state.sqlite.migrations import MIGRATIONS
from state.sqlite.queries import (
    ADDRESSES_SQL,
    BOUGHT_SQL,
    NEWEST_SQL,
    newest_attempts_sql,
    newest_events_sql,
)
from state.sqlite.store import SqliteStore, open_sqlite
from state.writes import Advance, Observe, Put
from tests.state.samples import T1, URL, attempt, instance, script

Opened = Callable[..., SqliteStore]


@pytest.fixture
def raw(path: Path, opened: Opened) -> Iterator[sqlite3.Connection]:
    """The standard library's view of a new state."""
    opened().close()
    with closing(sqlite3.connect(path)) as db:
        yield db


def test_migrations_are_recorded(raw: sqlite3.Connection) -> None:
    applied = raw.execute("SELECT migration_set, name FROM _sqlite_migrations").fetchall()
    names = ("0001_tables", "0002_marks_and_epoch", "0003_branch", "0004_consent")
    assert applied == [("reconciler.state", name) for name in names]
    assert raw.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert raw.execute("SELECT schema_version, serial, base_url FROM meta").fetchall() == [(SCHEMA_VERSION, 0, URL)]


def test_they_are_numbered_without_gaps(raw: sqlite3.Connection) -> None:
    names = [one.name for one in MIGRATIONS.applied(Database(raw))]
    assert [int(name[:4]) for name in names] == list(range(1, SCHEMA_VERSION + 1))
    assert MIGRATIONS.pending(Database(raw)) == []


def test_opening_again_changes_nothing(path: Path, opened: Opened) -> None:
    store = opened()
    before = store.meta()
    store.close()
    for _ in range(3):
        again = opened(create=False)
        assert again.meta() == before
        again.close()


@pytest.mark.parametrize(
    ("table", "kind"), [*((kind.table, kind) for kind in RECORD_TYPES), ("journal", JournalRecord)]
)
def test_columns_are_the_fields_in_order(
    raw: sqlite3.Connection, table: str, kind: type[Record | JournalRecord]
) -> None:
    found = raw.execute(f"SELECT name, \"notnull\" FROM pragma_table_info('{table}')").fetchall()
    assert tuple(name for name, _ in found) == columns(kind)
    optional = {name for name, annotation in typed_columns(kind) if "None" in annotation}
    nullable = {name for name, required in found if not required} - {"seq"}
    assert nullable == optional


def test_a_migration_that_fails_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Migrations("reconciler.state")

    @broken(name="0001_tables")
    def tables(db: Database) -> None:
        db.executescript("CREATE TABLE meta (x); CREATE TABLE nonsense (")

    monkeypatch.setattr(migrations, "MIGRATIONS", broken)
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as db:
        with pytest.raises(sqlite3.Error):
            migrations.migrate(Database(db), URL, T1)
        assert db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        assert db.execute("PRAGMA user_version").fetchone() == (0,)


def test_a_state_of_the_first_version_is_upgraded_when_it_is_opened_for_writing(path: Path, opened: Opened) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch(0o600)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        first = Migrations("reconciler.state")
        first(name="0001_tables")(lambda db: db.executescript(migrations._TABLES))
        first.apply(Database(db))
        db.execute("INSERT INTO meta VALUES (1, 1, 'the-lineage', 7, ?, ?)", (URL, T1))
        db.execute("INSERT INTO instances VALUES ('run.x', NULL, '{}', ?)", (T1,))
        db.execute("INSERT INTO applies (apply_id, command, started_at, user, host) VALUES ('p', 'apply', '', '', '')")
        db.execute("PRAGMA user_version = 1")
    store = opened(create=False)
    seen = store.snapshot()
    assert (seen.meta.schema_version, seen.meta.lineage, seen.meta.serial) == (SCHEMA_VERSION, "the-lineage", 7)
    assert (list(seen.instances), seen.marks) == (["run.x"], {})
    assert store.applies(["p"])["p"].git_branch is None
    with store.lock("apply"):
        assert store.commit([Put(instance())]) == 8


def test_the_file_of_a_creation_that_was_cut_short_is_finished(path: Path, opened: Opened) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch(0o600)
    assert opened().meta().serial == 0


def test_processes_may_create_it_at_once(path: Path) -> None:
    code = """
from pathlib import Path
from state.sqlite.store import open_sqlite
print(open_sqlite(Path(sys.argv[1]), base_url="u", create=True).meta().lineage)
"""
    processes = [subprocess.Popen(script(code, path), stdout=subprocess.PIPE, text=True) for _ in range(6)]
    lineages = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 6
    assert len(set(lineages)) == 1
    assert re.fullmatch(r"[0-9a-f-]{36}\n", lineages[0])


def test_current_runs_is_readable_with_any_tool(path: Path, opened: Opened) -> None:
    store = opened()
    store.commit([Put(instance()), Put(instance("run.y")), Put(attempt()), Put(attempt("a2", number=2))])
    store.commit([Advance("a2", Phase.ACCEPTED, T1, run_id="run-2")])
    store.commit([Observe("run-2", T1, status="SUCCEEDED", samples_completed=9, samples_failed=1, total_cost=1.5)])
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        rows = [dict(row) for row in db.execute("SELECT * FROM current_runs")]
    assert rows == [
        {
            "address": "run.x",
            "run_id": "run-2",
            "status": "SUCCEEDED",
            "samples_completed": 9,
            "samples_failed": 1,
            "total_cost": 1.5,
            "spec_id": "spec-1",
            "spec_version": None,
            "number": 2,
            "phase": "ACCEPTED",
            "provisional": 0,
            "imported": 0,
            "run_created_at": None,
            "run_completed_at": None,
            "gone_at": None,
        }
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM attempts",
        "UPDATE attempts SET run_id = NULL, phase = 'UNKNOWN'",
        "UPDATE attempts SET run_id = 'other'",
        "UPDATE attempts SET phase = 'SENT'",
        "UPDATE attempts SET attempt_id = NULL",
        "INSERT OR REPLACE INTO attempts SELECT * FROM attempts",
        "INSERT INTO meta SELECT 2, 1, 'l', 0, 'u', 'now', 0, ''",
    ],
)
def test_the_tables_defend_themselves_against_other_tools(path: Path, opened: Opened, sql: str) -> None:
    store = opened()
    store.commit([Put(attempt(phase=Phase.ACCEPTED, run_id="run-1"))])
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA recursive_triggers = 1")
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(sql)
        db.rollback()
    assert store.attempts() == [attempt(phase=Phase.ACCEPTED, run_id="run-1")]


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT * FROM attempts WHERE phase IN ('SENDING', 'UNKNOWN') OR provisional", "attempts_open"),
        ("SELECT * FROM owed WHERE paid_at IS NULL ORDER BY owed_at", "owed_unpaid"),
        ("SELECT * FROM attempts WHERE address = 'x' ORDER BY number", "attempts_address"),
        ("SELECT * FROM attempts WHERE run_id = 'x'", "attempts_run_id"),
        (NEWEST_SQL.replace("?", "9"), "attempts_newest"),
        (BOUGHT_SQL.replace("?", "'2025'"), "attempts_prepared"),
        (newest_attempts_sql(chosen=True).replace("?1", "'[]'").replace("?2", "9"), "attempts_address"),
        (newest_events_sql(chosen=True).replace("?1", "'[]'").replace("?2", "9"), "events_address"),
        (newest_events_sql(chosen=True).replace("?1", "'[]'").replace("?2", "9"), "events_attempt"),
        (ADDRESSES_SQL, "attempts_address"),
        ("SELECT * FROM attempts WHERE run_id IN (SELECT value FROM json_each('[]'))", "attempts_run_id"),
    ],
)
def test_hot_queries_use_their_index(raw: sqlite3.Connection, sql: str, index: str) -> None:
    plan = " ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}"))
    assert index in plan


def test_tables_that_another_process_is_making_are_none_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    connection.create_file(path)
    reading, _ = connection.reader(path)
    other = threading.Thread(target=lambda: open_sqlite(path, base_url=URL, create=True).close())

    class Interrupted:
        """Between the two questions another one commits the tables, unless it has to wait."""

        def execute(self, sql: str) -> sqlite3.Cursor:
            answer = reading.execute(sql)
            if "user_version" in sql:
                other.start()
                other.join(1.0)
            return answer

    assert connection.version(cast(sqlite3.Connection, Interrupted()), path) == 0
    other.join()
    assert connection.version(reading, path) == connection.SCHEMA_VERSION
    reading.close()
