"""A whole content out of a workspace, and into one: row by row, never all in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from state import exchange
from state.postgres.access import Workspace
from state.postgres.queries import META_SQL, names
from state.postgres.session import Session
from state.postgres.writing import stored
from state.records import ROW_TYPES, AttemptRecord, Meta, Row
from state.rows import columns, decoder

_AT_ONCE = 2000  # rows that a cursor fetches
_ORDERED = ("owed", "plan_actions", "events")  # have a column that keeps the order in which they were first written
# A million rows take their time, and whoever reads or writes the other end of a pipe may, too.
_UNHURRIED_SQL = (
    "SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)"
)
UNHURRIED_SECONDS = 3600.0


def begin(session: Session) -> None:
    """Open one view of everything, for as long as it is wanted."""
    session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    session.execute(_UNHURRIED_SQL)


def rows(session: Session, workspace: int) -> Iterator[Row]:
    """Every row of every table, inside the transaction that is open. Raises psycopg errors."""
    for kind in ROW_TYPES:
        order = "seq" if kind.table in _ORDERED else kind.key
        with session.cursor(f"all_{kind.table}") as cursor:
            cursor.itersize = _AT_ONCE
            sql = f"SELECT {names(kind)} FROM reconciler.{kind.table} WHERE workspace = %s ORDER BY {order}"
            yield from map(decoder(kind), cursor.execute(sql, (workspace,)))


def replace(session: Session, workspace: Workspace, meta: Meta, incoming: Iterable[Row]) -> None:
    """See :meth:`state.store.Store.replace`; inside the transaction that is open. Raises psycopg errors, too."""
    number = workspace.number
    exchange.refuse_elsewhere(workspace.base_url, meta)
    session.execute(_UNHURRIED_SQL)
    for kind in ROW_TYPES:
        session.execute(
            f"CREATE TEMPORARY TABLE incoming_{kind.table} ON COMMIT DROP AS"
            f" SELECT 0::bigint AS position, {names(kind)} FROM reconciler.{kind.table} LIMIT 0"
        )
    position = 0
    for kind, some in groupby(incoming, type):
        values = attrgetter(*columns(kind))
        with (
            session.cursor() as cursor,
            cursor.copy(f"COPY pg_temp.incoming_{kind.table} (position, {names(kind)}) FROM STDIN") as copy,
        ):
            for row in some:
                position += 1
                copy.write_row((position, *map(stored, values(row))))
    _refuse(session, number)
    for kind in ROW_TYPES:
        if kind is not AttemptRecord:
            session.execute(f"DELETE FROM reconciler.{kind.table} WHERE workspace = %s", (number,))
        session.execute(_TAKE_SQL[kind], {"workspace": number, "server": workspace.server})
    session.execute(_META_SQL, (meta.lineage, meta.serial, meta.created_at, number))


def read_meta(session: Session, workspace: int, schema_version: int) -> Meta:
    """What the workspace says of itself."""
    return Meta(schema_version, *session.execute(META_SQL, (workspace,)).fetchall()[0])


def _refuse(session: Session, workspace: int) -> None:
    """Raise StateConflict for what can't take the place of the present content."""
    for kind in ROW_TYPES:
        sql = (
            f"SELECT {names(kind)} FROM (SELECT *, count(*) OVER (PARTITION BY {kind.key}) AS times"
            f" FROM pg_temp.incoming_{kind.table}) AS i WHERE times > 1 ORDER BY position LIMIT 1"
        )
        if found := session.execute(sql).fetchone():
            raise exchange.twice(decoder(kind)(found))
    for sql, refusal in _REFUSALS:
        if found := session.execute(sql, {"workspace": workspace}).fetchone():
            raise refusal(*found)


_REFUSALS = (
    (
        "SELECT b.run_id, b.attempt_id, a.attempt_id FROM pg_temp.incoming_attempts AS a"
        " JOIN pg_temp.incoming_attempts AS b ON a.run_id = b.run_id AND a.position < b.position"
        " ORDER BY b.position LIMIT 1",
        exchange.taken,
    ),
    (
        "SELECT i.run_id, i.attempt_id, a.attempt_id FROM pg_temp.incoming_attempts AS i"
        " JOIN reconciler.attempts AS a ON a.run_id = i.run_id AND a.attempt_id <> i.attempt_id"
        " WHERE a.workspace = %(workspace)s AND NOT a.provisional ORDER BY i.position LIMIT 1",
        exchange.taken,
    ),
    (
        "SELECT a.attempt_id, a.address, a.run_id FROM reconciler.attempts AS a"
        " JOIN pg_temp.incoming_attempts AS i USING (attempt_id)"
        " WHERE a.workspace = %(workspace)s AND a.run_id IS NOT NULL AND NOT a.provisional"
        " AND i.run_id IS DISTINCT FROM a.run_id ORDER BY i.position LIMIT 1",
        exchange.losing,
    ),
    (
        "SELECT a.attempt_id, a.address, a.run_id, count(*) OVER () FROM reconciler.attempts AS a"
        " LEFT JOIN pg_temp.incoming_attempts AS i USING (attempt_id)"
        " WHERE a.workspace = %(workspace)s AND i.attempt_id IS NULL"
        " ORDER BY a.address, a.number, a.attempt_id LIMIT 1",
        exchange.lacking,
    ),
    (
        "SELECT i.address, i.attempt_id FROM pg_temp.incoming_instances AS i"
        " LEFT JOIN pg_temp.incoming_attempts AS a USING (attempt_id)"
        " WHERE i.attempt_id IS NOT NULL AND a.attempt_id IS NULL ORDER BY i.address LIMIT 1",
        exchange.pointless,
    ),
)


def _take_sql(kind: type[Row]) -> str:
    """Rows from where they arrived to where they belong, in the order of their arrival."""
    extra, given = (", server", ", %(server)s") if kind.table == "marks" else ("", "")
    sql = (
        f"INSERT INTO reconciler.{kind.table} (workspace, {names(kind)}{extra})"
        f" SELECT %(workspace)s, {names(kind)}{given} FROM pg_temp.incoming_{kind.table} ORDER BY position"
    )
    if kind is AttemptRecord:  # never deleted, so it may be there
        changes = ", ".join(f"{name} = excluded.{name}" for name in columns(kind) if name != kind.key)
        sql += f" ON CONFLICT (workspace, {kind.key}) DO UPDATE SET {changes}"
    return sql


_TAKE_SQL = {kind: _take_sql(kind) for kind in ROW_TYPES}
_META_SQL = "UPDATE reconciler.workspaces SET lineage = %s, serial = %s, created_at = %s WHERE workspace = %s"
