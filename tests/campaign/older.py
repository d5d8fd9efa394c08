"""A state as the first version of the product made it, out of one of the present version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database, Migrations

from state.sqlite.migrations import MIGRATIONS


def make_older(path: Path) -> None:
    """Turn the state in ``path`` back into version 1: the tables of the first migration, with the rows that it has."""
    old = path.with_name("older.db")
    with closing(sqlite3.connect(old)) as db, closing(sqlite3.connect(path)) as present:
        first = Migrations(MIGRATIONS.name)
        (migration, *_) = MIGRATIONS.pending(Database(":memory:"))
        first(name=migration.name)(migration.fn)
        first.apply(Database(db))
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            if not table.startswith(("_", "sqlite_")):
                rows = present.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall()
                marks = ", ".join("?" * len(names))
                db.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)
        db.execute("UPDATE meta SET schema_version = 1")
        db.commit()
        db.execute("PRAGMA user_version = 1")
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    old.chmod(0o600)
    old.replace(path)
