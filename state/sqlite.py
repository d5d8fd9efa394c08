"""The state in a SQLite file: WAL, ``synchronous=FULL``, one connection that threads share.

Puts and rare reads go through sqlite-utils. What runs once for each submission or each instance (Advance, Observe,
the snapshot) is plain SQL and positional rows: sqlite-utils looks the table up anew each time, which costs 0.3 ms.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from state import connection
from state.errors import (
    StateBoundElsewhere,
    StateMissing,
    StateOutdated,
    StateReadOnly,
    translated,
)
from state.lock import FileLock
from state.records import (
    AttemptRecord,
    BaselineRecord,
    EventRecord,
    Holder,
    InstanceRecord,
    JournalRecord,
    Meta,
    OwedRecord,
    PlanActionRecord,
    Record,
    Snapshot,
    SpecRecord,
)
from state.rows import columns, decoder
from state.writes import Write, is_decision
from state.writing import apply_writes

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.db import Table

R = TypeVar("R", bound=Record | JournalRecord)


def open_sqlite(path: Path, *, base_url: str, create: bool = False, read_only: bool = False) -> SqliteStore:
    """Open the state in ``path``; ``create`` makes one that is missing, bound to ``base_url``.

    Raises StateMissing, StateBoundElsewhere, StateNewer, StateOutdated, StateCorrupt, StateUnreadable,
    StateUnwritable or StateBusy; a database that is refused is not touched.
    """
    path = path.absolute()
    create = create and not read_only
    with translated(str(path)):
        if not path.exists():
            if not create:
                raise _missing(path)
            connection.create_file(path)
        reading, blind = connection.reader(path)
        try:
            version = connection.version(reading, path)
            if version == 0 and not create:  # the file of a creation that was cut short
                raise _missing(path)
            if read_only and version < connection.SCHEMA_VERSION:
                raise StateOutdated(
                    f"The state has the older version {version} ({path}).",
                    "Run `reconciler refresh` once to upgrade it.",
                )
            if not read_only:
                connection.check(reading, path)
        except BaseException:
            reading.close()
            raise
        if read_only:
            return _bound(SqliteStore(path, reading, read_only=True, blind=blind), base_url)
        reading.close()
        connection.make_private(path)
        store = SqliteStore(path, connection.writer(path))
        if version < connection.SCHEMA_VERSION:
            store.migrate(base_url)
        return _bound(store, base_url)


def _missing(path: Path) -> StateMissing:
    return StateMissing(f"There is no state database ({path}).", "Run `reconciler init`, or check the state's URL.")


def _bound(store: SqliteStore, base_url: str) -> SqliteStore:
    found = store.meta().base_url
    if found == base_url:
        return store
    store.close()
    raise StateBoundElsewhere(
        f"The state records the runs of {found}, not of {base_url} ({store.path}).",
        "Use another state for another service, or put the former base_url back.",
    )


class SqliteStore:
    """A :class:`state.store.Store` in a SQLite file. Made by :func:`open_sqlite`."""

    def __init__(self, path: Path, opened: sqlite3.Connection, *, read_only: bool = False, blind: bool = False) -> None:
        self.path = path
        self._connection = opened
        self._read_only = read_only
        self._blind = blind  # later commits are seen by a new connection only
        self._guard = threading.Lock()
        self._lock = FileLock(Path(f"{path}.lock"))

    # -- reading --------------------------------------------------------------------------------------------------

    def meta(self) -> Meta:
        with self._reading() as db:
            return _read_meta(db)

    def snapshot(self) -> Snapshot:
        with self._reading() as db:
            return Snapshot(
                meta=_read_meta(db),
                instances={row[0]: _INSTANCE(row) for row in db.execute(_INSTANCES_SQL)},
                current={row[0]: _ATTEMPT(row[1:]) for row in db.execute(_CURRENT_SQL)},
                open={attempt.address: attempt for attempt in map(_ATTEMPT, db.execute(_OPEN_SQL))},
                owed=tuple(map(_OWED, db.execute(_OWED_SQL))),
                specs={row[0]: _SPEC(row) for row in db.execute(_SPECS_SQL)},
            )

    def attempts(self, addresses: Iterable[str] | None = None) -> list[AttemptRecord]:
        where, arguments = ("1", ()) if addresses is None else (_among("address"), (json.dumps(list(addresses)),))
        return self._attempts(where, arguments)

    def attempts_of_runs(self, run_ids: Iterable[str]) -> list[AttemptRecord]:
        return self._attempts(_among("run_id"), (json.dumps(list(run_ids)),))

    def baseline(self, baseline_id: str) -> BaselineRecord | None:
        found = self._rows(BaselineRecord, "baselines", "baseline_id = ?", [baseline_id])
        return found[0] if found else None

    def plan_actions(self, plan_id: str) -> list[PlanActionRecord]:
        return self._rows(PlanActionRecord, "plan_actions", "plan_id = ?", [plan_id])

    def events(self, address: str | None = None) -> list[EventRecord]:
        return self._rows(EventRecord, "events", *_matching("address", address))

    def journal(self, attempt_id: str | None = None) -> list[JournalRecord]:
        return self._rows(JournalRecord, "journal", *_matching("attempt_id", attempt_id))

    def _attempts(self, where: str, arguments: tuple[str, ...]) -> list[AttemptRecord]:
        with self._reading() as db:
            sql = f"SELECT {_names(AttemptRecord)} FROM attempts WHERE {where} ORDER BY address, number, attempt_id"
            return [_ATTEMPT(row) for row in db.execute(sql, arguments)]

    def _rows(self, kind: type[R], table: str, where: str | None, arguments: list[str]) -> list[R]:
        """Rows in the order in which they were first written."""
        with self._reading():
            rows = self._table(table).rows_where(where, arguments, order_by="rowid", select=_names(kind))
            return list(map(decoder(kind), (tuple(row.values()) for row in rows)))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view, whatever others commit meanwhile."""
        with self._guard, translated(str(self.path)):
            if self._blind:
                self._connection.close()
                self._connection, self._blind = connection.reader(self.path)
                self.__dict__.pop("_utils", None)
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    # -- writing --------------------------------------------------------------------------------------------------

    def commit(self, writes: Sequence[Write]) -> int:
        if self._read_only:
            raise StateReadOnly(f"The state was opened only for reading ({self.path}).", "Open it for writing.")
        with self._guard, translated(str(self.path)):
            db = self._connection
            db.execute("BEGIN IMMEDIATE")
            try:
                apply_writes(db, self._table, writes)
                if any(map(is_decision, writes)):
                    db.execute("UPDATE meta SET serial = serial + 1")
                serial = int(db.execute("SELECT serial FROM meta").fetchone()[0])
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            return serial

    def migrate(self, base_url: str) -> None:
        """Bring the tables to the present version."""
        from state.migrations import migrate

        migrate(self._utils, base_url, datetime.now(UTC).isoformat())

    def _table(self, name: str) -> Table:
        return self._utils.table(name)

    @cached_property
    def _utils(self) -> Database:
        # Its import takes 70 ms, which a plan without changes need not pay.
        from sqlite_utils import Database

        return Database(self._connection, execute_plugins=False)

    # -- the lock -------------------------------------------------------------------------------------------------

    def lock(self, command: str, timeout: float = 0.0) -> AbstractContextManager[Holder]:
        if self._read_only:
            raise StateReadOnly(f"The state was opened only for reading ({self.path}).", "Open it for writing.")
        return self._lock.acquire(command, timeout)

    def holder(self) -> Holder | None:
        return self._lock.holder()

    def close(self) -> None:
        with self._guard:
            self._connection.close()


