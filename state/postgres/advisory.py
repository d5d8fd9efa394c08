"""One writer at a time for each workspace: a session advisory lock, and an epoch in the workspace's row.

The lock is gone with the session that took it, for whatever reason that ends. The epoch rises whenever the lock is
taken or broken, and every decision is checked against it, so that a holder who lost the lock without knowing records
nothing more. The lock's number holds ``breaks``, so a broken lock needs no power over the holder's session: the next
one takes another number, as a new file beside a database would.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import psycopg
from msgspec import Struct
from msgspec.structs import asdict

from state.errors import StateLockDiffers, StateNotLocked, StateUnreadable
from state.holder import describe
from state.postgres.session import Session
from state.records import Holder

_NAMELESS = Holder(user="unknown", host="unknown", pid=0, command="unknown", since="unknown", lock_id="unknown")

# Two numbers of 32 bits, to stay clear of other programs' locks in the same database: "rec" and the workspace's number,
# and how often the lock was broken.
_KEY = "1919247104 + w.workspace, w.breaks"
_ROW = "FROM reconciler.workspaces AS w WHERE w.workspace = %s"
_TRY_SQL = f"SELECT pg_try_advisory_lock({_KEY}), w.breaks {_ROW}"
_FREE_SQL = "SELECT pg_advisory_unlock(1919247104 + %s, %s)"
# The locks of a workspace. Databases that are compatible with PostgreSQL may grant an advisory lock and hold none.
_LOCKS = """pg_catalog.pg_locks AS l
  ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
 AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
 AND l.classid = (1919247104 + w.workspace)::oid AND l.objid = w.breaks::oid"""
_ENTER_SQL = f"""
UPDATE reconciler.workspaces AS w SET epoch = epoch + 1, epoch_by = %s, holder = %s
WHERE w.workspace = %s AND w.breaks = %s
RETURNING epoch, EXISTS (SELECT FROM (SELECT w.workspace, w.breaks) AS w JOIN {_LOCKS} WHERE l.pid = pg_backend_pid())
"""
# The process that serves the holder is kept beside its name: a name counts only while that one has the lock.
_HOLDER_SQL = f"""
SELECT l.pid, w.holder FROM reconciler.workspaces AS w JOIN {_LOCKS}
WHERE w.workspace = %s"""
_BREAK_SQL = (
    "UPDATE reconciler.workspaces SET epoch = epoch + 1, epoch_by = %s, breaks = breaks + 1, holder = NULL"
    " WHERE workspace = %s"
)


class Taken(Struct, frozen=True):
    """A lock that this session holds. ``epoch`` is that of its decisions."""

    holder: Holder
    epoch: int
    breaks: int


def take(session: Session, workspace: int, backend: int, command: str, place: str) -> Taken | None:
    """Take the lock if it is free. ``backend``: the server's process that serves this session.

    Raises StateUnreadable for a server whose locks are none.
    """
    me = describe(command)
    name = json.dumps({"backend": backend, **asdict(me)})
    while True:
        got, breaks = _one(session, _TRY_SQL, (workspace,))
        if not got:
            return None
        try:
            taken = _enter(session, workspace, breaks, me, name, place)
        except BaseException:
            with suppress(psycopg.Error):  # the session lives on, and must not keep a lock that nobody knows of
                free(session, workspace, breaks)
            raise
        if taken is not None:
            return taken
        free(session, workspace, breaks)  # it was broken before it was ours


def _enter(session: Session, workspace: int, breaks: int, me: Holder, name: str, place: str) -> Taken | None:
    """Write down who has the lock; None if it was broken meanwhile."""
    entered = session.execute(_ENTER_SQL, (str(me), name, workspace, breaks)).fetchone()
    if entered is None:
        return None
    epoch, held = entered
    if not held:
        raise StateUnreadable(
            f"The server says that it granted the state's lock, and knows of none ({place}).",
            "Use PostgreSQL itself, or a service whose advisory locks hold (docs/scale.md).",
        )
    return Taken(me, epoch, breaks)


def free(session: Session, workspace: int, breaks: int) -> None:
    """Let go of the lock. The name stays: it means nothing without the lock."""
    session.execute(_FREE_SQL, (workspace, breaks))


def holder(session: Session, workspace: int) -> Holder | None:
    """Who holds the lock now, if anybody."""
    found = None
    for _ in range(20):
        row = session.execute(_HOLDER_SQL, (workspace,)).fetchone()
        if row is None:
            return None
        found = _named(*row)
        if found is not None:
            return found
        time.sleep(0.01)  # its new holder has not written its name yet
    return _NAMELESS


def abolish(session: Session, workspace: int, lock_id: str, place: str) -> Holder:
    """Break the lock with this id; returns who held it. Raises StateNotLocked and StateLockDiffers."""
    with session.transaction():
        _one(session, "SELECT 1 FROM reconciler.workspaces WHERE workspace = %s FOR NO KEY UPDATE", (workspace,))
        found = holder(session, workspace)
        if found is None:
            raise StateNotLocked(place)
        if found.lock_id != lock_id:
            raise StateLockDiffers(lock_id, found)
        session.execute(_BREAK_SQL, (str(describe("unlock")), workspace))
    return found


def _named(backend: int, content: str | None) -> Holder | None:
    try:
        said = json.loads(content or "")
        return Holder(**said) if said.pop("backend") == backend else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _one(session: Session, sql: str, arguments: tuple[object, ...]) -> tuple[Any, ...]:
    row = session.execute(sql, arguments).fetchone()
    assert row is not None
    return row
