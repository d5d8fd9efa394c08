"""The state in a SQLite file: WAL, ``synchronous=FULL``, one connection that threads share.

Tables, migrations and rare reads go through sqlite-utils. What runs once for each submission or each instance (writes,
the snapshot) is plain SQL and positional rows: sqlite-utils looks the table up anew each time, which costs 0.3 ms.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from state.errors import (
    StateBoundElsewhere,
    StateMissing,
    StateOutdated,
    StateReadOnly,
    translated,
)
from state.records import Holder, Meta, Row, Snapshot
from state.sqlite import connection, exchange, place, queries
from state.sqlite.fence import Fence, epoch_of
from state.sqlite.lead import lead
from state.sqlite.reading import Reading
from state.sqlite.writing import apply_writes
from state.store import Leadership
from state.writes import Write, is_decision

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.db import Table


def open_sqlite(path: Path, *, base_url: str, create: bool = False, read_only: bool = False) -> SqliteStore:
    """Open the state in ``path``; ``create`` makes one that is missing, bound to ``base_url``.

    Raises StateMissing, StateBoundElsewhere, StateNewer, StateOutdated, StateCorrupt, StateNotLocal, StateNotPrivate,
    StateNotOurs, StateUnreadable, StateUnwritable or StateBusy; a database that is refused is not touched.
    """
    path = path.absolute()
    create = create and not read_only
    with translated(str(path)):
        exists = path.exists()
        if not exists and not create:
            raise _missing(path)
        place.refuse_network(path)
        if exists:
            place.refuse_shared(path)
        else:
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
    return StateMissing(
        f"There is no state database ({path}).",
        "Run `reconciler apply` or `reconciler init --fresh` to make it, or check the state's URL.",
    )


def _bound(store: SqliteStore, base_url: str) -> SqliteStore:
    found = store.meta().base_url
    if found == base_url:
        return store
    store.close()
    raise StateBoundElsewhere(
        f"The state records the runs of {found}, not of {base_url} ({store.path}).",
        "Use another state for another service, or put the former base_url back.",
    )


class SqliteStore(Reading):
    """A :class:`state.store.Store` in a SQLite file. Made by :func:`open_sqlite`."""

    def __init__(self, path: Path, opened: sqlite3.Connection, *, read_only: bool = False, blind: bool = False) -> None:
        self.path = path
        self._connection = opened
        self._read_only = read_only
        self._blind = blind  # later commits are seen by a new connection only
        self._guard = threading.Lock()
        self._fence = Fence(Path(f"{path}.lock"))

    # -- reading --------------------------------------------------------------------------------------------------

    def meta(self) -> Meta:
        with self._reading() as db:
            return queries.read_meta(db)

    def snapshot(self) -> Snapshot:
        with self._reading() as db:
            return Snapshot(
                meta=queries.read_meta(db),
                instances={row[0]: queries.INSTANCE(row) for row in db.execute(queries.INSTANCES_SQL)},
                current={row[0]: queries.ATTEMPT(row[1:]) for row in db.execute(queries.CURRENT_SQL)},
                open={attempt.address: attempt for attempt in map(queries.ATTEMPT, db.execute(queries.OPEN_SQL))},
                owed=tuple(map(queries.OWED, db.execute(queries.OWED_SQL))),
                specs={row[0]: queries.SPEC(row) for row in db.execute(queries.SPECS_SQL)},
                marks={row[0]: queries.MARK(row) for row in db.execute(queries.MARKS_SQL)},
            )

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
        decided = any(map(is_decision, writes))
        with self._writing() as db:
            if decided:
                self._fence.check(db)
            apply_writes(db, writes)
            if decided:
                db.execute("UPDATE meta SET serial = serial + 1")
            return int(db.execute("SELECT serial FROM meta").fetchone()[0])

    def export(self) -> AbstractContextManager[tuple[Meta, Iterator[Row]]]:
        return self._export()

    @contextmanager
    def _export(self) -> Iterator[tuple[Meta, Iterator[Row]]]:
        """On a connection of its own: whoever reads the rows may take his time."""
        place = str(self.path)
        with self._reading():  # a closed store has nothing to give
            pass
        with translated(place):
            opened, _ = connection.reader(self.path)
        with closing(opened) as db:
            with translated(place):
                db.execute("BEGIN")
                meta = queries.read_meta(db)
            yield meta, exchange.rows(db, place)

    def replace(self, meta: Meta, rows: Iterable[Row]) -> None:
        with self._writing() as db:
            self._fence.check(db)
            exchange.replace(db, meta, rows)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction, which locks out other writers from its start."""
        self._refuse_if_read_only()
        with self._guard, translated(str(self.path)):
            db = self._connection
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _refuse_if_read_only(self) -> None:
        if self._read_only:
            raise StateReadOnly(f"The state was opened only for reading ({self.path}).", "Open it for writing.")

    def epoch(self) -> int:
        """How often the lock was taken or broken; what a restore must surpass."""
        with self._reading() as db:
            return epoch_of(db)

    def overwrite(self, source: Path) -> None:
        """Put the content of another state in the place of ours, in one durable step. Call it under the lock.

        Other handles stay usable and see the new content; those with a lock of before can record no decision in it.
        """
        with self._writing() as db:
            self._fence.check(db)
        with self._guard, translated(str(self.path)), closing(connection.reader(source)[0]) as other:
            other.backup(self._connection, progress=connection.give_up_when_busy)

    def migrate(self, base_url: str) -> None:
        """Bring the tables to the present version."""
        from state.sqlite.migrations import migrate

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
        self._refuse_if_read_only()
        return self._locked(command, timeout)

    @contextmanager
    def _locked(self, command: str, timeout: float) -> Iterator[Holder]:
        while True:
            with self._fence.file.acquire(command, timeout) as holder:
                with self._writing() as db:
                    epoch = self._fence.enter(db, holder)
                if epoch is not None:
                    self._fence.epoch = epoch
                    yield holder
                    return

    def lead(self) -> Leadership | None:
        self._refuse_if_read_only()
        return lead(Path(f"{self.path}.leader"))

    def unlock(self, lock_id: str) -> Holder:
        with self._writing() as db:
            return self._fence.abolish(db, lock_id)

    def holder(self) -> Holder | None:
        return self._fence.file.holder()

    def close(self) -> None:
        with self._guard:
            self._connection.close()
