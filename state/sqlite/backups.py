"""Backups of a SQLite state: whole files, made by SQLite's online backup while others write, each checked when made.

They lie in ``FOLDER/<lineage>/``; the name holds time, serial and why: ``20250131T120000.000000Z-42-before-apply.db``.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from state.errors import StateCorrupt, StateError, StateMissing, translated
from state.files import new_file, sync, temporary
from state.machine import LINEAGE, make_folder
from state.records import MarkRecord, Meta
from state.sqlite import connection, queries

KEPT = 10  # of those that were made by themselves; what was made by hand stays
_NAME = re.compile(
    r"(\d{8}T\d{6}\.\d{6}Z)-(\d+)-(before-apply|before-restore|before-push|before-mv|before-rm|by-hand)\.db"
)
_TIME = "%Y%m%dT%H%M%S.%fZ"
_FURTHER = 1000  # more than the lock can be taken or broken while a restore is at work


class Why(StrEnum):
    """What made a backup."""

    BEFORE_APPLY = "before-apply"
    BEFORE_RESTORE = "before-restore"
    BEFORE_PUSH = "before-push"
    BEFORE_MOVE = "before-mv"
    BEFORE_REMOVAL = "before-rm"
    BY_HAND = "by-hand"


class Backup(Struct, frozen=True):
    """One file. ``at`` is ISO 8601 in UTC; ``attempts`` is None for a file that can't be read."""

    path: Path
    at: str
    serial: int
    why: Why
    attempts: int | None


def back_up(database: Path, folder: Path, why: Why, spare: Collection[Path] = ()) -> tuple[Path, Meta]:
    """Copy a database, open or closed, into ``folder``; returns the new file and what it says of itself.

    Then the oldest are dropped, but for those made by hand and those to ``spare``. Raises StateError; what was there
    before is still there then.
    """
    with translated(str(folder)), temporary(folder) as copy:
        meta = _copy(database, copy)
        home = folder / meta.lineage
        make_folder(home)
        while True:
            moment = datetime.now(UTC).strftime(_TIME)
            target = home / f"{moment}-{meta.serial}-{why}.db"
            if not target.exists():
                break
        copy.rename(target)
        sync(home)
        _prune(home, spare)
        return target, meta


def back_up_to(database: Path, target: Path) -> Meta:
    """Copy a database, open or closed, to a file of this name. Raises StateUnwritable if there is one."""
    with new_file(target) as path:
        return _copy(database, path)


def list_backups(folder: Path, lineages: Iterable[str]) -> list[Backup]:
    """The backups of these lineages, newest first."""
    found = [_read(path) for lineage in lineages for path in _files(folder / lineage)]
    return sorted(found, key=lambda backup: backup.path.name, reverse=True)


def highest_serial(folder: Path, lineage: str) -> int:
    """The highest serial that a backup of this lineage has in its name; 0 without any."""
    return max((int(path.name.split("-")[1]) for path in _files(folder / lineage)), default=0)


@contextmanager
def checked_copy(file: Path, folder: Path) -> Iterator[tuple[Path, Meta]]:
    """A private copy of a backup, which was checked page by page; gone afterwards.

    Raises StateMissing, StateCorrupt, StateNewer and what else speaks against the file, which is not touched.
    """
    with translated(str(file)):
        if not file.is_file():
            raise StateMissing(f"There is no backup ({file}).", "List them with `reconciler state restore --list`.")
        with closing(connection.reader(file)[0]) as source:
            connection.version(source, file)
            verdict = source.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if verdict != "ok":
                raise StateCorrupt(f"The backup is damaged ({file}: {verdict}).", "Name another one.")
    with ExitStack() as stack:
        with translated(str(file)):
            copy = stack.enter_context(temporary(folder))
            meta = _copy(file, copy)
        yield copy, meta


def stamp(copy: Path, *, serial: int, epoch: int, by: str, mark: MarkRecord) -> None:
    """Make a copy ready to take a database's place: nobody who held that one's lock can decide anything in it."""
    with translated(str(copy)), closing(connection.writer(copy)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE meta SET serial = ?, epoch = ?, epoch_by = ?", (serial, epoch + _FURTHER, by))
        db.execute("INSERT OR REPLACE INTO marks (name, value, at) VALUES (?, ?, ?)", (mark.name, mark.value, mark.at))
        db.execute("COMMIT")


def move_aside(database: Path) -> Path:
    """Give a damaged database and its log other names; returns that of the database."""
    moment = datetime.now(UTC).strftime(_TIME)
    aside = Path(f"{database}.corrupt-{moment}")
    with translated(str(database)):
        for end in ("-wal", "-shm"):  # a log without its database would be taken for that of the next one
            if Path(f"{database}{end}").exists():
                Path(f"{database}{end}").rename(f"{aside}{end}")
        database.rename(aside)
        sync(database.parent)
    return aside


def _copy(database: Path, target: Path) -> Meta:
    """Copy into an empty file, check the copy, and make it durable."""
    with closing(connection.reader(database)[0]) as source:
        if connection.version(source, database) == 0:
            raise StateCorrupt(f"The database is empty ({database}).", "Name another file.")
        # The file is ours alone, and may lie in a home folder that is shared over a network: nothing is locked.
        with closing(sqlite3.connect(f"{target.as_uri()}?mode=rw&vfs=unix-none", uri=True, isolation_level=None)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")  # else its log would need shared memory
            source.backup(db, progress=connection.give_up_when_busy)
            db.execute("PRAGMA journal_mode = DELETE")  # one file that holds everything
            connection.check(db, database)
            meta = queries.read_meta(db)
    if not LINEAGE.fullmatch(meta.lineage):
        raise StateCorrupt(f"The lineage {meta.lineage!r} is none ({database}).", "Name another file.")
    sync(target)
    return meta


def _prune(home: Path, spare: Collection[Path]) -> None:
    made = [path for path in sorted(_files(home), reverse=True) if not path.stem.endswith(Why.BY_HAND)]
    for path in made[KEPT:]:
        if path not in spare:
            path.unlink(missing_ok=True)


def _files(home: Path) -> list[Path]:
    return [path for path in home.glob("*.db") if _NAME.fullmatch(path.name)]


def _read(path: Path) -> Backup:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    at = datetime.strptime(match[1], _TIME).replace(tzinfo=UTC).isoformat(timespec="seconds")
    attempts: int | None = None
    try:
        with translated(str(path)), closing(connection.reader(path)[0]) as db:
            attempts = int(db.execute("SELECT count(*) FROM attempts").fetchone()[0])
    except StateError:
        attempts = None  # shown as unreadable; another one may do
    return Backup(path, at, int(match[2]), Why(match[3]), attempts)
