"""Backups of a project's state, restoring one, and what this machine remembers of a state.

All of it lies in the user's data folder, away from the project: ``git clean -fdx`` must not take the state and its
backups together. States that are no SQLite file have backups of their own; of those only the serial is remembered.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from reconciler.clock import now
from reconciler.datafolder import data_folder
from reconciler.model.errors import UsageError
from reconciler.project import Project
from state import consents, machine
from state.errors import (
    StateBoundElsewhere,
    StateCorrupt,
    StateError,
    StateForeign,
    StateLineageDiffers,
    StateMissing,
)
from state.holder import describe
from state.open import sqlite_path
from state.records import OPEN_PHASES, UNTRACKED, AttemptRecord, MarkRecord, Meta
from state.sqlite import backups
from state.sqlite.backups import Backup, Why
from state.sqlite.lock import FileLock
from state.sqlite.store import SqliteStore, open_sqlite
from state.store import Store

_COMMAND = "state restore"


def back_up(project: Project, store: Store, why: Why) -> Path | None:
    """Back the state up into the data folder; None for a state that is no SQLite file. Raises StateError."""
    return _back_up(store.path, why) if isinstance(store, SqliteStore) else None


def remember(store: Store) -> str | None:
    """Remember the state's serial and place on this machine. Returns a warning for people, or None."""
    meta = store.meta()
    path = store.path if isinstance(store, SqliteStore) else None
    return machine.remember(data_folder(), meta.lineage, meta.serial, path)


def highest_serial(lineage: str) -> int:
    """The highest serial of a lineage that this machine ever saw; 0 for one that it does not know."""
    memory, _ = machine.recall(data_folder(), lineage)
    return max(memory.highest_serial, backups.highest_serial(data_folder(), lineage))


def back_up_by_hand(project: Project, out: Path | None) -> Path:
    """Back the state up because somebody asks for it, into a file of that name, else into the data folder.

    Raises StateError, and UsageError for a state that is no SQLite file.
    """
    database = _database(project)
    project.open_state(read_only=True).close()  # whatever speaks against the state is said before anything is made
    if out is None:
        return _back_up(database, Why.BY_HAND)
    backups.back_up_to(database, out)
    return out


def restorable(project: Project) -> list[Backup]:
    """The backups that may be restored, newest first: those of the present state.

    If there is none, or it has no attempts: those of all states that this machine knows to have been in this place.
    """
    database, lineages = _database(project), []
    try:
        store = project.open_state(read_only=True)
        try:
            lineages = [store.meta().lineage]
            if store.attempts():
                return backups.list_backups(data_folder(), lineages)
        finally:
            store.close()
    except StateError:  # missing, damaged, …: all the more a reason to look for backups
        pass
    return backups.list_backups(data_folder(), {*lineages, *machine.lineages_at(data_folder(), database)})


class Restored(Struct, frozen=True):
    """What a restore did, or would do."""

    backup: Path
    backup_serial: int
    attempts: int  # in the backup
    serial: int  # of the state afterwards: one that it never had before
    lost: tuple[AttemptRecord, ...] = ()  # runs and open submissions of the present state that the backup lacks
    present: Path | None = None  # the database that was there
    kept: Path | None = None  # its backup
    aside: Path | None = None  # where it lies now, if it was damaged
    approvals: int = 0  # of the backup: they count no more


class _Incoming(Struct, frozen=True):
    """A backup that may be restored, as a private copy in the present version."""

    file: Path
    copy: Path
    meta: Meta
    attempts: tuple[AttemptRecord, ...]


def restore(project: Project, file: Path | None, dry_run: bool = False, lock_seconds: float = 0.0) -> Restored:
    """Put a backup in the place of the state, under its lock; without ``file`` the newest that fits.

    A present database is backed up and then overwritten in one step, a damaged one is moved aside, a missing one is
    made. Errors: StateLocked, StateMissing, StateCorrupt, StateNewer, StateBoundElsewhere, StateLineageDiffers and
    other StateErrors; UsageError for a state that is no SQLite file.
    """
    database = _database(project)
    file = (file or _newest(project)).absolute()
    with tempfile.TemporaryDirectory(prefix="reconciler-") as folder, ExitStack() as stack:
        copy, meta = stack.enter_context(backups.checked_copy(file, Path(folder)))
        incoming = _Incoming(file, copy, meta, _upgraded(copy, file, meta, project.settings.base_url))
        if dry_run:
            return _foresee(project, database, incoming)
        aside = _make_way(project, database, lock_seconds)
        existed = database.exists()
        store = project.open_state(create=True)
        assert isinstance(store, SqliteStore)
        stack.callback(store.close)
        with store.lock(_COMMAND, lock_seconds):
            return _overwrite(store, incoming, existed, aside)


