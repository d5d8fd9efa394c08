"""The tables, as numbered migrations. Each is committed together with its record, and is never edited once released."""

from __future__ import annotations

import uuid

from sqlite_utils import Database, Migrations

from state.sqlite.connection import SCHEMA_VERSION

MIGRATIONS = Migrations("reconciler.state")


@MIGRATIONS(name="0001_tables")
def tables(db: Database) -> None:
    """All tables, and the view ``current_runs`` for people."""
    db.executescript(_TABLES)


@MIGRATIONS(name="0002_marks_and_epoch")
def marks_and_epoch(db: Database) -> None:
    """Facts about the state as a whole; the epoch that fences off a holder whose lock was broken; newest runs."""
    db.executescript(_MARKS_AND_EPOCH)


@MIGRATIONS(name="0003_branch")
def branch(db: Database) -> None:
    """The git branch of a command; events of an attempt, also where it has another address by now."""
    db.executescript(_BRANCH)


@MIGRATIONS(name="0004_consent")
def consent(db: Database) -> None:
    """What people let a controller do, and what not; attempts by when they were prepared."""
    db.executescript(_CONSENT)


def migrate(db: Database, base_url: str, at: str) -> None:
    """Bring a database to the present version; a new one gets its lineage and is bound to ``base_url``.

    Everything happens in one transaction that locks out other writers from its start: two processes may open a new
    database at once.
    """
    db.execute("BEGIN IMMEDIATE")
    with db.conn:  # commits, or rolls back
        MIGRATIONS.apply(db)
        db.conn.execute(
            "INSERT INTO meta (id, schema_version, lineage, serial, base_url, created_at) VALUES (1, ?, ?, 0, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET schema_version = excluded.schema_version",
            (SCHEMA_VERSION, str(uuid.uuid4()), base_url, at),
        )
        db.conn.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")


