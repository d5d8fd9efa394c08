"""The lock of a SQLite state: a file that one process holds, and an epoch in the database that outlives the file.

A process that was stopped, and whose lock was broken meanwhile, wakes up in the belief that it has the lock. What it
then wants to decide carries the epoch of its lock, which is no longer that of the database.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from state.errors import StateLockDiffers, StateLockLost, StateNotLocked
from state.holder import describe
from state.records import Holder
from state.sqlite.lock import FileLock


class Fence:
    """One for each handle. Every method that takes ``db`` runs inside an immediate transaction of it."""

    def __init__(self, path: Path) -> None:
        self.file = FileLock(path)
        self.epoch: int | None = None  # of our last lock; None: this handle never had it, and is not checked

    def enter(self, db: sqlite3.Connection, holder: Holder) -> int | None:
        """Raise the epoch; returns the one that is ours once this is committed.

        None if the lock was broken before that, which is done in a transaction too.
        """
        if not self.file.stands(holder):
            return None
        db.execute(_RAISE_SQL, (str(holder),))
        return epoch_of(db)

    def check(self, db: sqlite3.Connection) -> None:
        """Raise StateLockLost if another has taken or broken the lock since we had it."""
        found, by = db.execute("SELECT epoch, epoch_by FROM meta").fetchone()
        if self.epoch is not None and self.epoch != found:
            raise StateLockLost(by)

    def abolish(self, db: sqlite3.Connection, lock_id: str) -> Holder:
        """Break the lock with this id; returns who held it. Raises StateNotLocked and StateLockDiffers."""
        holder = self.file.holder()
        if holder is None:
            raise StateNotLocked(str(self.file.path))
        if holder.lock_id != lock_id:
            raise StateLockDiffers(lock_id, holder)
        db.execute(_RAISE_SQL, (str(describe("unlock")),))
        self.file.abolish(lock_id)
        return holder


def epoch_of(db: sqlite3.Connection) -> int:
    """How often the lock was taken or broken."""
    return int(db.execute("SELECT epoch FROM meta").fetchone()[0])


_RAISE_SQL = "UPDATE meta SET epoch = epoch + 1, epoch_by = ?"
