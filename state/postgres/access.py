"""Whether a session may use a workspace: version and rights first, then the workspace itself."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from msgspec import Struct

from state.errors import StateBoundElsewhere, StateMissing, StateNewer, StateOutdated, StateReadOnly
from state.postgres import migrations
from state.postgres.migrations import SCHEMA_VERSION
from state.postgres.session import Facts, Session
from state.postgres.url import Target

# What recording needs; a role that may only read has none of it.
_RIGHTS_SQL = """
SELECT coalesce(bool_and(has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                         AND has_table_privilege(c.oid, 'UPDATE')), false)
       AND has_table_privilege('reconciler.instances', 'DELETE')
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'reconciler' AND c.relkind IN ('r', 'p') AND c.relname <> 'migrations'
"""
_FIND_SQL = """
SELECT workspace, base_url, lineage,
       (SELECT concat_ws('/', d.oid, c.oid, pg_relation_filenode(c.oid), pg_postmaster_start_time())
        FROM pg_catalog.pg_database AS d, pg_catalog.pg_class AS c
        WHERE d.datname = current_database() AND c.oid = 'reconciler.attempts'::regclass)
FROM reconciler.workspaces WHERE name = %s
"""
_OTHERS_SQL = "SELECT name FROM reconciler.workspaces ORDER BY name LIMIT 11"
_MAKE_SQL = (
    "INSERT INTO reconciler.workspaces (name, lineage, serial, base_url, created_at) VALUES (%s, %s, 0, %s, %s)"
    " ON CONFLICT (name) DO NOTHING"
)


class Workspace(Struct, frozen=True):
    """A workspace that a session may use. ``server`` is another text after every start of the server, which may be one
    that took over, or a copy that lacks the newest commits, and after the database or its tables were put back: from a
    dump, from a copy on the same server, emptied and filled again.
    """

    number: int
    base_url: str
    lineage: str
    server: str


def enter(session: Session, facts: Facts, target: Target, base_url: str, *, create: bool, read_only: bool) -> Workspace:
    """The workspace, which is made if it is missing and ``create`` says so.

    Raises StateMissing, StateBoundElsewhere, StateNewer, StateOutdated, StateReadOnly and psycopg errors.
    """
    place = target.place
    found = migrations.version(session, place) if facts.tables else 0
    if found > SCHEMA_VERSION:
        raise StateNewer(
            f"The state has version {found}, this tool knows {SCHEMA_VERSION} ({place}); it was not touched.",
            "Install the newer version of reconciler that your colleagues use.",
        )
    if found == 0 and not create:
        raise StateMissing(f"There is no state in this database ({place}).", _ADVICE)
    if found < SCHEMA_VERSION:
        if read_only:
            raise StateOutdated(
                f"The state has the older version {found} ({place}).",
                "Run `reconciler refresh` once to upgrade it, as the role that owns the schema.",
            )
        migrations.migrate(session, place, facts.user)
    if not read_only:
        _refuse_without_rights(session, facts, place)
    return _workspace(session, target, base_url, create)


_ADVICE = "Run `reconciler apply` or `reconciler init --fresh` to make it, or check the state's URL and workspace."


def _refuse_without_rights(session: Session, facts: Facts, place: str) -> None:
    row = session.execute(_RIGHTS_SQL).fetchone()
    if row is None or not row[0]:
        raise StateReadOnly(
            f"Role {facts.user} may read the state, not write to it ({place}); nothing was bought.",
            "It is enough for `plan`, `show`, `output`; to apply, use a role that may write (docs/scale.md).",
        )


def _workspace(session: Session, target: Target, base_url: str, create: bool) -> Workspace:
    row = session.execute(_FIND_SQL, (target.workspace,)).fetchone()
    if row is None and create:
        made = (target.workspace, str(uuid.uuid4()), base_url, datetime.now(UTC).isoformat())
        session.execute(_MAKE_SQL, made)
        row = session.execute(_FIND_SQL, (target.workspace,)).fetchone()
    if row is None:
        others = [name for (name,) in session.execute(_OTHERS_SQL)]
        known = f"it has {', '.join(others[:10])}{', …' if len(others) > 10 else ''}" if others else "it has none yet"
        message = f"There is no workspace {target.workspace} here: {known} ({target.place})."
        raise StateMissing(message, _ADVICE, others[:10])
    if row[1] != base_url:
        raise StateBoundElsewhere(
            f"The state records the runs of {row[1]}, not of {base_url} ({target.place}).",
            "Use another workspace for another service, or put the former base_url back.",
        )
    return Workspace(*row)
