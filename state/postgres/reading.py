"""What is read of a workspace in PostgreSQL, each in one statement and so as of one moment, but for the snapshot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, TypeVar

from state.history import Entry, in_order
from state.postgres import queries
from state.records import (
    ApplyRecord,
    ApprovalRecord,
    AttemptRecord,
    BaselineRecord,
    EventRecord,
    JournalRecord,
    PlanActionRecord,
    Row,
    SuspensionRecord,
)
from state.rows import decoder

R = TypeVar("R", bound=Row)


class Reading(ABC):
    """The part of :class:`state.store.Store` that is told by rows alone."""

    @abstractmethod
    def _rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """The rows that a statement gives; the workspace is its first argument."""

    def attempts(self, addresses: Iterable[str] | None = None) -> list[AttemptRecord]:
        """See :class:`state.store.Store`, as all the others."""
        if addresses is None:
            return self._attempts(queries.ATTEMPTS_SQL)
        return self._attempts(queries.ATTEMPTS_OF_ADDRESSES_SQL, list(set(addresses)))

    def attempts_of_runs(self, run_ids: Iterable[str]) -> list[AttemptRecord]:
        """By run id."""
        return self._attempts(queries.ATTEMPTS_OF_RUNS_SQL, list(set(run_ids)))

    def recorded_elsewhere(self, run_ids: Iterable[str]) -> dict[str, str]:
        """In other workspaces."""
        return dict(self._rows(queries.ELSEWHERE_SQL, list(run_ids)))

    def newest_runs(self, limit: int) -> list[AttemptRecord]:
        """By the index of that name."""
        return self._attempts(queries.NEWEST_SQL, limit)

    def bought_since(self, at: str) -> list[AttemptRecord]:
        """By the index of when they were prepared."""
        return self._attempts(queries.BOUGHT_SQL, at)

    def approvals(self) -> list[ApprovalRecord]:
        """By digest."""
        return self._records(ApprovalRecord, "approvals", "digest")

    def suspensions(self) -> list[SuspensionRecord]:
        """By scope."""
        return self._records(SuspensionRecord, "suspensions", "scope")

    def baseline(self, baseline_id: str) -> BaselineRecord | None:
        """By its key."""
        found = self._records(BaselineRecord, "baselines", "", baseline_id=baseline_id)
        return found[0] if found else None

    def applies(self, apply_ids: Iterable[str]) -> dict[str, ApplyRecord]:
        """By their keys."""
        found = map(queries.APPLY, self._rows(queries.APPLIES_SQL, list(set(apply_ids))))
        return {one.apply_id: one for one in found}

    def plan_actions(self, plan_id: str) -> list[PlanActionRecord]:
        """Of one plan."""
        return self._records(PlanActionRecord, "plan_actions", "seq", plan_id=plan_id)

    def done_actions(self, digests: Iterable[str]) -> set[str]:
        """In one statement."""
        return {digest for (digest,) in self._rows(queries.DONE_SQL, list(set(digests)))}

    def events(self, address: str | None = None) -> list[EventRecord]:
        """Of one address, or all."""
        return self._records(EventRecord, "events", "seq", address=address)

    def journal(self, attempt_id: str | None = None) -> list[JournalRecord]:
        """Of one attempt, or all."""
        return self._records(JournalRecord, "journal", "seq", attempt_id=attempt_id)

    def addresses(self) -> list[str]:
        """By the indexes of the addresses."""
        return [address for (address,) in self._rows(queries.ADDRESSES_SQL)]

    def history(self, addresses: Iterable[str] | None = None, limit: int | None = None) -> list[Entry]:
        """In two statements."""
        if addresses is None:
            attempts = self._attempts(queries.NEWEST_ATTEMPTS_SQL, limit)
            events = self._rows(queries.NEWEST_EVENTS_SQL, limit)
        else:
            wanted = list(set(addresses))
            attempts = self._attempts(queries.NEWEST_ATTEMPTS_OF_SQL, wanted, limit)
            events = self._rows(queries.NEWEST_EVENTS_OF_SQL, wanted, limit)
        return in_order(attempts, list(map(queries.EVENT, events)), limit)

    def _attempts(self, sql: str, *arguments: object) -> list[AttemptRecord]:
        return list(map(queries.ATTEMPT, self._rows(sql, *arguments)))

    def _records(self, kind: type[R], table: str, order: str, **condition: str | None) -> list[R]:
        """Rows in the order in which they were first written; a condition of None is none."""
        wanted = {name: value for name, value in condition.items() if value is not None}
        sql = queries.rows_sql(kind, table, " AND ".join(f"{name} = %s" for name in wanted), order)
        return list(map(decoder(kind), self._rows(sql, *wanted.values())))
