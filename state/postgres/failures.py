"""The errors of PostgreSQL and of its driver, mapped by SQLSTATE: by the whole code first, then by its class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from state.errors import (
    StateBusy,
    StateConflict,
    StateCorrupt,
    StateError,
    StateInvalid,
    StateReadOnly,
    StateUnreachable,
    StateUnreadable,
    StateUnwritable,
    StateUrlInvalid,
)

Failure = tuple[type[StateError], str, str]

_LOST = (
    StateUnreachable,
    "The state's database can't be reached, or the connection to it was lost.",
    "Check host, network and server, then try again: what was not recorded is settled by the next apply.",
)
_REFUSED = (StateInvalid, "The state refused a write.", "This is a bug of reconciler; please report it.")
_BUSY = (StateBusy, "Another process is at work on the state for too long.", "Try again when it is done.")
_DENIED = (
    StateUnreadable,
    "The state's database does not let us in.",
    "Check user, password (PGPASSWORD, ~/.pgpass, a service file), database and pg_hba.conf.",
)
_NO_TLS = (
    StateUnreadable,
    "There is no connection to the state's database that both sides trust.",
    "Check sslmode, sslrootcert, sslcert and sslkey in the URL, and the host's name (docs/scale.md).",
)
_BAD_SETTING = (
    StateUrlInvalid,
    "libpq does not understand a parameter of the state's URL, of the environment or of a service file.",
    "Correct it; nothing was connected to.",
)
_NO_RIGHT = (
    StateReadOnly,
    "The role lacks a right on the state.",
    "Grant it (the rights of each role: docs/scale.md), or use a role that has it.",
)
_FULL = (StateUnwritable, "The database server is out of disk, memory or connections.", "Make room, then try again.")
_DAMAGED = (
    StateCorrupt,
    "The database server reports damaged data; nothing was recorded.",
    "Restore the database with its own tools, then run `reconciler plan`: it looks for runs that the copy lacks.",
)
_STANDBY = (
    StateReadOnly,
    "The server takes no writes: a standby, or a database that is set to read only.",
    "Name the primary: several hosts and target_session_attrs=read-write in the URL find it.",
)
_TAKEN = (
    StateConflict,
    "A run id already belongs to another attempt, or an attempt would lose its run.",
    "A run belongs to one attempt for good: look at `reconciler show`.",
)
_FOREIGN = (
    StateCorrupt,
    "The schema `reconciler` in this database is not that of a state.",
    "Name another database, or restore this one.",
)
_UNSUPPORTED = (
    StateUnreadable,
    "The server lacks something that a state needs.",
    "Use PostgreSQL 13 or newer itself, or a service that is compatible with it.",
)

FAILURES: dict[str, Failure] = {
    "08": _LOST,  # connection exceptions
    "0A": _UNSUPPORTED,
    "22": _REFUSED,  # data exceptions
    "23": _REFUSED,  # integrity constraints
    "23505": _TAKEN,
    "RC001": _TAKEN,  # raised by our own trigger
    "25006": _STANDBY,
    "25": _LOST,  # a transaction that ended by itself
    "28": _DENIED,
    "3D": _DENIED,  # no such database
    "3F": _FOREIGN,
    "40": _BUSY,  # deadlock, serialisation
    "42": _FOREIGN,  # tables or columns that are not ours
    "42501": _NO_RIGHT,
    "42P07": _BUSY,  # somebody else made the table just now
    "53": _FULL,
    "54": _REFUSED,
    "55": _BUSY,
    "57": _LOST,  # the operator's hand: shutdown, a terminated session
    "57014": _BUSY,  # statement_timeout
    "57P05": _LOST,
    "58": _FULL,
    "XX": _FULL,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}


# libpq gives no code for a connection that is refused; these words are the server's, in its language, and libpq's own.
_LOGIN = re.compile(
    "authentication failed|no password supplied|pg_hba.conf|permission denied for database|not permitted to log in"
    "|(role|database) .* does not exist"
)
_SETTING = re.compile('invalid [a-z_]+ value|bad value for|invalid (port number|integer value)|definition of service "')
_TLS = re.compile("certificate|private (SSL )?key|SSL was required|tls.* alert|sslv3 alert")


def from_postgres(error: psycopg.Error, place: str) -> StateError:
    """The StateError for an error of PostgreSQL; ``place`` names the state, for people, without any password."""
    code = error.sqlstate or ""
    kind, message, advice = FAILURES.get(code) or FAILURES.get(code[:2]) or _by_kind(error)
    said = error.diag.message_primary or str(error).strip() or type(error).__name__
    return kind(f"{message} ({place}: {' '.join(said.split())})", advice)


def _by_kind(error: psycopg.Error) -> Failure:
    """Errors without a code of the server come from the driver."""
    said = str(error)
    if isinstance(error, (psycopg.OperationalError, psycopg.ProgrammingError)) and _SETTING.search(said):
        return _BAD_SETTING
    if not isinstance(error, psycopg.OperationalError):
        return _REFUSED
    if _TLS.search(said):
        return _NO_TLS
    return _DENIED if _LOGIN.search(said) else _LOST


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Raise StateErrors in place of the driver's."""
    try:
        yield
    except psycopg.Error as error:
        # The driver's own text may repeat the connection string: it is no cause for a traceback.
        raise from_postgres(error, place) from None
