"""What each write does to the tables. The rules are those of :mod:`state.rules`, said in SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, assert_never

from state.errors import invalid
from state.records import RECORD_TYPES, AttemptRecord, InstanceRecord, OwedRecord, Record
from state.rows import columns
from state.rules import FINAL_STATUSES, OBSERVED_COLUMNS, SETTLED_PHASES, check_move
from state.writes import Advance, Forget, Move, Observe, Pay, Put, Write

_JOURNAL_SQL = "INSERT INTO journal (attempt_id, phase, at, note) VALUES (?, ?, ?, ?)"
_ADVANCE_SQL = "UPDATE attempts SET phase = ?, note = ?, settled_at = ? WHERE attempt_id = ?"
# Another run in the place of a provisional one inherits nothing that was seen of it; final never becomes provisional.
_ACCEPT_SQL = (
    "UPDATE attempts SET phase = :phase, note = :note, settled_at = :settled, run_id = :run,"
    " provisional = CASE WHEN run_id IS :run THEN provisional AND :provisional ELSE :provisional END, "
    + ", ".join(f"{name} = CASE WHEN run_id IS :run THEN {name} END" for name in OBSERVED_COLUMNS)
    + " WHERE attempt_id = :attempt"
)
_POINT_SQL = "UPDATE instances SET attempt_id = ? WHERE address = (SELECT address FROM attempts WHERE attempt_id = ?)"
_RECORDED_SQL = "SELECT EXISTS (SELECT 1 FROM instances WHERE address = ?)"
_HIGHEST_SQL = "SELECT coalesce(max(number), 0) FROM attempts WHERE address = ?"
# No IN: for each of them SQLite would build a table, each time anew: 35 µs for a report of a run.
_FINAL = "({})".format(" OR ".join(f"status = '{status}'" for status in FINAL_STATUSES))
_LATE = f"{_FINAL} AND NOT {_FINAL.replace('status', ':status')}"  # a report from before the run came to rest
_OBSERVE_SQL = (
    f"UPDATE attempts SET status = CASE WHEN {_FINAL} THEN status ELSE coalesce(:status, status) END, "
    + ", ".join(
        f"{name} = CASE WHEN {_FINAL} AND {name} > :{name} THEN {name} ELSE coalesce(:{name}, {name}) END"
        for name in ("samples_completed", "samples_failed")
    )
    + "".join(
        f", {name} = CASE WHEN {_LATE} THEN coalesce({name}, :{name}) ELSE coalesce(:{name}, {name}) END"
        for name in OBSERVED_COLUMNS
        if name not in ("status", "samples_completed", "samples_failed", "gone_at")
    )
    + ", gone_at = CASE :gone WHEN 1 THEN coalesce(gone_at, :at) WHEN 0 THEN NULL ELSE gone_at END"
    " WHERE run_id = :run_id"
)


def apply_writes(db: sqlite3.Connection, writes: Sequence[Write]) -> None:
    """Carry out the writes inside the transaction that is open. Raises sqlite3 errors, and StateInvalid."""
    # Records to put wait until another kind of write touches their table: many at once are cheaper.
    waiting: dict[type[Record], list[Record]] = {}
    for write in writes:
        match write:
            case Put(record):
                waiting.setdefault(type(record), []).append(record)
            case Forget(address):
                _put(db, InstanceRecord, waiting)
                db.execute("DELETE FROM instances WHERE address = ?", (address,))
            case Advance():
                _put(db, AttemptRecord, waiting)
                _put(db, InstanceRecord, waiting)
                _advance(db, write)
            case Observe():
                _put(db, AttemptRecord, waiting)
                _observe(db, write)
            case Pay(run_id, at):
                _put(db, OwedRecord, waiting)
                db.execute("UPDATE owed SET paid_at = ? WHERE run_id = ?", (at, run_id))
            case Move():
                for touched in (AttemptRecord, InstanceRecord, OwedRecord):
                    _put(db, touched, waiting)
                _move(db, write)
            case _:
                assert_never(write)
    for kind in list(waiting):
        _put(db, kind, waiting)


def _put(db: sqlite3.Connection, kind: type[Record], waiting: dict[type[Record], list[Record]]) -> None:
    records = waiting.pop(kind, None)
    if not records:
        return
    steps = _steps(db, [record for record in records if isinstance(record, AttemptRecord)])
    sql, values = _upsert(kind.table)
    db.executemany(sql, map(values, records))
    db.executemany(_JOURNAL_SQL, steps)


@cache
def _upsert(table: str) -> tuple[str, Callable[[Record], tuple[Any, ...]]]:
    """The statement that inserts a record or replaces the row with its key, which keeps its place; and its values.

    sqlite-utils would look the table up anew each time: 0.3 ms, a fifth of what a submission costs.
    """
    (kind,) = (kind for kind in RECORD_TYPES if kind.table == table)
    names = columns(kind)
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name != kind.key)
    listed = ", ".join(f'"{name}"' for name in names)
    places = ", ".join("?" * len(names))
    sql = f'INSERT INTO "{kind.table}" ({listed}) VALUES ({places}) ON CONFLICT ("{kind.key}") DO UPDATE SET {changed}'
    return sql, attrgetter(*names)


def _steps(db: sqlite3.Connection, attempts: list[AttemptRecord]) -> list[tuple[Any, ...]]:
    """The journal's rows for attempts that are new, or whose phase changes."""
    phases: dict[str, str] = {}
    steps = []
    for attempt in attempts:
        key = attempt.attempt_id
        if key not in phases:
            row = db.execute("SELECT phase FROM attempts WHERE attempt_id = ?", (key,)).fetchone()
            phases[key] = row[0] if row else ""
        if phases[key] != attempt.phase:
            steps.append((key, attempt.phase, attempt.settled_at or attempt.prepared_at, attempt.note))
        phases[key] = attempt.phase
    return steps


def _advance(db: sqlite3.Connection, write: Advance) -> None:
    settled_at = write.at if write.phase in SETTLED_PHASES else None
    values: tuple[Any, ...] = (write.phase, write.note, settled_at)
    if write.run_id is None:
        moved = db.execute(_ADVANCE_SQL, (*values, write.attempt_id))
    else:
        named = {"run": write.run_id, "provisional": write.provisional, "attempt": write.attempt_id}
        moved = db.execute(_ACCEPT_SQL, {"phase": values[0], "note": values[1], "settled": values[2], **named})
    if moved.rowcount != 1:
        raise invalid(f"There is no attempt {write.attempt_id}.")
    if write.run_id is not None:
        db.execute(_POINT_SQL, (write.attempt_id, write.attempt_id))
    db.execute(_JOURNAL_SQL, (write.attempt_id, write.phase, write.at, write.note))


def _move(db: sqlite3.Connection, write: Move) -> None:
    source, target = write.source, write.target
    recorded = (bool(db.execute(_RECORDED_SQL, (address,)).fetchone()[0]) for address in (source, target))
    check_move(write, *recorded)
    (before,) = db.execute(_HIGHEST_SQL, (target,)).fetchone()
    db.execute("UPDATE instances SET address = ?, recorded_at = ? WHERE address = ?", (target, write.at, source))
    db.execute("UPDATE attempts SET address = ?, number = number + ? WHERE address = ?", (target, before, source))
    db.execute("UPDATE owed SET address = ? WHERE address = ?", (target, source))


def _observe(db: sqlite3.Connection, write: Observe) -> None:
    db.execute(_OBSERVE_SQL, {name: getattr(write, name) for name in Observe.__struct_fields__})
