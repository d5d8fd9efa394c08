"""Group commit: writes that arrive while a transaction is being synced share the next one."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from msgspec import Struct

from state.errors import StateError
from state.store import Store
from state.writes import Write


class _Ticket(Struct):
    """The writes of one caller, and what became of them."""

    writes: Sequence[Write]
    outcome: int | StateError | None = None  # None: not committed yet


class GroupCommit:
    """Commits to a store from many threads, with as few syncs as possible.

    The first caller commits for itself and whoever waits; those who arrive meanwhile wait for the next transaction.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._busy = False
        self._waiting: list[_Ticket] = []

    def commit(self, writes: Sequence[Write]) -> int:
        """Like :meth:`state.store.Store.commit`: when this returns, the writes are durable.

        The serial that it returns is that of the shared transaction. An error is that of these writes alone.
        """
        ticket = _Ticket(tuple(writes))
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._busy and ticket.outcome is None:
                    self._changed.wait()
            except BaseException:  # interrupted: nobody shall commit these writes later on
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                raise
            if ticket.outcome is None:
                self._busy = True
                group, self._waiting = self._waiting, []
            else:
                group = []
        if group:
            self._lead(ticket, group)
        if isinstance(ticket.outcome, int):
            return ticket.outcome
        assert ticket.outcome is not None
        raise ticket.outcome

    def _lead(self, own: _Ticket, group: list[_Ticket]) -> None:
        try:
            self._commit(group)
        finally:
            with self._changed:
                # After an interruption the others' writes may or may not be in the state. To commit them once more
                # changes nothing but the journal.
                others = [ticket for ticket in group if ticket is not own and ticket.outcome is None]
                self._waiting[:0] = others
                self._busy = False
                self._changed.notify_all()

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