_TABLES = """
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    schema_version INTEGER NOT NULL,
    lineage TEXT NOT NULL,
    serial INTEGER NOT NULL CHECK (serial >= 0),
    base_url TEXT NOT NULL,
    created_at TEXT NOT NULL
);

CREATE TABLE attempts (
    attempt_id TEXT NOT NULL PRIMARY KEY,
    address TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    phase TEXT NOT NULL CHECK (phase IN ('PREPARED', 'SENDING', 'ACCEPTED', 'REJECTED', 'UNKNOWN', 'ABANDONED')),
    request_digest TEXT NOT NULL,
    rerun INTEGER NOT NULL,
    sent_json TEXT NOT NULL,
    inferred_json TEXT NOT NULL,
    spec_id TEXT NOT NULL,
    prepared_at TEXT NOT NULL,
    apply_id TEXT,
    baseline_id TEXT,
    settled_at TEXT,
    note TEXT,
    run_id TEXT,
    provisional INTEGER NOT NULL DEFAULT 0 CHECK (provisional IN (0, 1)),
    imported INTEGER NOT NULL DEFAULT 0 CHECK (imported IN (0, 1)),
    status TEXT,
    samples_completed INTEGER,
    samples_failed INTEGER,
    total_cost REAL,
    spec_version INTEGER,
    reported_json TEXT,
    files_json TEXT,
    run_created_at TEXT,
    run_completed_at TEXT,
    gone_at TEXT,
    CHECK (phase <> 'ACCEPTED' OR run_id IS NOT NULL)
);
CREATE UNIQUE INDEX attempts_run_id ON attempts (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX attempts_address ON attempts (address, number);
CREATE INDEX attempts_open ON attempts (address, number) WHERE phase IN ('SENDING', 'UNKNOWN') OR provisional;

CREATE TRIGGER attempts_keep_their_run BEFORE UPDATE OF run_id ON attempts
WHEN OLD.run_id IS NOT NULL AND NOT OLD.provisional AND NEW.run_id IS NOT OLD.run_id
BEGIN SELECT RAISE(ABORT, 'an attempt keeps its run id'); END;

CREATE TRIGGER attempts_are_kept BEFORE DELETE ON attempts
BEGIN SELECT RAISE(ABORT, 'attempts are never deleted'); END;

CREATE TABLE instances (
    address TEXT NOT NULL PRIMARY KEY,
    attempt_id TEXT REFERENCES attempts (attempt_id) DEFERRABLE INITIALLY DEFERRED,
    lifecycle_json TEXT NOT NULL,
    recorded_at TEXT NOT NULL
);

CREATE TABLE baselines (
    baseline_id TEXT NOT NULL PRIMARY KEY,
    taken_at TEXT NOT NULL,
    service_date TEXT,
    spec_ids_json TEXT NOT NULL,
    run_ids_json TEXT NOT NULL,
    newest_run_id TEXT
);

CREATE TABLE owed (
    run_id TEXT NOT NULL PRIMARY KEY,
    address TEXT NOT NULL,
    reason TEXT NOT NULL,
    owed_at TEXT NOT NULL,
    paid_at TEXT
);
CREATE INDEX owed_unpaid ON owed (owed_at) WHERE paid_at IS NULL;

CREATE TABLE applies (
    apply_id TEXT NOT NULL PRIMARY KEY,
    command TEXT NOT NULL,
    started_at TEXT NOT NULL,
    user TEXT NOT NULL,
    host TEXT NOT NULL,
    plan_id TEXT,
    plan_digest TEXT,
    git_commit TEXT,
    git_dirty INTEGER CHECK (git_dirty IN (0, 1))
);

CREATE TABLE plan_actions (
    plan_action_id TEXT NOT NULL PRIMARY KEY,
    plan_id TEXT NOT NULL,
    action_digest TEXT NOT NULL,
    address TEXT NOT NULL,
    attempt_id TEXT,
    done_at TEXT
);
CREATE INDEX plan_actions_plan ON plan_actions (plan_id);

CREATE TABLE specs (
    spec_id TEXT NOT NULL PRIMARY KEY,
    name TEXT,
    seeded INTEGER CHECK (seeded IN (0, 1)),
    versions INTEGER,
    content_sha256 TEXT,
    seen_at TEXT NOT NULL
);

CREATE TABLE events (
    event_id TEXT NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    type TEXT NOT NULL,
    apply_id TEXT,
    address TEXT,
    attempt_id TEXT,
    run_id TEXT,
    message TEXT NOT NULL
);
CREATE INDEX events_address ON events (address);

CREATE TABLE journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    attempt_id TEXT NOT NULL,
    phase TEXT NOT NULL,
    at TEXT NOT NULL,
    note TEXT
);
CREATE INDEX journal_attempt ON journal (attempt_id);

CREATE VIEW current_runs AS
SELECT i.address, a.run_id, a.status, a.samples_completed, a.samples_failed, a.total_cost, a.spec_id, a.spec_version,
       a.number, a.phase, a.provisional, a.imported, a.run_created_at, a.run_completed_at, a.gone_at
FROM instances AS i JOIN attempts AS a ON a.attempt_id = i.attempt_id
WHERE a.run_id IS NOT NULL
ORDER BY i.address;
"""

# The epoch rises whenever the lock is taken or broken; ``epoch_by`` says who did that last, for people.
_MARKS_AND_EPOCH = """
CREATE TABLE marks (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    at TEXT NOT NULL
);

ALTER TABLE meta ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0);
ALTER TABLE meta ADD COLUMN epoch_by TEXT NOT NULL DEFAULT '';

CREATE INDEX attempts_newest ON attempts (coalesce(run_created_at, settled_at, prepared_at), attempt_id)
WHERE run_id IS NOT NULL AND gone_at IS NULL;
"""

_BRANCH = """
ALTER TABLE applies ADD COLUMN git_branch TEXT;
CREATE INDEX events_attempt ON events (attempt_id) WHERE attempt_id IS NOT NULL;
"""

_CONSENT = """
CREATE TABLE approvals (
    digest TEXT NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    user TEXT NOT NULL,
    host TEXT NOT NULL,
    reason TEXT,
    until TEXT,
    revoked_at TEXT
);

CREATE TABLE suspensions (
    scope TEXT NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    user TEXT NOT NULL,
    host TEXT NOT NULL,
    reason TEXT NOT NULL,
    until TEXT,
    ended_at TEXT,
    ended_by TEXT
);

CREATE INDEX attempts_prepared ON attempts (prepared_at);
"""
