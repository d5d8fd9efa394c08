"""Everything that can go wrong with a state, in words and with the way out.

::

    StateError
    ├── StateUrlInvalid       the URL names no store that we know
    ├── StateMissing          there is no database
    ├── StateBoundElsewhere   it records runs of another service
    ├── StateLocked           somebody else holds the lock (``holder``)
    ├── StateLockLost         the lock that this handle held was broken, or taken by another since
    ├── StateNotLocked        there is no lock to break
    ├── StateLockDiffers      the lock to break is not the one that is held (``holder``)
    ├── StateLineageDiffers   a backup, or a pulled state, of another state
    ├── StateBehind           a pulled state that knows less than the one whose place it would take, or something else
    ├── StateDocumentInvalid  what should be a pulled state is none, or is damaged or cut off
    ├── StateBusy             another process was writing for too long
    ├── StateNewer            made by a newer version of the tool
    ├── StateOutdated         made by an older version, and opened only for reading
    ├── StateCorrupt          damaged, or no state database at all
    │   └── StateForeign      a sound database of something else
    ├── StateNotLocal         on a network file system
    ├── StateNotPrivate       group or others may read or write the file
    ├── StateNotOurs          the file belongs to another user
    ├── StateUnreadable       the file or the database can't be opened
    ├── StateUnreachable      the database server does not answer, or the connection is lost
    ├── StatePooled           a pooler gives each transaction another session of the server
    ├── StateDriverMissing    the extra that brings the database's driver is not installed
    ├── StateUnwritable       disk full, or an error of the disk
    │   └── StateReadOnly     file, folder or handle is read-only
    ├── StateConflict         a run id that belongs to another attempt, or would be lost; a move that can't be
    └── StateInvalid          a write that the tables refuse: a bug of the caller

Errors of SQLite and of the operating system are mapped by the tables below, and nowhere else.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from state.records import Holder


class StateError(Exception):
    """Something is wrong with the state: ``message`` says what, ``advice`` what to do."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(f"{message} {advice}")
        self.message = message
        self.advice = advice


class StateUrlInvalid(StateError):
    """The URL names no store that we know."""


class StateMissing(StateError):
    """There is no database, and none was to be made. ``others``: workspaces that are where ours is not."""

    def __init__(self, message: str, advice: str, others: Sequence[str] = ()) -> None:
        super().__init__(message, advice)
        self.others = tuple(others)


class StateBoundElsewhere(StateError):
    """The database records runs of another service."""


class StateLineageDiffers(StateError):
    """The backup is that of another state, and would take the place of one that has attempts."""


class StateLocked(StateError):
    """Somebody else holds the lock."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(
            f"The state is locked by {holder.user}@{holder.host} (process {holder.pid}, {holder.command!r},"
            f" since {holder.since}, lock {holder.lock_id}).",
            f"Wait until that command is done (--lock-timeout 10m waits). If it hangs for good: `reconciler unlock"
            f" {holder.lock_id}`.",
        )
        self.holder = holder


class StateLockLost(StateError):
    """The lock that this handle held was broken, or was taken by another since. No decision can be recorded.

    ``by``: who did that, as far as it is known; None: nobody, the lock ended with the connection to its database.
    """

    def __init__(self, by: str | None) -> None:
        how = (
            "is gone with the connection to its database"
            if by is None
            else (f"was broken or taken over by {by or 'another command'}")
        )
        super().__init__(
            f"The state's lock {how}; nothing more is recorded.",
            "Let that command end, then run `reconciler apply` again: it settles what was being submitted.",
        )


class StateNotLocked(StateError):
    """There is no lock to break."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"The state is not locked ({place}).",
            "There is nothing to break: a lock is gone with the process that held it.",
        )


class StateLockDiffers(StateError):
    """The lock to break is not the one that is held; nothing was broken."""

    def __init__(self, lock_id: str, holder: Holder) -> None:
        super().__init__(
            f"Lock {lock_id} is not held; the state is locked by {holder}, lock {holder.lock_id}. Nothing was broken.",
            f"If that command hangs for good, run `reconciler unlock {holder.lock_id}`.",
        )
        self.holder = holder


class StateBehind(StateError):
    """A pulled state is older than the one whose place it would take, or as old and not the same."""


class StateDocumentInvalid(StateError):
    """What should be the text of a pulled state is none, or is damaged or cut off; nothing was changed."""


class StateBusy(StateError):
    """Another process was writing for longer than we wait."""


class StateNewer(StateError):
    """A newer version of the tool made this database; it was not touched."""


class StateOutdated(StateError):
    """An older version of the tool made this database, and it can't be upgraded while it is open for reading only."""


class StateCorrupt(StateError):
    """The file is damaged, or no state database; it was not touched."""


class StateForeign(StateCorrupt):
    """The file is a sound database, but of something else; it was not touched."""


class StateNotLocal(StateError):
    """The file lies, or would lie, on a network file system; nothing was touched."""


class StateNotPrivate(StateError):
    """Group or others may read or write the file; it was not touched."""


class StateNotOurs(StateError):
    """The file belongs to another user; it was not touched."""


