"""The state in PostgreSQL: a workspace of a database, over one direct session that threads share.

What is read goes in one statement each, which is one consistent view. A commit is a transaction of two round trips
(:mod:`state.postgres.writing`). A session that is lost takes the lock with it: nothing more can be decided then, while
reading and progress go on over a new session.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from msgspec.structs import replace

from state.errors import StateLineageDiffers, StateLocked, StateLockLost, StateReadOnly, StateUnreachable, invalid
from state.holder import describe
from state.postgres import access, advisory, exchange, queries, writing
from state.postgres.access import Workspace
from state.postgres.failures import translated
from state.postgres.lead import lead
from state.postgres.migrations import SCHEMA_VERSION
from state.postgres.reading import Reading
from state.postgres.session import Facts, Session, connect
from state.postgres.url import Target, parse
from state.records import Holder, Meta, Row, Snapshot
from state.store import Leadership
from state.writes import Write, is_decision

T = TypeVar("T")

_LOCK_POLL = (0.05, 1.0)  # seconds, first and longest
_RECONNECTING = 2.0  # times the timeout: a server that is restarted, or a standby that takes over, is back by then
_PAUSE = 0.25  # seconds between attempts to reconnect


def open_postgres(
    url: str, *, base_url: str, workspace: str | None = None, create: bool = False, read_only: bool = False
) -> PostgresStore:
    """Open a workspace; ``create`` makes one that is missing, bound to ``base_url``, and the tables if need be.

    Raises StateUrlInvalid, StateMissing, StateBoundElsewhere, StateNewer, StateOutdated, StateReadOnly, StatePooled,
    StateUnreachable, StateUnreadable, StateUnwritable or StateCorrupt.
    """
    target = parse(url, workspace)
    return PostgresStore(target, base_url, *_enter(target, base_url, create=create, read_only=read_only), read_only)


def _enter(target: Target, base_url: str, *, create: bool, read_only: bool) -> tuple[Session, Facts, Workspace]:
    with translated(target.place):
        session, facts = connect(target, read_only=read_only)
        try:
            create = create and not read_only
            return session, facts, access.enter(session, facts, target, base_url, create=create, read_only=read_only)
        except BaseException:
            session.close()
            raise


class PostgresStore(Reading):
    """A :class:`state.store.Store` in a workspace of a database. Made by :func:`open_postgres`."""

    def __init__(
        self, target: Target, base_url: str, session: Session, facts: Facts, workspace: Workspace, read_only: bool
    ) -> None:
        self.place = target.place
        self._target = target
        self._base_url = base_url
        self._session = session
        self._facts = facts
        self._workspace = workspace
        self._read_only = read_only
        self._closed = False
        self._guard = threading.RLock()
        self._mine = threading.Lock()  # the server would give a session its own lock twice
        self._epoch: int | None = None  # of the last lock of this handle
        self._holding = False
        self._lost = False  # the session ended while it held the lock

    # -- reading --------------------------------------------------------------------------------------------------

    def meta(self) -> Meta:
        return Meta(SCHEMA_VERSION, *self._rows(queries.META_SQL)[0])

    def snapshot(self) -> Snapshot:
        def read(session: Session) -> Snapshot:
            rows = session.execute(queries.SNAPSHOT_SQL, {"workspace": self._workspace.number}).fetchall()
            return queries.snapshot(rows, SCHEMA_VERSION, self._workspace.server)

        return self._patiently(read)

    def _rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        return self._patiently(lambda session: session.execute(sql, (self._workspace.number, *arguments)).fetchall())

    # -- the session ----------------------------------------------------------------------------------------------

    def _patiently(self, step: Callable[[Session], T]) -> T:
        """Carry out a step that may be repeated, over a new session where the present one is lost."""
        deadline = None
        with self._guard:
            while True:
                try:
                    with translated(self.place):
                        return step(self._live())
                except StateUnreachable:
                    deadline = deadline or time.monotonic() + _RECONNECTING * self._target.timeout
                    if time.monotonic() >= deadline:
                        raise
                    time.sleep(_PAUSE)

    def _live(self) -> Session:
        """The session, or a new one in the place of one that is lost; called with the guard."""
        if self._closed:
            raise invalid("The store is closed.")
        if self._session.closed:
            self._lost = self._lost or self._holding
            session, facts, workspace = _enter(self._target, self._base_url, create=False, read_only=self._read_only)
            if workspace.lineage != self._workspace.lineage:
                session.close()
                raise StateLineageDiffers(
                    f"The workspace became that of another state while we were at work ({self.place}).",
                    "Look at who put it there, then run the command again.",
                )
            self._session, self._facts, self._workspace = session, facts, workspace
        return self._session

    # -- writing --------------------------------------------------------------------------------------------------

    def commit(self, writes: Sequence[Write]) -> int:
        self._refuse_if_read_only()
        if not any(map(is_decision, writes)):
            return self._patiently(lambda session: self._record(session, writes, decided=False))
        # Not repeated: whether it was recorded is not known when the session is lost, and the lock is gone with it.
        with self._guard, translated(self.place):
            return self._record(self._live(), writes, decided=True)

    def _record(self, session: Session, writes: Sequence[Write], *, decided: bool) -> int:
        with self._transaction(session, writes, decided=decided) as begun:
            changes = begun.rows.apply(writes)
            serial = begun.serial + int(decided)
            writing.end(session, self._workspace, begun.rows, changes, serial)
            return serial

    @contextmanager
    def _transaction(self, session: Session, writes: Sequence[Write], *, decided: bool) -> Iterator[writing.Begun]:
        """A transaction that holds the workspace, of which nothing stays when it fails."""
        if decided and self._lost:
            raise StateLockLost(None)
        try:
            begun = writing.begin(session, self._workspace.number, writes)
            if decided and self._epoch not in (None, begun.epoch):
                raise StateLockLost(begun.epoch_by)
            yield begun
        except BaseException:
            with suppress(psycopg.Error):
                session.rollback()
            if session.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                session.close()
            raise

    def _refuse_if_read_only(self) -> None:
        if self._read_only:
            raise StateReadOnly(f"The state was opened only for reading ({self.place}).", "Open it for writing.")

    # -- as a whole -----------------------------------------------------------------------------------------------

    def export(self) -> AbstractContextManager[tuple[Meta, Iterator[Row]]]:
        return self._export()

    @contextmanager
    def _export(self) -> Iterator[tuple[Meta, Iterator[Row]]]:
        """In a session of its own: whoever reads the rows may take his time."""
        with self._guard, translated(self.place):
            self._live()  # a closed store has nothing to give
            session, _, workspace = _enter(self._target, self._base_url, create=False, read_only=True)
        with closing(session):
            with translated(self.place):
                exchange.begin(session)
                meta = exchange.read_meta(session, workspace.number, SCHEMA_VERSION)
            yield meta, self._all(session, workspace.number)

    def _all(self, session: Session, workspace: int) -> Iterator[Row]:
        with translated(self.place):
            yield from exchange.rows(session, workspace)

    def replace(self, meta: Meta, rows: Iterable[Row]) -> None:
        self._refuse_if_read_only()
        with self._guard, translated(self.place):
            session = self._live()
            patience, session.patience = session.patience, exchange.UNHURRIED_SECONDS
            try:
                with self._transaction(session, (), decided=True):
                    exchange.replace(session, self._workspace, meta, rows)
                    session.execute("COMMIT")
            finally:
                session.patience = patience
            self._workspace = replace(self._workspace, lineage=meta.lineage)

    # -- the lock -------------------------------------------------------------------------------------------------

    def lock(self, command: str, timeout: float = 0.0) -> AbstractContextManager[Holder]:
        self._refuse_if_read_only()
        return self._locked(command, timeout)

    @contextmanager
    def _locked(self, command: str, timeout: float) -> Iterator[Holder]:
        deadline = time.monotonic() + timeout
        if not self._mine.acquire(timeout=max(timeout, 0.0)):
            raise StateLocked(self.holder() or describe(command))
        try:
            taken = self._take(command, deadline)
            try:
                yield taken.holder
            finally:
                with self._guard, suppress(psycopg.Error):  # without its session there is no lock any more
                    self._holding = False
                    if not self._lost and not self._session.closed:
                        advisory.free(self._session, self._workspace.number, taken.breaks)
        finally:
            self._mine.release()

    def _take(self, command: str, deadline: float) -> advisory.Taken:
        def step(session: Session) -> advisory.Taken | None:
            taken = advisory.take(session, self._workspace.number, self._facts.backend, command, self.place)
            if taken is not None:  # under the guard: from now on a session that is lost takes the lock with it
                self._epoch, self._lost, self._holding = taken.epoch, False, True
            return taken

        pause, longest = _LOCK_POLL
        while True:
            taken = self._patiently(step)
            if taken is not None:
                return taken
            if time.monotonic() >= deadline:
                found = self.holder()
                if found is not None:
                    raise StateLocked(found)
                continue  # it has just been let go
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(pause * 1.5, longest)

    def lead(self) -> Leadership | None:
        self._refuse_if_read_only()
        with self._guard, translated(self.place):
            number = self._workspace.number
            session, _ = connect(self._target, read_only=False)
        return lead(session, number, self.place)

    def holder(self) -> Holder | None:
        return self._patiently(lambda session: advisory.holder(session, self._workspace.number))

    def unlock(self, lock_id: str) -> Holder:
        self._refuse_if_read_only()
        with self._guard, translated(self.place):
            return advisory.abolish(self._live(), self._workspace.number, lock_id, self.place)

    def close(self) -> None:
        with self._guard:
            self._closed = True
            self._session.close()
