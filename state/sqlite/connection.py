"""Connections to a SQLite file: for writing, for reading without leaving a trace, and what is checked before either."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

from state.errors import StateBusy, StateCorrupt, StateForeign, StateNewer, StateUnwritable
from state.files import sync

SCHEMA_VERSION = 4  # the number of migrations; also in PRAGMA user_version and in meta
BUSY_SECONDS = 10.0  # how long to wait for another process's transaction


def writer(path: Path) -> sqlite3.Connection:
    """A connection whose commits survive a power cut."""
    connection = _connect(path, "mode=rw")
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StateUnwritable(
                f"The state database can't keep a write-ahead log ({path}: journal mode {mode}).",
                "Put the state on a local disk.",
            )
        connection.execute("PRAGMA synchronous = FULL")
        # macOS keeps an fsync in the drive's cache unless told otherwise; elsewhere these two do nothing.
        connection.execute("PRAGMA fullfsync = 1")
        connection.execute("PRAGMA checkpoint_fullfsync = 1")
        connection.execute("PRAGMA foreign_keys = 1")
        # SQLite opens a file that may not be written for reading, without a word: better to hear of it now than after
        # something was bought. Nothing reaches the disk.
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA user_version = {found:d}")
        connection.execute("ROLLBACK")
    except BaseException:
        connection.close()
        raise
    return connection


def reader(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection that writes nothing, and whether it is blind to commits that are made from now on.

    - With a log beside the database (a writer is at work, or was killed): ``mode=ro``, which neither moves the log's
      content into the database nor removes the log.
    - Without: ``query_only``, since ``mode=ro`` would make an empty log and leave it behind.
    - In a place where we may not write: ``immutable``, since SQLite could not make the log's index. The file is
      whole as long as it has no log, but the connection does not notice later changes.
    """
    if 0 < path.stat().st_size < 512:  # SQLite would take it for an empty database
        raise StateCorrupt(f"This is no SQLite database ({path}); it was not touched.", "Name another file.")
    log = Path(f"{path}-wal")
    if log.exists() and log.stat().st_size > 0:
        return _connect(path, "mode=ro"), False
    if _writable(path) and _writable(path.parent):
        connection = _connect(path, "mode=rw")
        connection.execute("PRAGMA query_only = 1")
        return connection, False
    return _connect(path, "mode=ro&immutable=1"), True


def version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version; 0 for an empty database. Raises StateNewer, or StateForeign for somebody else's tables."""
    connection.execute("BEGIN")  # both as of one moment: another process may be making the tables just now
    try:
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    finally:
        connection.execute("ROLLBACK")
    if names and (found == 0 or "meta" not in names):
        raise StateForeign(
            f"This is a SQLite database, but no state ({path}); it was not touched.", "Name another file."
        )
    if found > SCHEMA_VERSION:
        raise StateNewer(
            f"The state has version {found}, this tool knows {SCHEMA_VERSION} ({path}); it was not touched.",
            "Install the newer version of reconciler that your colleagues use.",
        )
    return found


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StateCorrupt if a page or an index is damaged."""
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StateCorrupt(
            f"The state database is damaged ({path}: {verdict}); it was not touched.",
            "Restore a backup with `reconciler state restore`.",
        )


def give_up_when_busy(status: int, remaining: int, total: int) -> None:
    """For the progress of a backup: Python would try for ever, though SQLite has waited long enough already."""
    if status & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise StateBusy("Another process is writing to the state.", "Try again when it is done.")


def create_file(path: Path) -> None:
    """Make an empty file of mode 0600, and missing folders of mode 0700. SQLite gives its log the mode of the file."""
    for folder in reversed([folder for folder in path.parents if not folder.exists()]):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync(folder.parent)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    sync(path.parent)


def make_private(path: Path) -> None:
    """Take the rights of group and others away from our own log, index and locks, which a copy may have given them.

    The database itself is not mended: who could write to it may have done so (``place.refuse_shared``).
    """
    for file in (Path(f"{path}{end}") for end in ("-wal", "-shm", ".lock", ".leader")):
        if file.exists():
            found = file.stat()
            if found.st_mode & 0o077 and found.st_uid == os.geteuid():
                file.chmod(stat.S_IMODE(found.st_mode) & 0o700)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,  # transactions begin where we say so
        check_same_thread=False,  # the store has a lock of its own
        cached_statements=256,
    )


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