def _overwrite(store: SqliteStore, incoming: _Incoming, existed: bool, aside: Path | None) -> Restored:
    """The restore itself, under the lock."""
    present = store.meta()
    lost = _lost(store, incoming)
    kept = backups.back_up(store.path, data_folder(), Why.BEFORE_RESTORE, {incoming.file})[0] if existed else None
    serial = _next_serial(present, incoming.meta)
    approvals = _consent_again(store, incoming)
    mark = MarkRecord(UNTRACKED, "due", now())
    backups.stamp(incoming.copy, serial=serial, epoch=store.epoch(), by=str(describe(_COMMAND)), mark=mark)
    store.overwrite(incoming.copy)
    machine.remember(data_folder(), incoming.meta.lineage, serial, store.path)
    there = store.path if existed or aside else None
    return replace(_told(incoming, serial, lost, present=there, kept=kept, aside=aside), approvals=approvals)


def _consent_again(present: Store, incoming: _Incoming) -> int:
    """Bring the copy's consents to where they stand, and revoke its approvals: what they let pass may have been done
    since, or they may have been revoked where the present state does not tell. Returns how many counted.
    """
    with closing(open_sqlite(incoming.copy, base_url=incoming.meta.base_url)) as copy:
        copy.commit(consents.newer(present, copy))
        revoked = consents.revoked(copy, now())
        copy.commit(revoked)
    return len(revoked)


def _foresee(project: Project, database: Path, incoming: _Incoming) -> Restored:
    """What a restore would do; writes nothing."""
    serial = _next_serial(None, incoming.meta)
    try:
        store = project.open_state(read_only=True)
        try:
            lost = _lost(store, incoming)
            return _told(incoming, _next_serial(store.meta(), incoming.meta), lost, present=database)
        finally:
            store.close()
    except StateMissing:
        return _told(incoming, serial, ())
    except StateForeign:
        raise
    except StateCorrupt:
        return _told(incoming, serial, (), present=database, aside=database)


def _told(
    incoming: _Incoming,
    serial: int,
    lost: tuple[AttemptRecord, ...],
    *,
    present: Path | None = None,
    kept: Path | None = None,
    aside: Path | None = None,
) -> Restored:
    count = len(incoming.attempts)
    return Restored(incoming.file, incoming.meta.serial, count, serial, lost, present, kept, aside)


def _lost(store: Store, incoming: _Incoming) -> tuple[AttemptRecord, ...]:
    """Runs and open submissions that the backup lacks. Raises StateLineageDiffers for the backup of another state."""
    present, mine = store.meta(), store.attempts()
    if mine and present.lineage != incoming.meta.lineage:
        raise StateLineageDiffers(
            f"The backup is that of another state (lineage {incoming.meta.lineage}), and the present one"
            f" ({present.lineage}) has {len(mine)} attempt(s); nothing was changed ({incoming.file}).",
            "Name a backup of this state (`reconciler state restore --list`), or move the present database away first.",
        )
    runs = {attempt.run_id for attempt in incoming.attempts}
    known = {attempt.attempt_id for attempt in incoming.attempts}
    return tuple(
        attempt
        for attempt in mine
        if (attempt.run_id is not None and attempt.run_id not in runs)
        or (attempt.phase in OPEN_PHASES and attempt.attempt_id not in known)
    )


def _next_serial(present: Meta | None, incoming: Meta) -> int:
    """No serial of a lineage may stand for two contents: saved plans and colleagues tell states apart by it."""
    mine = present.serial if present and present.lineage == incoming.lineage else 0
    return max(mine, incoming.serial, highest_serial(incoming.lineage)) + 1


def _upgraded(copy: Path, file: Path, meta: Meta, base_url: str) -> tuple[AttemptRecord, ...]:
    """Bring a copy to the present version, and return its attempts. Raises StateBoundElsewhere."""
    if meta.base_url != base_url:
        raise StateBoundElsewhere(
            f"The backup records the runs of {meta.base_url}, not of {base_url} ({file}).",
            "Name another backup, or put the former base_url back.",
        )
    store = open_sqlite(copy, base_url=base_url)
    try:
        return tuple(store.attempts())
    finally:
        store.close()


def _make_way(project: Project, database: Path, lock_seconds: float) -> Path | None:
    """Move a damaged database aside; returns its new path. Somebody else's database is left alone, as an error."""
    try:
        project.open_state().close()
    except StateMissing:
        return None
    except StateForeign:
        raise
    except StateCorrupt:
        with FileLock(Path(f"{database}.lock")).acquire(_COMMAND, lock_seconds):
            return backups.move_aside(database)
    return None


def _back_up(database: Path, why: Why) -> Path:
    made, meta = backups.back_up(database, data_folder(), why)
    machine.remember(data_folder(), meta.lineage, meta.serial, database)  # so that it is found when the database is not
    return made


def _newest(project: Project) -> Path:
    for backup in restorable(project):
        if backup.why is not Why.BEFORE_RESTORE and backup.attempts is not None:
            return backup.path
    raise StateMissing(
        f"This machine has no backup of the state ({data_folder()}).",
        "Name a file: `reconciler state restore FILE`.",
    )


def _database(project: Project) -> Path:
    path = sqlite_path(project.state_url, project.root)
    if path is None:
        raise UsageError(
            "This state is no SQLite file: back it up and restore it with its database's own tools. A copy that any"
            " kind of state takes is written by `reconciler state pull --out FILE`."
        )
    return path
