"""The schema, as numbered migrations. Each is committed together with its record, and is never edited once released.

The rules of :mod:`state.rules` are carried out before anything is written (:mod:`state.tables`); what is said here once
more (unique runs, kept attempts) holds also against other programs and against our own mistakes.
"""

from __future__ import annotations

from psycopg.errors import InsufficientPrivilege

from state.errors import StateCorrupt, StateOutdated
from state.postgres.session import Session

# Any number that no other program is likely to lock in the same database: "reconcil".
_MIGRATING = 0x7265636F6E63696C


def version(session: Session, place: str) -> int:
    """The schema's version, for a schema that is there. Raises StateCorrupt where a migration is missing."""
    numbers = [row[0] for row in session.execute("SELECT number FROM reconciler.migrations ORDER BY number")]
    if numbers != list(range(1, len(numbers) + 1)):
        raise StateCorrupt(
            f"Migrations are missing from the schema `reconciler`: it has {numbers} ({place}).",
            "Restore the database with its own tools.",
        )
    return len(numbers)


def migrate(session: Session, place: str, user: str) -> None:
    """Bring the schema to the present version in one transaction; two processes may do so at once.

    Raises StateOutdated for a role that may not, and psycopg errors.
    """
    try:
        with session.transaction():
            session.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATING,))
            if not _is_there(session):
                session.execute(_RECORDS)
            done = version(session, place)
            for number, sql in enumerate(MIGRATIONS[done:], done + 1):
                session.execute(sql)
                session.execute(_RECORD_SQL, (number,))
    except InsufficientPrivilege as error:
        raise StateOutdated(
            f"The schema `reconciler` has to be made or upgraded, and role {user} may not ({place}:"
            f" {error.diag.message_primary}).",
            "Let somebody run `reconciler refresh` or `reconciler init --fresh` once as the role that owns the schema"
            " (docs/scale.md).",
        ) from None


def _is_there(session: Session) -> bool:
    found = session.execute("SELECT to_regclass('reconciler.migrations') IS NOT NULL").fetchone()
    return bool(found and found[0])


_RECORD_SQL = "INSERT INTO reconciler.migrations (number, applied_at, applied_by) VALUES (%s, now(), current_user)"
# Not IF NOT EXISTS: that asks for the right to make schemas also where an administrator has made this one.
_RECORDS = """
DO $$ BEGIN
    IF to_regnamespace('reconciler') IS NULL THEN CREATE SCHEMA reconciler; END IF;
END $$;
CREATE TABLE reconciler.migrations (
    number integer PRIMARY KEY,
    applied_at timestamptz NOT NULL,
    applied_by text NOT NULL
);
"""

