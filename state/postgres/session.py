"""One session on the server: how it is opened, what is checked first, and how long anything may take."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from msgspec import Struct
from psycopg.abc import PQGen

from state.errors import StatePooled, StateReadOnly, StateUnreachable, StateUnreadable, StateUnwritable
from state.postgres.url import Target

T = TypeVar("T")

OLDEST = 130_000  # server_version_num
_LOCK_SECONDS = 10.0  # how long to wait for another process's transaction
_PROBES = 4
# Without a handler, what the driver warns of while a lost session is left would go to standard error.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

Row = tuple[Any, ...]


class Session(psycopg.Connection[Row]):
    """A connection on which no step takes longer than ``patience`` seconds."""

    patience: float = 30.0

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError:
            # Whatever the server makes of the step, we shall not hear of it: nothing else may be sent after it.
            if self.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                self.close()
            raise


class Facts(Struct, frozen=True):
    """What the server says of itself and of this session."""

    backend: int  # the process that serves us
    standby: bool
    fsync: bool
    synchronous_commit: str
    version: int
    user: str
    encoding: str
    tables: bool  # a schema of ours is there


_FACTS_SQL = """
SELECT pg_backend_pid(), pg_is_in_recovery(), current_setting('fsync') = 'on', current_setting('synchronous_commit'),
       current_setting('server_version_num')::int, current_user::text, getdatabaseencoding()::text,
       EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
               WHERE n.nspname = 'reconciler' AND c.relname = 'migrations')
"""
# A process that is stopped inside a transaction must not hold up the others for long; a vanished one not at all.
_SETTINGS_SQL = """
SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),
       set_config('idle_in_transaction_session_timeout', %s, false),
       set_config('tcp_keepalives_idle', '20', false), set_config('tcp_keepalives_interval', '5', false),
       set_config('tcp_keepalives_count', '3', false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('default_transaction_read_only', %s, false), set_config('synchronous_commit', %s, false),
       set_config('search_path', 'pg_catalog', false)
"""


def connect(target: Target, *, read_only: bool) -> tuple[Session, Facts]:
    """Open a session that is fit for a state.

    Raises psycopg errors, StatePooled, StateReadOnly for a standby that is to be written, StateUnwritable for a server
    whose commits do not survive a power cut, and StateUnreadable for one that is too old.
    """
    session = _open(target)
    try:
        facts = Facts(*_one(session, _FACTS_SQL))
        # Before any setting: through a pooler it would stick to a session that others use later.
        if facts.backend != session.info.backend_pid:
            _refuse_pooled(session, lambda: _open(target), target.place)
        if facts.version < OLDEST:
            raise StateUnreadable(
                f"The server is PostgreSQL {facts.version // 10_000} ({target.place}).", "Use version 13 or newer."
            )
        if facts.encoding != "UTF8":
            raise StateUnreadable(
                f"The database's encoding is {facts.encoding} ({target.place}).",
                "Use a database whose encoding is UTF8.",
            )
        if not read_only:
            _refuse_unwritable(facts, target.place)
        # Where the server's default would acknowledge a commit before it is on disk, ours wait for the disk.
        durable = "on" if facts.synchronous_commit in ("off", "local") else facts.synchronous_commit
        # The server gives up before we do, so that its words are heard and the session can still be used.
        statement, lock = round(target.timeout * 900), round(min(_LOCK_SECONDS, target.timeout * 0.5) * 1000)
        idle = lock // 2  # whoever waits for the lock of a process that was stopped is still waiting when it is ended
        values = (str(statement), str(lock), str(idle), "on" if read_only else "off", durable)
        session.execute(_SETTINGS_SQL, values)
    except BaseException:
        session.close()
        raise
    return session, facts


def _open(target: Target) -> Session:
    session = Session.connect(target.conninfo, autocommit=True)
    session.patience = target.timeout
    return session


def _one(session: Session, sql: str) -> Row:
    row = session.execute(sql).fetchone()
    assert row is not None
    return row


def _refuse_unwritable(facts: Facts, place: str) -> None:
    if facts.standby:
        raise StateReadOnly(
            f"The server is a standby, which takes no writes ({place}).",
            "Name the primary: several hosts and target_session_attrs=read-write in the URL find it.",
        )
    if not facts.fsync:
        raise StateUnwritable(
            f"The server runs with fsync = off: after a power cut it may have lost what was bought ({place}).",
            "Switch fsync on; nothing was recorded.",
        )


def _refuse_pooled(session: Session, again: Callable[[], Session], place: str) -> None:
    """Something stands between us and the server. Refuse it if it gives each transaction any session of the server.

    A pooler that does so hands one server session to two clients that are both connected, or changes ours. One that
    keeps a session for each client (or a proxy) does neither.
    """
    mine, others = set(), set()
    # Where the other connection is not served, because the pooler has a session for one client only, it keeps sessions.
    with suppress(psycopg.OperationalError):
        other = again()
        try:
            for _ in range(_PROBES):
                mine.add(_one(session, "SELECT pg_backend_pid()")[0])
                others.add(_one(other, "SELECT pg_backend_pid()")[0])
        finally:
            other.close()
    if session.closed:
        raise StateUnreachable(f"The connection pooler closed the connection ({place}).", "Connect without it.")
    if len(mine) > 1 or len(others) > 1 or mine & others:
        raise StatePooled(
            f"Between us and PostgreSQL is a pooler in transaction mode, PgBouncer or the like ({place}): each"
            " transaction may meet another session of the server, so the state's lock would protect nothing.",
            "Name the server itself (often port 5432 in place of 6432), or a pool in session mode.",
        )
