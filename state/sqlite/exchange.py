"""A whole content out of a SQLite state, and into one: row by row, never all in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any

from state import exchange
from state.errors import translated
from state.records import ROW_TYPES, AttemptRecord, Meta, Row
from state.rows import columns, decoder
from state.sqlite import queries

_Values = Callable[[Row], tuple[Any, ...]]

# While the incoming attempts are written: those of them that were met.
_BEGIN = "CREATE TEMP TABLE incoming (attempt_id TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID"
_MET = "INSERT INTO incoming VALUES (?)"
_END = "DROP TABLE temp.incoming"
# A provisional run may have moved on to another attempt, whichever of the two is written first. Every attempt is
# written over in the end, so what stands in its place meanwhile is never seen.
_UNTIE = "UPDATE attempts SET run_id = 'moving:' || attempt_id WHERE provisional AND run_id IS NOT NULL"
_LACKING = (
    "SELECT attempt_id, address, run_id, count(*) OVER () FROM attempts"
    " WHERE attempt_id NOT IN (SELECT attempt_id FROM incoming) ORDER BY address, number, attempt_id LIMIT 1"
)
_POINTLESS = (
    "SELECT address, attempt_id FROM instances AS i WHERE attempt_id IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM attempts AS a WHERE a.attempt_id = i.attempt_id) ORDER BY address LIMIT 1"
)


def rows(db: sqlite3.Connection, place: str) -> Iterator[Row]:
    """Every row of every table; ``db`` is inside a transaction. ``place``: the path, for people. Raises StateError."""
    with translated(place):
        for kind in ROW_TYPES:
            # New rows get higher row ids, and a change keeps them.
            yield from map(decoder(kind), db.execute(f"SELECT {queries.names(kind)} FROM {kind.table} ORDER BY rowid"))


def replace(db: sqlite3.Connection, meta: Meta, incoming: Iterable[Row]) -> None:
    """See :meth:`state.store.Store.replace`; inside the transaction that is open. Raises sqlite3 errors, too."""
    exchange.refuse_elsewhere(queries.read_meta(db).base_url, meta)
    db.execute(_BEGIN)
    for kind in ROW_TYPES:
        if kind is not AttemptRecord:
            db.execute(f"DELETE FROM {kind.table}")
    db.execute("DELETE FROM sqlite_sequence WHERE name = 'journal'")
    db.execute(_UNTIE)
    statements = {kind: _statement(kind) for kind in ROW_TYPES}
    for row in incoming:
        sql, values = statements[type(row)]
        try:
            if isinstance(row, AttemptRecord):
                db.execute(_MET, (row.attempt_id,))
            db.execute(sql, values(row))
        except sqlite3.IntegrityError as error:
            raise _refusal(db, row, error) from error
    if found := db.execute(_LACKING).fetchone():
        raise exchange.lacking(*found)
    if found := db.execute(_POINTLESS).fetchone():
        raise exchange.pointless(*found)
    db.execute(_END)
    db.execute("UPDATE meta SET lineage = ?, serial = ?, created_at = ?", (meta.lineage, meta.serial, meta.created_at))


def _statement(kind: type[Row]) -> tuple[str, _Values]:
    """How a row is written, and its values in that order."""
    names = columns(kind)
    sql = f"INSERT INTO {kind.table} ({queries.names(kind)}) VALUES ({', '.join('?' * len(names))})"
    if kind is AttemptRecord:  # never deleted, so it may be there
        changes = ", ".join(f"{name} = excluded.{name}" for name in names if name != kind.key)
        sql += f" ON CONFLICT ({kind.key}) DO UPDATE SET {changes}"
    return sql, attrgetter(*names)


def _refusal(db: sqlite3.Connection, row: Row, error: sqlite3.IntegrityError) -> Exception:
    """What is wrong with a row, in words, where it is more than nonsense."""
    match error.sqlite_errorcode:
        case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY | sqlite3.SQLITE_CONSTRAINT_ROWID:
            return exchange.twice(row)
        case sqlite3.SQLITE_CONSTRAINT_UNIQUE if isinstance(row, AttemptRecord):
            (other,) = db.execute("SELECT attempt_id FROM attempts WHERE run_id = ?", (row.run_id,)).fetchone()
            return exchange.taken(row.run_id, row.attempt_id, other)
        case sqlite3.SQLITE_CONSTRAINT_TRIGGER if isinstance(row, AttemptRecord):
            before = db.execute("SELECT address, run_id FROM attempts WHERE attempt_id = ?", (row.attempt_id,))
            return exchange.losing(row.attempt_id, *before.fetchone())
        case _:
            return error