_TABLES = """
CREATE TABLE reconciler.workspaces (
    workspace integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    lineage text NOT NULL,
    serial bigint NOT NULL CHECK (serial >= 0),
    base_url text NOT NULL,
    created_at text NOT NULL,
    epoch bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    epoch_by text NOT NULL DEFAULT '',
    holder text,
    breaks integer NOT NULL DEFAULT 0
);

CREATE TABLE reconciler.attempts (
    workspace integer NOT NULL REFERENCES reconciler.workspaces,
    attempt_id text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    number integer NOT NULL CHECK (number >= 1),
    phase text NOT NULL CHECK (phase IN ('PREPARED', 'SENDING', 'ACCEPTED', 'REJECTED', 'UNKNOWN', 'ABANDONED')),
    request_digest text NOT NULL,
    rerun bigint NOT NULL,
    sent_json text NOT NULL,
    inferred_json text NOT NULL,
    spec_id text NOT NULL,
    prepared_at text COLLATE "C" NOT NULL,
    apply_id text,
    baseline_id text COLLATE "C",
    settled_at text COLLATE "C",
    note text,
    run_id text COLLATE "C",
    provisional boolean NOT NULL DEFAULT false,
    imported boolean NOT NULL DEFAULT false,
    status text,
    samples_completed bigint,
    samples_failed bigint,
    total_cost double precision,
    spec_version bigint,
    reported_json text,
    files_json text,
    run_created_at text COLLATE "C",
    run_completed_at text,
    gone_at text,
    PRIMARY KEY (workspace, attempt_id),
    CHECK (phase <> 'ACCEPTED' OR run_id IS NOT NULL),
    -- Checked at the end of a statement: a run that was provisional may go from one attempt to another in one of them.
    CONSTRAINT attempts_run_id UNIQUE (workspace, run_id) DEFERRABLE INITIALLY IMMEDIATE
);
CREATE INDEX attempts_address ON reconciler.attempts (workspace, address, number);
CREATE INDEX attempts_open ON reconciler.attempts (workspace, address, number)
    WHERE phase IN ('SENDING', 'UNKNOWN') OR provisional;
CREATE INDEX attempts_newest
    ON reconciler.attempts (workspace, coalesce(run_created_at, settled_at, prepared_at), attempt_id)
    WHERE run_id IS NOT NULL AND gone_at IS NULL;

CREATE FUNCTION reconciler.keep_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
        RAISE EXCEPTION 'attempts are never deleted' USING ERRCODE = 'RC001';
    END IF;
    RAISE EXCEPTION 'an attempt keeps its run id' USING ERRCODE = 'RC001';
END $$;
CREATE TRIGGER attempts_keep_their_run BEFORE UPDATE OF run_id ON reconciler.attempts FOR EACH ROW
    WHEN (OLD.run_id IS NOT NULL AND NOT OLD.provisional AND NEW.run_id IS DISTINCT FROM OLD.run_id)
    EXECUTE FUNCTION reconciler.keep_attempts();
CREATE TRIGGER attempts_are_kept BEFORE DELETE ON reconciler.attempts FOR EACH ROW
    EXECUTE FUNCTION reconciler.keep_attempts();
CREATE TRIGGER attempts_are_not_emptied BEFORE TRUNCATE ON reconciler.attempts FOR EACH STATEMENT
    EXECUTE FUNCTION reconciler.keep_attempts();

CREATE TABLE reconciler.instances (
    workspace integer NOT NULL REFERENCES reconciler.workspaces,
    address text COLLATE "C" NOT NULL,
    attempt_id text COLLATE "C",
    lifecycle_json text NOT NULL,
    recorded_at text NOT NULL,
    PRIMARY KEY (workspace, address),
    FOREIGN KEY (workspace, attempt_id) REFERENCES reconciler.attempts DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE reconciler.baselines (
    workspace integer NOT NULL REFERENCES reconciler.workspaces,
    baseline_id text COLLATE "C" NOT NULL,
    taken_at text NOT NULL,
    service_date text,
    spec_ids_json text NOT NULL,
    run_ids_json text NOT NULL,
    newest_run_id text,
    PRIMARY KEY (workspace, baseline_id)
);

CREATE TABLE reconciler.owed (
    workspace integer NOT NULL REFERENCES reconciler.workspaces,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    run_id text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    owed_at text COLLATE "C" NOT NULL,
    paid_at text,
    PRIMARY KEY (workspace, run_id)
);
CREATE INDEX owed_unpaid ON reconciler.owed (workspace) WHERE paid_at IS NULL;

CREATE TABLE reconciler.applies (
    workspace integer NOT NULL REFERENCES reconciler.workspaces,
    apply_id text NOT NULL,
    command text NOT NULL,
    started_at text NOT NULL,
    "user" text NOT NULL,
    host text NOT NULL,
    plan_id text,
    plan_digest text,
    git_commit text,
    git_dirty boolean,
    PRIMARY KEY (workspace, apply_id)
);

CREATE TABLE reconciler.plan_actions (
    workspace integer NOT NULL REFERENCES reconciler.workspaces,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    plan_action_id text NOT NULL,
    plan_id text NOT NULL,
    action_digest text NOT NULL,
    address text COLLATE "C" NOT NULL,
    attempt_id text COLLATE "C",
    done_at text,
    PRIMARY KEY (workspace, plan_action_id)
);
CREATE INDEX plan_actions_plan ON reconciler.plan_actions (workspace, plan_id, seq);

CREATE TABLE reconciler.specs (
    workspace integer NOT NULL REFERENCES reconciler.workspaces,
    spec_id text NOT NULL,
    name text,
    seeded boolean,
    versions bigint,
    content_sha256 text,
    seen_at text NOT NULL,
    PRIMARY KEY (workspace, spec_id)
);

CREATE TABLE reconciler.events (
    workspace integer NOT NULL REFERENCES reconciler.workspaces,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    event_id text COLLATE "C" NOT NULL,
    at text NOT NULL,
    type text NOT NULL,
    apply_id text,
    address text COLLATE "C",
    attempt_id text COLLATE "C",
    run_id text COLLATE "C",
    message text NOT NULL,
    PRIMARY KEY (workspace, event_id)
);
CREATE INDEX events_address ON reconciler.events (workspace, address, seq);

-- A mark holds for the server that it was made on: ``server`` is that one's start.
CREATE TABLE reconciler.marks (
    workspace integer NOT NULL REFERENCES reconciler.workspaces,
    name text NOT NULL,
    value text NOT NULL,
    at text NOT NULL,
    server text NOT NULL,
    PRIMARY KEY (workspace, name)
);

CREATE TABLE reconciler.journal (
    workspace integer NOT NULL REFERENCES reconciler.workspaces,
    seq bigint NOT NULL,
    attempt_id text COLLATE "C" NOT NULL,
    phase text NOT NULL,
    at text NOT NULL,
    note text,
    PRIMARY KEY (workspace, seq)
);
CREATE INDEX journal_attempt ON reconciler.journal (workspace, attempt_id, seq);

CREATE VIEW reconciler.current_runs AS
SELECT w.name AS workspace, i.address, a.run_id, a.status, a.samples_completed, a.samples_failed, a.total_cost,
       a.spec_id, a.spec_version, a.number, a.phase, a.provisional, a.imported, a.run_created_at, a.run_completed_at,
       a.gone_at
FROM reconciler.instances AS i
JOIN reconciler.workspaces AS w USING (workspace)
JOIN reconciler.attempts AS a ON a.workspace = i.workspace AND a.attempt_id = i.attempt_id
WHERE a.run_id IS NOT NULL
ORDER BY w.name, i.address;
"""

