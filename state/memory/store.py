"""The state in memory, for simulations and tests: the semantics of the SQLite store, cheap and deterministic."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from state import exchange
from state.errors import invalid
from state.history import Entry, in_order
from state.memory.exchange import everything, gathered
from state.memory.lock import MemoryLock
from state.records import (
    ApplyRecord,
    ApprovalRecord,
    AttemptRecord,
    BaselineRecord,
    EventRecord,
    Holder,
    JournalRecord,
    Meta,
    Phase,
    PlanActionRecord,
    Row,
    Snapshot,
    SuspensionRecord,
)
from state.sqlite.connection import SCHEMA_VERSION
from state.store import Leadership
from state.tables import Tables
from state.writes import Write, is_decision

_ABSENT: Any = object()


class _Shared(Struct):
    """What the handles of one state share and replace; the tables are shared too, and only changed."""

    meta: Meta


class MemoryStore:
    """A :class:`state.store.Store` that lives as long as the object. Give a lineage and a time to be deterministic."""

    def __init__(self, base_url: str, lineage: str | None = None, created_at: str | None = None) -> None:
        self._shared = _Shared(
            Meta(
                schema_version=SCHEMA_VERSION,
                lineage=lineage or str(uuid.uuid4()),
                serial=0,
                base_url=base_url,
                created_at=created_at or datetime.now(UTC).isoformat(),
            )
        )
        self._guard = threading.RLock()
        self._locks = MemoryLock(self._guard)
        self._epoch: int | None = None  # of the last lock of this handle
        self._closed = False
        self._tables = Tables()

    def another(self) -> MemoryStore:
        """Another handle on the same state, as another process has one."""
        twin = copy.copy(self)
        twin._epoch, twin._closed = None, False
        return twin

    # -- reading --------------------------------------------------------------------------------------------------

    def meta(self) -> Meta:
        with self:
            return self._shared.meta

    def snapshot(self) -> Snapshot:
        with self:
            rows = self._tables
            pointed = ((address, instance.attempt_id) for address, instance in rows.instances.items())
            unpaid = (owed for owed in rows.owed.values() if owed.paid_at is None)
            return Snapshot(
                meta=self._shared.meta,
                instances=dict(rows.instances),
                current={address: rows.attempts[key] for address, key in pointed if key is not None},
                open={attempt.address: attempt for attempt in _sorted(rows.attempts[key] for key in rows.open)},
                owed=tuple(sorted(unpaid, key=lambda owed: owed.owed_at)),
                specs=dict(rows.specs),
                marks=dict(rows.marks),
            )

    def attempts(self, addresses: Iterable[str] | None = None) -> list[AttemptRecord]:
        with self:
            if addresses is None:
                return _sorted(self._tables.attempts.values())
            wanted = set(addresses)
            return _sorted(attempt for attempt in self._tables.attempts.values() if attempt.address in wanted)

    def attempts_of_runs(self, run_ids: Iterable[str]) -> list[AttemptRecord]:
        with self:
            return _sorted(
                self._tables.attempts[self._tables.runs[run_id]]
                for run_id in set(run_ids)
                if run_id in self._tables.runs
            )

    def recorded_elsewhere(self, run_ids: Iterable[str]) -> dict[str, str]:
        return {}

    def newest_runs(self, limit: int) -> list[AttemptRecord]:
        with self:
            runs = (one for one in self._tables.attempts.values() if one.run_id is not None and one.gone_at is None)
            return sorted(runs, key=_age, reverse=True)[:limit]

    def bought_since(self, at: str) -> list[AttemptRecord]:
        with self:
            return _sorted(
                one
                for one in self._tables.attempts.values()
                if one.prepared_at >= at and one.phase not in (Phase.PREPARED, Phase.REJECTED) and not one.imported
            )

    def approvals(self) -> list[ApprovalRecord]:
        with self:
            return list(self._tables.approvals.values())

    def suspensions(self) -> list[SuspensionRecord]:
        with self:
            return list(self._tables.suspensions.values())

    def baseline(self, baseline_id: str) -> BaselineRecord | None:
        with self:
            return self._tables.baselines.get(baseline_id)

    def applies(self, apply_ids: Iterable[str]) -> dict[str, ApplyRecord]:
        with self:
            found = self._tables.applies
            return {apply_id: found[apply_id] for apply_id in apply_ids if apply_id in found}

    def plan_actions(self, plan_id: str) -> list[PlanActionRecord]:
        with self:
            return [action for action in self._tables.plan_actions.values() if action.plan_id == plan_id]

    def done_actions(self, digests: Iterable[str]) -> set[str]:
        wanted, attempts = set(digests), self._tables.attempts
        with self:
            return {
                one.action_digest
                for one in self._tables.plan_actions.values()
                if one.action_digest in wanted
                and (one.done_at or ((made := attempts.get(one.attempt_id or "")) and made.phase is Phase.ACCEPTED))
            }

    def events(self, address: str | None = None) -> list[EventRecord]:
        with self:
            return [event for event in self._tables.events.values() if address in (None, event.address)]

    def journal(self, attempt_id: str | None = None) -> list[JournalRecord]:
        with self:
            return [step for step in self._tables.journal if attempt_id in (None, step.attempt_id)]

    def addresses(self) -> list[str]:
        with self:
            rows = self._tables
            told = {one.address for one in rows.events.values() if one.address is not None}
            return sorted({*rows.instances, *told, *(one.address for one in rows.attempts.values())})

    def history(self, addresses: Iterable[str] | None = None, limit: int | None = None) -> list[Entry]:
        with self:
            rows = self._tables
            attempts, events = list(rows.attempts.values()), list(rows.events.values())
            if addresses is not None:
                wanted = set(addresses)
                attempts = [one for one in attempts if one.address in wanted]
                theirs = {one.attempt_id for one in attempts}
                events = [one for one in events if one.address in wanted or one.attempt_id in theirs]
            attempts.sort(key=lambda one: (one.prepared_at, one.attempt_id), reverse=True)
            return in_order(attempts, events[::-1], limit)

    # -- writing --------------------------------------------------------------------------------------------------

    def commit(self, writes: Sequence[Write]) -> int:
        with self:
            shared = self._shared
            decided = any(map(is_decision, writes))
            if decided:
                self._locks.check(self._epoch)
            self._tables.apply(writes)
            if decided:
                shared.meta = replace(shared.meta, serial=shared.meta.serial + 1)
            return shared.meta.serial

    # -- as a whole -----------------------------------------------------------------------------------------------

    def export(self) -> AbstractContextManager[tuple[Meta, Iterator[Row]]]:
        with self:
            return nullcontext((self._shared.meta, iter(everything(self._tables))))

    def replace(self, meta: Meta, rows: Iterable[Row]) -> None:
        with self:
            shared = self._shared
            self._locks.check(self._epoch)
            exchange.refuse_elsewhere(shared.meta.base_url, meta)
            self._tables.become(gathered(rows, self._tables))
            shared.meta = replace(shared.meta, lineage=meta.lineage, serial=meta.serial, created_at=meta.created_at)

    # -- the lock -------------------------------------------------------------------------------------------------

    def lock(self, command: str, timeout: float = 0.0) -> AbstractContextManager[Holder]:
        return self._locked(command, timeout)

    @contextmanager
    def _locked(self, command: str, timeout: float) -> Iterator[Holder]:
        with self._locks.acquire(command, timeout) as holder:
            self._epoch = self._locks.epoch
            yield holder

    def lead(self) -> Leadership | None:
        return self._locks.lead()

    def holder(self) -> Holder | None:
        return self._locks.holder

    def unlock(self, lock_id: str) -> Holder:
        with self:
            return self._locks.abolish(lock_id)

    def close(self) -> None:
        self._closed = True

    # Used as a context: one thread at a time, as long as the store is open. A generator would cost more than the work.

    def __enter__(self) -> None:
        self._guard.acquire()
        if self._closed:
            self._guard.release()
            raise invalid("The store is closed.")

    def __exit__(self, *_: object) -> None:
        self._guard.release()


def _sorted(attempts: Iterable[AttemptRecord]) -> list[AttemptRecord]:
    return sorted(attempts, key=lambda attempt: (attempt.address, attempt.number, attempt.attempt_id))


def _age(attempt: AttemptRecord) -> tuple[str, str]:
    return attempt.run_created_at or attempt.settled_at or attempt.prepared_at, attempt.attempt_id
