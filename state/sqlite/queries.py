"""What is read of a SQLite state: statements, and the functions that make records of their rows."""

from __future__ import annotations

import sqlite3
from typing import TypeVar

from state.records import (
    AttemptRecord,
    EventRecord,
    InstanceRecord,
    MarkRecord,
    Meta,
    OwedRecord,
    Row,
    SpecRecord,
)
from state.rows import columns, decoder

R = TypeVar("R", bound=Row)


def names(kind: type[R], prefix: str = "") -> str:
    """The columns of a record's table, for a SELECT; ``prefix`` is that of the table's alias."""
    return ", ".join(f'{prefix}"{name}"' for name in columns(kind))


def among(column: str) -> str:
    """A condition that takes a JSON list as its one argument."""
    return f"{column} IN (SELECT value FROM json_each(?))"


def matching(column: str, value: str | None) -> tuple[str | None, list[str]]:
    """A condition and its arguments; no condition for None."""
    return (None, []) if value is None else (f"{column} = ?", [value])


def attempts_sql(where: str) -> str:
    """Attempts by address and number."""
    return f"SELECT {names(AttemptRecord)} FROM attempts WHERE {where} ORDER BY address, number, attempt_id"


def read_meta(db: sqlite3.Connection) -> Meta:
    """The one row of ``meta``."""
    return Meta(*db.execute("SELECT schema_version, lineage, serial, base_url, created_at FROM meta").fetchone())


INSTANCE, ATTEMPT, OWED, SPEC, EVENT, MARK = (
    decoder(InstanceRecord),
    decoder(AttemptRecord),
    decoder(OwedRecord),
    decoder(SpecRecord),
    decoder(EventRecord),
    decoder(MarkRecord),
)
INSTANCES_SQL = f"SELECT {names(InstanceRecord)} FROM instances"
CURRENT_SQL = (
    f"SELECT i.address, {names(AttemptRecord, 'a.')}"
    " FROM instances AS i JOIN attempts AS a ON a.attempt_id = i.attempt_id"
)
# The condition is that of the partial index, to the letter; the newest attempt of an address comes last.
OPEN_SQL = attempts_sql("phase IN ('SENDING', 'UNKNOWN') OR provisional")
OWED_SQL = f"SELECT {names(OwedRecord)} FROM owed WHERE paid_at IS NULL ORDER BY owed_at, rowid"
# The plus keeps SQLite from walking the whole index of the addresses, only to have them in order.
BOUGHT_SQL = (
    f"SELECT {names(AttemptRecord)} FROM attempts"
    " WHERE prepared_at >= ? AND phase NOT IN ('PREPARED', 'REJECTED') AND NOT imported"
    " ORDER BY +address, number, attempt_id"
)
SPECS_SQL = f"SELECT {names(SpecRecord)} FROM specs"
MARKS_SQL = f"SELECT {names(MarkRecord)} FROM marks"
# The expression and the condition are those of the index, to the letter.
NEWEST_SQL = (
    f"SELECT {names(AttemptRecord)} FROM attempts WHERE run_id IS NOT NULL AND gone_at IS NULL"
    " ORDER BY coalesce(run_created_at, settled_at, prepared_at) DESC, attempt_id DESC LIMIT ?"
)
ADDRESSES_SQL = (
    "SELECT address FROM instances UNION SELECT address FROM attempts"
    " UNION SELECT address FROM events WHERE address IS NOT NULL ORDER BY 1"
)
DONE_SQL = (
    "SELECT DISTINCT p.action_digest FROM plan_actions AS p LEFT JOIN attempts AS a ON a.attempt_id = p.attempt_id"
    f" WHERE {among('p.action_digest')} AND (p.done_at IS NOT NULL OR a.phase = 'ACCEPTED')"
)
_OF_THESE = "SELECT value FROM json_each(?1)"  # addresses
_EVENTS_OF_THESE = (
    f"rowid IN (SELECT rowid FROM events WHERE address IN ({_OF_THESE}) UNION SELECT e.rowid FROM attempts AS a"
    f" JOIN events AS e ON e.attempt_id = a.attempt_id WHERE a.address IN ({_OF_THESE}))"
)


def newest_attempts_sql(chosen: bool) -> str:
    """Attempts, newest first: those of some addresses (a JSON list, ?1), or all; at most ?2, -1 for all."""
    where = f" WHERE address IN ({_OF_THESE})" if chosen else ""
    return f"SELECT {names(AttemptRecord)} FROM attempts{where} ORDER BY prepared_at DESC, attempt_id DESC LIMIT ?2"


def newest_events_sql(chosen: bool) -> str:
    """Likewise events, in the order of their commits."""
    where = f" WHERE {_EVENTS_OF_THESE}" if chosen else ""
    return f"SELECT {names(EventRecord)} FROM events{where} ORDER BY rowid DESC LIMIT ?2"
