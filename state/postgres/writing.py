"""A commit in two round trips: lock the workspace and fetch the rows that the writes concern, then write what changed.

What happens to the rows in between is :mod:`state.tables`, the same as for the memory store.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from state.postgres.access import Workspace
from state.postgres.queries import ATTEMPT, INSTANCE, OWED, attempts_by, rows_sql
from state.postgres.session import Session
from state.records import (
    RECORD_TYPES,
    AttemptRecord,
    InstanceRecord,
    MarkRecord,
    OwedRecord,
    Record,
    Row,
)
from state.rows import columns
from state.tables import Change, Tables
from state.writes import Advance, Move, Observe, Pay, Put, Write

_ATTEMPTS_SQL = f"{attempts_by('attempt_id')} UNION ALL {attempts_by('run_id')}"
_MOVED_SQL = attempts_by("address")
_INSTANCES_SQL = rows_sql(
    InstanceRecord,
    "instances",
    f"address = ANY(%s || ARRAY(SELECT pointed.address::text FROM ({attempts_by('attempt_id')}) AS pointed))",
)
_OWED_SQL = rows_sql(OwedRecord, "owed", "(run_id = ANY(%s) OR address = ANY(%s))")
_ORDER = (AttemptRecord, *(kind for kind in RECORD_TYPES if kind is not AttemptRecord))


class Begun(Struct, frozen=True):
    """An open transaction that holds the workspace's row, so that nobody else writes to it until the end."""

    epoch: int
    epoch_by: str
    serial: int
    rows: Tables  # those that the writes concern


def begin(session: Session, workspace: int, writes: Sequence[Write]) -> Begun:
    """Begin a transaction, and fetch. Raises psycopg errors."""
    wanted = _wanted(writes)
    with session.pipeline():
        session.execute("BEGIN")
        head = session.execute(_HOLD_SQL, (workspace,))
        pointed = list(wanted.attempts)
        attempts = session.execute(_ATTEMPTS_SQL, (workspace, pointed, workspace, list(wanted.runs)))
        ids = (workspace, list(wanted.addresses), workspace, pointed)
        moved = list(wanted.moved)
        more = session.execute(_MOVED_SQL, (workspace, moved)) if moved else None
        instances = session.execute(_INSTANCES_SQL, ids) if wanted.attempts or moved else None
        owed = session.execute(_OWED_SQL, (workspace, list(wanted.paid), moved)) if wanted.paid or moved else None
    rows = Tables()
    for row in (*attempts, *(more or ())):
        rows.load(ATTEMPT(row))
    for row in instances or ():
        rows.instances[row[0]] = INSTANCE(row)
    for row in owed or ():
        rows.owed[row[0]] = OWED(row)
    epoch, by, serial = head.fetchall()[0]
    return Begun(epoch, by, serial, rows)


def end(session: Session, workspace: Workspace, rows: Tables, changes: Sequence[Change], serial: int) -> None:
    """Write what changed, and commit. Raises psycopg errors."""
    number = workspace.number
    with session.pipeline():
        for kind in _ORDER:
            table = rows.of(kind)
            keys = dict.fromkeys(key for changed, key, _ in changes if changed is table)
            there = [_row(table[key]) for key in keys if key in table]
            if kind is MarkRecord:
                there = [{**row, "server": workspace.server} for row in there]
            if there:
                session.execute(_PUT_SQL[kind], (number, json.dumps(there)))
            gone = [key for key in keys if key not in table]
            if gone:
                session.execute(_DROP_SQL[kind], (number, gone))
        if rows.journal:
            steps = json.dumps(list(map(_row, rows.journal)))
            session.execute(_JOURNAL_SQL, {"workspace": number, "steps": steps})
        session.execute(_SERIAL_SQL, (serial, number))
        session.execute("COMMIT")


class _Wanted(Struct):
    attempts: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    paid: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)  # addresses whose attempts and owed cancels are all needed


def _wanted(writes: Sequence[Write]) -> _Wanted:
    wanted = _Wanted()
    for write in writes:
        match write:
            case Put(AttemptRecord() as attempt):
                wanted.attempts.add(attempt.attempt_id)
                wanted.addresses.add(attempt.address)
                if attempt.run_id is not None:
                    wanted.runs.add(attempt.run_id)
            case Put(InstanceRecord(attempt_id=str() as pointed)):
                wanted.attempts.add(pointed)
            case Advance(attempt_id=key, run_id=run_id):
                wanted.attempts.add(key)
                if run_id is not None:
                    wanted.runs.add(run_id)
            case Observe(run_id=run_id):
                wanted.runs.add(run_id)
            case Pay(run_id=run_id):
                wanted.paid.add(run_id)
            case Move(source=source, target=target):
                wanted.addresses |= {source, target}
                wanted.moved |= {source, target}
    return wanted


def stored(value: Any) -> Any:
    """A value as PostgreSQL keeps it: no text of its may hold a NUL, which becomes the symbol for it."""
    return value.replace("\0", "\u2400") if isinstance(value, str) and "\0" in value else value


def _row(record: Row) -> dict[str, Any]:
    return {name: stored(getattr(record, name)) for name in columns(type(record))}


def _put_sql(kind: type[Record]) -> str:
    own = [*columns(kind), *(["server"] if kind is MarkRecord else [])]
    listed = ", ".join(f'"{name}"' for name in own)
    taken = ", ".join(f'"{name}" = excluded."{name}"' for name in own if name != kind.key)
    return (
        f"INSERT INTO reconciler.{kind.table} (workspace, {listed})"
        f" SELECT %s, {listed} FROM json_populate_recordset(NULL::reconciler.{kind.table}, %s::json)"
        f" ON CONFLICT (workspace, {kind.key}) DO UPDATE SET {taken}"
    )


_HOLD_SQL = "SELECT epoch, epoch_by, serial FROM reconciler.workspaces WHERE workspace = %s FOR NO KEY UPDATE"
_PUT_SQL = {kind: _put_sql(kind) for kind in RECORD_TYPES}
_DROP_SQL = {
    kind: f"DELETE FROM reconciler.{kind.table} WHERE workspace = %s AND {kind.key} = ANY(%s)" for kind in RECORD_TYPES
}
# Nobody else adds a step meanwhile: the transaction holds the workspace's row.
_JOURNAL_SQL = """
INSERT INTO reconciler.journal (workspace, seq, attempt_id, phase, at, note)
SELECT %(workspace)s,
       n.seq + coalesce((SELECT max(j.seq) FROM reconciler.journal AS j WHERE j.workspace = %(workspace)s), 0),
       n.attempt_id, n.phase, n.at, n.note
FROM json_populate_recordset(NULL::reconciler.journal, %(steps)s::json) AS n"""
_SERIAL_SQL = "UPDATE reconciler.workspaces SET serial = %s WHERE workspace = %s"