# Events of an attempt are found also where it has another address by now.
_BRANCH = """
ALTER TABLE reconciler.applies ADD COLUMN git_branch text;
CREATE INDEX events_attempt ON reconciler.events (workspace, attempt_id) WHERE attempt_id IS NOT NULL;
"""

_CONSENT = """
CREATE TABLE reconciler.approvals (
    workspace integer NOT NULL REFERENCES reconciler.workspaces,
    digest text COLLATE "C" NOT NULL,
    at text NOT NULL,
    "user" text NOT NULL,
    host text NOT NULL,
    reason text,
    until text,
    revoked_at text,
    PRIMARY KEY (workspace, digest)
);

CREATE TABLE reconciler.suspensions (
    workspace integer NOT NULL REFERENCES reconciler.workspaces,
    scope text COLLATE "C" NOT NULL,
    at text NOT NULL,
    "user" text NOT NULL,
    host text NOT NULL,
    reason text NOT NULL,
    until text,
    ended_at text,
    ended_by text,
    PRIMARY KEY (workspace, scope)
);

CREATE INDEX attempts_prepared ON reconciler.attempts (workspace, prepared_at);
"""

MIGRATIONS = (_TABLES, _BRANCH, _CONSENT)
SCHEMA_VERSION = len(MIGRATIONS)
