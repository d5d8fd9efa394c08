"""The one SQLite file behind an emulator: opening it, its tables, and transactions on it.

Several processes may use the file at once, and any of them may be killed at any moment: every change is one
transaction that takes the write lock at its start, and nothing that matters is kept in memory.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

_SCHEMA_VERSION = 1
_BUSY_SECONDS = 30.0

_TABLES = """
CREATE TABLE datasets (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT, dataset_type TEXT NOT NULL,
    file_count INTEGER NOT NULL, folder_count INTEGER NOT NULL, created_at REAL NOT NULL
);
CREATE TABLE specs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT, status TEXT NOT NULL, error TEXT,
    dataset_id TEXT REFERENCES datasets(id), created_at REAL NOT NULL, updated_at REAL NOT NULL
);
CREATE TABLE spec_versions (
    spec_id TEXT NOT NULL REFERENCES specs(id), number INTEGER NOT NULL, content_yaml TEXT NOT NULL,
    created_at REAL NOT NULL, PRIMARY KEY (spec_id, number)
);
CREATE TABLE runs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, spec_id TEXT NOT NULL REFERENCES specs(id),
    spec_version INTEGER NOT NULL, runtime_params TEXT NOT NULL, created_at REAL NOT NULL,
    pending REAL NOT NULL, working REAL NOT NULL, outcome TEXT NOT NULL, failing REAL NOT NULL,
    cost_per_sample REAL NOT NULL, cancel_at REAL, packed_from REAL
);
CREATE TABLE evaluations (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE, model TEXT NOT NULL,
    created_at REAL NOT NULL, grading REAL NOT NULL
);
CREATE INDEX evaluations_of_run ON evaluations (run_id);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class UnusableDatabase(Exception):
    """The file is no database of this emulator, or one of a newer version. It is left untouched."""


class Storage:
    """One connection, shared by the threads of a process.

    `fill` puts the first rows into new tables, in the transaction that makes them. Raises `UnusableDatabase`.
    """

    def __init__(self, path: Path, fill: Callable[[Database], None]) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its -wal and -shm files the mode of the database, so this one call covers all three.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self._lock = threading.RLock()
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
        self._db = Database(connection)
        try:
            self._use_wal()
            # NORMAL survives the death of the process, which is all that an emulator promises.
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._prepare(fill)
        except (sqlite3.DatabaseError, UnusableDatabase) as error:
            connection.close()
            raise UnusableDatabase(f"{path} can't be used by the emulator: {error}") from error

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def reading(self) -> Iterator[Database]:
        """Give the database for a single query; nobody else in this process uses the connection meanwhile."""
        with self._lock:
            yield self._db

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """Give the database inside one transaction that holds the write lock from the start.

        A transaction that took the lock later could find that another process had changed what it had read.
        """
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.rollback()
                raise
            self._db.commit()

    def next_number(self, counter: str) -> int:
        """Count one more of something, across threads and processes; the first number is 1."""
        with self.writing() as db:
            statement = (
                "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
            )
            return int(db.execute(statement, [counter]).fetchone()[0])

    def secret(self) -> bytes:
        """The key that links are signed with: made once with the file, so that links outlive a process."""
        with self.reading() as db:
            return bytes.fromhex(str(db.table("secrets").get("signing")["value"]))

    def _use_wal(self) -> None:
        # SQLite doesn't wait for a lock when it changes the journal, so two first users at once need this loop.
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                self._db.enable_wal()
                return
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _prepare(self, fill: Callable[[Database], None]) -> None:
        with self.writing() as db:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version > _SCHEMA_VERSION:
                raise UnusableDatabase(f"version {version} is newer than {_SCHEMA_VERSION}")
            if version == _SCHEMA_VERSION:
                return
            if db.table_names():
                raise UnusableDatabase("it holds other tables")
            for statement in _TABLES.split(";\n"):
                if statement.strip():
                    db.execute(statement)
            db.table("secrets").insert({"name": "signing", "value": secrets.token_hex(32)})
            fill(db)
            db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