def _names(kind: type[R], prefix: str = "") -> str:
    return ", ".join(f'{prefix}"{name}"' for name in columns(kind))


def _among(column: str) -> str:
    return f"{column} IN (SELECT value FROM json_each(?))"


def _matching(column: str, value: str | None) -> tuple[str | None, list[str]]:
    return (None, []) if value is None else (f"{column} = ?", [value])


def _read_meta(db: sqlite3.Connection) -> Meta:
    return Meta(*db.execute("SELECT schema_version, lineage, serial, base_url, created_at FROM meta").fetchone())


_INSTANCE, _ATTEMPT, _OWED, _SPEC = (
    decoder(InstanceRecord),
    decoder(AttemptRecord),
    decoder(OwedRecord),
    decoder(SpecRecord),
)
_INSTANCES_SQL = f"SELECT {_names(InstanceRecord)} FROM instances"
_CURRENT_SQL = (
    f"SELECT i.address, {_names(AttemptRecord, 'a.')}"
    " FROM instances AS i JOIN attempts AS a ON a.attempt_id = i.attempt_id"
)
# The condition is that of the partial index, to the letter; the newest attempt of an address comes last.
_OPEN_SQL = (
    f"SELECT {_names(AttemptRecord)} FROM attempts"
    " WHERE phase IN ('SENDING', 'UNKNOWN') OR provisional ORDER BY address, number, attempt_id"
)
_OWED_SQL = f"SELECT {_names(OwedRecord)} FROM owed WHERE paid_at IS NULL ORDER BY owed_at, rowid"
_SPECS_SQL = f"SELECT {_names(SpecRecord)} FROM specs"
