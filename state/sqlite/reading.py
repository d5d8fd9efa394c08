"""What is read of a SQLite state, but for the snapshot."""

from __future__ import annotations

import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from state.history import Entry, in_order
from state.records import (
    ApplyRecord,
    ApprovalRecord,
    AttemptRecord,
    BaselineRecord,
    EventRecord,
    JournalRecord,
    PlanActionRecord,
    SuspensionRecord,
)
from state.rows import decoder
from state.sqlite import queries
from state.sqlite.queries import R

if TYPE_CHECKING:
    from sqlite_utils.db import Table


class Reading(ABC):
    """The part of :class:`state.store.Store` that is told by rows alone."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """One consistent view."""

    @abstractmethod
    def _table(self, name: str) -> Table:
        """sqlite-utils' table of this name."""

    def attempts(self, addresses: Iterable[str] | None = None) -> list[AttemptRecord]:
        """See :class:`state.store.Store`, as all the others."""
        if addresses is None:
            return self._attempts("1", ())
        return self._attempts(queries.among("address"), (json.dumps(list(addresses)),))

    def attempts_of_runs(self, run_ids: Iterable[str]) -> list[AttemptRecord]:
        """By run id."""
        return self._attempts(queries.among("run_id"), (json.dumps(list(run_ids)),))

    def recorded_elsewhere(self, run_ids: Iterable[str]) -> dict[str, str]:
        """Nowhere: a file holds one state."""
        return {}

    def newest_runs(self, limit: int) -> list[AttemptRecord]:
        """By the index of that name."""
        with self._reading() as db:
            return [queries.ATTEMPT(row) for row in db.execute(queries.NEWEST_SQL, (limit,))]

    def bought_since(self, at: str) -> list[AttemptRecord]:
        """By the index of when they were prepared."""
        with self._reading() as db:
            return [queries.ATTEMPT(row) for row in db.execute(queries.BOUGHT_SQL, (at,))]

    def approvals(self) -> list[ApprovalRecord]:
        """In the order in which they were first given."""
        return self._rows(ApprovalRecord, "approvals", None, [])

    def suspensions(self) -> list[SuspensionRecord]:
        """In the order in which they were first made."""
        return self._rows(SuspensionRecord, "suspensions", None, [])

    def baseline(self, baseline_id: str) -> BaselineRecord | None:
        """By its key."""
        found = self._rows(BaselineRecord, "baselines", "baseline_id = ?", [baseline_id])
        return found[0] if found else None

    def applies(self, apply_ids: Iterable[str]) -> dict[str, ApplyRecord]:
        """By their keys."""
        wanted = json.dumps(list(apply_ids))
        return {one.apply_id: one for one in self._rows(ApplyRecord, "applies", queries.among("apply_id"), [wanted])}

    def plan_actions(self, plan_id: str) -> list[PlanActionRecord]:
        """Of one plan."""
        return self._rows(PlanActionRecord, "plan_actions", "plan_id = ?", [plan_id])

    def done_actions(self, digests: Iterable[str]) -> set[str]:
        """In one statement."""
        with self._reading() as db:
            return {digest for (digest,) in db.execute(queries.DONE_SQL, (json.dumps(list(digests)),))}

    def events(self, address: str | None = None) -> list[EventRecord]:
        """Of one address, or all."""
        return self._rows(EventRecord, "events", *queries.matching("address", address))

    def journal(self, attempt_id: str | None = None) -> list[JournalRecord]:
        """Of one attempt, or all."""
        return self._rows(JournalRecord, "journal", *queries.matching("attempt_id", attempt_id))

    def addresses(self) -> list[str]:
        """By the indexes of the addresses."""
        with self._reading() as db:
            return [address for (address,) in db.execute(queries.ADDRESSES_SQL)]

    def history(self, addresses: Iterable[str] | None = None, limit: int | None = None) -> list[Entry]:
        """As of one moment."""
        chosen = addresses is not None
        arguments = (json.dumps(list(addresses or ())), -1 if limit is None else limit)
        with self._reading() as db:
            attempts = [queries.ATTEMPT(row) for row in db.execute(queries.newest_attempts_sql(chosen), arguments)]
            events = [queries.EVENT(row) for row in db.execute(queries.newest_events_sql(chosen), arguments)]
        return in_order(attempts, events, limit)

    def _attempts(self, where: str, arguments: tuple[str, ...]) -> list[AttemptRecord]:
        with self._reading() as db:
            return [queries.ATTEMPT(row) for row in db.execute(queries.attempts_sql(where), arguments)]

    def _rows(self, kind: type[R], table: str, where: str | None, arguments: list[str]) -> list[R]:
        """Rows in the order in which they were first written."""
        with self._reading():
            rows = self._table(table).rows_where(where, arguments, order_by="rowid", select=queries.names(kind))
            return list(map(decoder(kind), (tuple(row.values()) for row in rows)))
