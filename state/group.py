"""Group commit: writes that arrive while a transaction is being synced share the next one."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from msgspec import Struct

from state.errors import StateError
from state.store import Store
from state.writes import Write


class _Ticket(Struct, eq=False):
    """The writes of one caller, and what became of them. ``turn`` is held until there is an outcome, or until the
    caller is to commit for all who wait (``leads``).
    """

    writes: Sequence[Write]
    turn: threading.Lock
    leads: bool
    outcome: int | StateError | None = None  # None: not committed yet


class GroupCommit:
    """Commits to a store from many threads, with as few syncs as possible.

    The first caller commits for itself and whoever waits; those who arrive meanwhile wait for the next transaction, and
    one of them makes it. Nobody is woken for nothing: of 64 callers, each would wait for the interpreter each time.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._busy = False
        self._waiting: list[_Ticket] = []

    def commit(self, writes: Sequence[Write]) -> int:
        """Like :meth:`state.store.Store.commit`: when this returns, the writes are durable.

        The serial that it returns is that of the shared transaction. An error is that of these writes alone.
        """
        turn = threading.Lock()
        turn.acquire()
        with self._guard:
            ticket = _Ticket(tuple(writes), turn, leads=not self._busy)
            self._busy = True
            self._waiting.append(ticket)
        if not ticket.leads:
            self._wait(ticket)
        if ticket.leads:
            self._lead(ticket)
        if isinstance(ticket.outcome, int):
            return ticket.outcome
        assert ticket.outcome is not None
        raise ticket.outcome

    def _wait(self, ticket: _Ticket) -> None:
        try:
            ticket.turn.acquire()
        except BaseException:  # interrupted: nobody shall commit these writes later on
            with self._guard:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                if ticket.leads:
                    self._hand_over()
            raise

    def _lead(self, own: _Ticket) -> None:
        with self._guard:
            group, self._waiting = self._waiting, []
        try:
            self._commit(group)
        finally:
            own.leads = False
            done = [ticket for ticket in group if ticket.outcome is not None]
            with self._guard:
                # After an interruption the others' writes may or may not be in the state. To commit them once more
                # changes nothing but the journal.
                self._waiting[:0] = [ticket for ticket in group if ticket is not own and ticket.outcome is None]
                self._hand_over()
            for ticket in done:
                ticket.turn.release()

    def _hand_over(self) -> None:
        """The next one commits for all who wait, if somebody does. Call it with the guard."""
        self._busy = bool(self._waiting)
        if self._busy:
            self._waiting[0].leads = True
            self._waiting[0].turn.release()

    def _commit(self, group: list[_Ticket]) -> None:
        try:
            serial = self._store.commit([write for ticket in group for write in ticket.writes])
        except StateError as error:
            if len(group) == 1:
                group[0].outcome = error
                return
            for ticket in group:  # one caller's bad write must not fail the others
                self._commit([ticket])
            return
        for ticket in group:
            ticket.outcome = serial