class StateUnreadable(StateError):
    """The file or the database can't be opened."""


class StateUnreachable(StateError):
    """The database server does not answer, or the connection was lost. What was being recorded may be, or not."""


class StatePooled(StateError):
    """A pooler gives each transaction another session of the server, so a lock would protect nothing."""


class StateDriverMissing(StateError):
    """The extra that brings the database's driver is not installed."""


class StateUnwritable(StateError):
    """Nothing can be written: the disk is full or fails."""


class StateReadOnly(StateUnwritable):
    """Nothing can be written: file, folder, file system or handle is read-only."""


class StateConflict(StateError):
    """A run id that already belongs to another attempt, or that an attempt would lose; a move onto a recorded address,
    or of one that is not."""


class StateInvalid(StateError):
    """A write that makes no sense to the tables, or a store that is closed. A bug of the caller."""


_Failure = tuple[type[StateError], str, str]

_BUSY = (StateBusy, "Another process is writing to the state.", "Try again when it is done.")
_CORRUPT = (
    StateCorrupt,
    "The state database is damaged, or is no state database; it was not touched.",
    "Restore a backup with `reconciler state restore`, or name another file.",
)
_DENIED = (
    StateUnreadable,
    "The state database can't be opened.",
    "Check that the path exists and that you may use it.",
)
_FAILING = (StateUnwritable, "The disk under the state database fails.", "Look at the disk, then try again.")
_FULL = (StateUnwritable, "The disk is full.", "Make room, then try again; nothing of this step was recorded.")
_READ_ONLY = (StateReadOnly, "The state database is read-only.", "Make file and folder writable, then try again.")
_REFUSED = (StateInvalid, "The state refused a write.", "This is a bug of reconciler; please report it.")
_TAKEN = (
    StateConflict,
    "A run id already belongs to another attempt, or an attempt would lose its run.",
    "A run belongs to one attempt for good: look at `reconciler show`.",
)
_INTERRUPTED = (StateBusy, "A step on the state was interrupted.", "Try again; nothing of this step was recorded.")

# By extended result code first, then by primary code (its lowest byte).
SQLITE_FAILURES: dict[int, _Failure] = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: _TAKEN,
    sqlite3.SQLITE_CONSTRAINT_TRIGGER: _TAKEN,
    sqlite3.SQLITE_ERROR: _REFUSED,
    sqlite3.SQLITE_INTERNAL: _REFUSED,
    sqlite3.SQLITE_PERM: _DENIED,
    sqlite3.SQLITE_ABORT: _INTERRUPTED,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_NOMEM: (StateError, "There is not enough memory to use the state.", "Free some, then try again."),
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_INTERRUPT: _INTERRUPTED,
    sqlite3.SQLITE_IOERR: _FAILING,
    sqlite3.SQLITE_CORRUPT: _CORRUPT,
    sqlite3.SQLITE_NOTFOUND: _REFUSED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_CANTOPEN: _DENIED,
    sqlite3.SQLITE_PROTOCOL: _BUSY,
    sqlite3.SQLITE_EMPTY: _CORRUPT,
    sqlite3.SQLITE_SCHEMA: _BUSY,
    sqlite3.SQLITE_TOOBIG: _REFUSED,
    sqlite3.SQLITE_CONSTRAINT: _REFUSED,
    sqlite3.SQLITE_MISMATCH: _REFUSED,
    sqlite3.SQLITE_MISUSE: _REFUSED,
    sqlite3.SQLITE_NOLFS: _FULL,
    sqlite3.SQLITE_AUTH: _DENIED,
    sqlite3.SQLITE_FORMAT: _CORRUPT,
    sqlite3.SQLITE_RANGE: _REFUSED,
    sqlite3.SQLITE_NOTADB: _CORRUPT,
}

OS_FAILURES: dict[int, _Failure] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EIO: _FAILING,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
}


def from_sqlite(error: sqlite3.Error, place: str) -> StateError:
    """The StateError for an error of SQLite; ``place`` is the path, for people."""
    code: int | None = getattr(error, "sqlite_errorcode", None)  # absent for errors of Python's own binding
    if code is None:
        return _build(_REFUSED, place, str(error))
    return _build(SQLITE_FAILURES.get(code) or SQLITE_FAILURES.get(code & 0xFF) or _REFUSED, place, str(error))


def from_os(error: OSError, place: str) -> StateError:
    """The StateError for an error of the operating system."""
    return _build(OS_FAILURES.get(error.errno or 0, _DENIED), place, error.strerror or str(error))


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Raise StateErrors in place of the errors of SQLite and of the operating system."""
    try:
        yield
    except sqlite3.Error as error:
        raise from_sqlite(error, place) from error
    except OSError as error:
        raise from_os(error, place) from error


def invalid(message: str) -> StateInvalid:
    """A write that a caller should never have made."""
    return StateInvalid(message, _REFUSED[2])


def _build(failure: _Failure, place: str, detail: str) -> StateError:
    kind, message, advice = failure
    return kind(f"{message} ({place}: {detail})", advice)
