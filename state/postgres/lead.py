"""The lead over a workspace: a session advisory lock in a session of its own, gone with the session."""

from __future__ import annotations

import threading
from contextlib import suppress

import psycopg

from state.errors import StateError, StateUnreadable
from state.postgres.failures import translated
from state.postgres.session import Session

# "rea" and the workspace's number: the state's lock has the numbers from "rec" on.
_KEY = "1919246592, %s"
_TRY_SQL = f"SELECT pg_try_advisory_lock({_KEY})"
_HELD_SQL = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_locks AS l
               WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.pid = pg_backend_pid()
                 AND l.classid = 1919246592::oid AND l.objid = %s::oid)"""


class SessionLead:
    """A :class:`state.store.Leadership`. Made by :func:`lead`."""

    def __init__(self, session: Session, workspace: int) -> None:
        self._session = session
        self._workspace = workspace
        self._guard = threading.Lock()

    def held(self) -> bool:
        """Whether the session lives and the server knows of the lock: one that was restarted does not."""
        with self._guard, suppress(psycopg.Error):
            if not self._session.closed:
                row = self._session.execute(_HELD_SQL, (self._workspace,)).fetchone()
                if row is not None and row[0]:
                    return True
        self.close()
        return False

    def close(self) -> None:
        """The lock goes with the session."""
        with self._guard, suppress(psycopg.Error):
            self._session.close()


def lead(session: Session, workspace: int, place: str) -> SessionLead | None:
    """Take the lead in a session that is for nothing else; None, without the session, while another has it.

    Raises StateError, also for a server that grants such a lock and holds none: there everybody would lead.
    """
    made = SessionLead(session, workspace)
    try:
        with translated(place):
            row = session.execute(_TRY_SQL, (workspace,)).fetchone()
            if row is None or not row[0]:
                made.close()
                return None
            held = session.execute(_HELD_SQL, (workspace,)).fetchone()
        if held is None or not held[0]:
            raise StateUnreadable(
                f"The server says that it granted the lead, and knows of no lock ({place}).",
                "Use PostgreSQL itself, or a service whose advisory locks hold (docs/scale.md).",
            )
    except StateError:
        made.close()
        raise
    return made
