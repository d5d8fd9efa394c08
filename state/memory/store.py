"""The state in memory, for simulations and tests: the semantics of the SQLite store, cheap and deterministic."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, assert_never

from state import rules
from state.errors import StateConflict, invalid
from state.memory.lock import MemoryLock
from state.records import (
    OPEN_PHASES,
    ApplyRecord,
    AttemptRecord,
    BaselineRecord,
    EventRecord,
    Holder,
    InstanceRecord,
    JournalRecord,
    MarkRecord,
    Meta,
    OwedRecord,
    PlanActionRecord,
    Snapshot,
    SpecRecord,
)
from state.sqlite.connection import SCHEMA_VERSION
from state.writes import Advance, Forget, Observe, Pay, Put, Write, is_decision

_ABSENT: Any = object()


@dataclass(slots=True)
class _Shared:
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
        self._undo: list[tuple[dict[str, Any], str, Any]] = []
        self._instances: dict[str, InstanceRecord] = {}
        self._attempts: dict[str, AttemptRecord] = {}
        self._runs: dict[str, str] = {}  # run id -> attempt id
        self._open: dict[str, None] = {}  # attempt ids
        self._baselines: dict[str, BaselineRecord] = {}
        self._owed: dict[str, OwedRecord] = {}
        self._applies: dict[str, ApplyRecord] = {}
        self._plan_actions: dict[str, PlanActionRecord] = {}
        self._specs: dict[str, SpecRecord] = {}
        self._events: dict[str, EventRecord] = {}
        self._marks: dict[str, MarkRecord] = {}
        self._journal: list[JournalRecord] = []

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
            pointed = ((address, instance.attempt_id) for address, instance in self._instances.items())
            unpaid = (owed for owed in self._owed.values() if owed.paid_at is None)
            return Snapshot(
                meta=self._shared.meta,
                instances=dict(self._instances),
                current={address: self._attempts[key] for address, key in pointed if key is not None},
                open={attempt.address: attempt for attempt in _sorted(self._attempts[key] for key in self._open)},
                owed=tuple(sorted(unpaid, key=lambda owed: owed.owed_at)),
                specs=dict(self._specs),
                marks=dict(self._marks),
            )

    def attempts(self, addresses: Iterable[str] | None = None) -> list[AttemptRecord]:
        with self:
            if addresses is None:
                return _sorted(self._attempts.values())
            wanted = set(addresses)
            return _sorted(attempt for attempt in self._attempts.values() if attempt.address in wanted)

    def attempts_of_runs(self, run_ids: Iterable[str]) -> list[AttemptRecord]:
        with self:
            return _sorted(self._attempts[self._runs[run_id]] for run_id in set(run_ids) if run_id in self._runs)

    def newest_runs(self, limit: int) -> list[AttemptRecord]:
        with self:
            runs = (one for one in self._attempts.values() if one.run_id is not None and one.gone_at is None)
            return sorted(runs, key=_age, reverse=True)[:limit]

    def baseline(self, baseline_id: str) -> BaselineRecord | None:
        with self:
            return self._baselines.get(baseline_id)

    def plan_actions(self, plan_id: str) -> list[PlanActionRecord]:
        with self:
            return [action for action in self._plan_actions.values() if action.plan_id == plan_id]

    def events(self, address: str | None = None) -> list[EventRecord]:
        with self:
            return [event for event in self._events.values() if address in (None, event.address)]

    def journal(self, attempt_id: str | None = None) -> list[JournalRecord]:
        with self:
            return [step for step in self._journal if attempt_id in (None, step.attempt_id)]

    # -- writing --------------------------------------------------------------------------------------------------

    def commit(self, writes: Sequence[Write]) -> int:
        with self:
            shared, steps = self._shared, len(self._journal)
            decided = any(map(is_decision, writes))
            if decided:
                self._locks.check(self._epoch)
            try:
                for write in writes:
                    self._apply(write)
                self._check_pointers(writes)
            except BaseException:
                for table, key, before in reversed(self._undo):
                    if before is _ABSENT:
                        table.pop(key, None)
                    else:
                        table[key] = before
                del self._journal[steps:]
                raise
            finally:
                self._undo.clear()
            if decided:
                shared.meta = replace(shared.meta, serial=shared.meta.serial + 1)
            return shared.meta.serial

    def _apply(self, write: Write) -> None:
        match write:
            case Put(AttemptRecord() as attempt):
                before = self._attempts.get(attempt.attempt_id)
                self._put_attempt(attempt)
                if before is None or before.phase is not attempt.phase:
                    self._step(attempt, attempt.settled_at or attempt.prepared_at)
            case Put(InstanceRecord() as record):
                self._set(self._instances, record.address, record)
            case Put(BaselineRecord() as record):
                self._set(self._baselines, record.baseline_id, record)
            case Put(OwedRecord() as record):
                self._set(self._owed, record.run_id, record)
            case Put(ApplyRecord() as record):
                self._set(self._applies, record.apply_id, record)
            case Put(PlanActionRecord() as record):
                self._set(self._plan_actions, record.plan_action_id, record)
            case Put(SpecRecord() as record):
                self._set(self._specs, record.spec_id, record)
            case Put(EventRecord() as record):
                self._set(self._events, record.event_id, record)
            case Put(MarkRecord() as record):
                self._set(self._marks, record.name, record)
            case Put(_):
                raise invalid("There is no table for this record.")
            case Forget(address):
                self._set(self._instances, address, _ABSENT)
            case Advance():
                self._advance(write)
            case Observe():
                key = self._runs.get(write.run_id)
                if key is not None:
                    self._set(self._attempts, key, rules.observe(self._attempts[key], write))
            case Pay(run_id, at):
                if run_id in self._owed:
                    self._set(self._owed, run_id, replace(self._owed[run_id], paid_at=at))
            case _:
                assert_never(write)

    def _advance(self, write: Advance) -> None:
        before = self._attempts.get(write.attempt_id)
        if before is None:
            raise invalid(f"There is no attempt {write.attempt_id}.")
        attempt = rules.advance(before, write)
        self._put_attempt(attempt)
        instance = self._instances.get(attempt.address)
        if write.run_id is not None and instance is not None:
            self._set(self._instances, attempt.address, replace(instance, attempt_id=write.attempt_id))
        self._step(attempt, write.at)

    def _put_attempt(self, attempt: AttemptRecord) -> None:
        key = attempt.attempt_id
        before = self._attempts.get(key)
        rules.check_attempt(before, attempt)
        if before is not None and before.run_id is not None:
            self._set(self._runs, before.run_id, _ABSENT)
        if attempt.run_id is not None:
            if attempt.run_id in self._runs:
                raise StateConflict(
                    f"Run {attempt.run_id} already belongs to attempt {self._runs[attempt.run_id]}.",
                    "Look at `reconciler history`; a run belongs to one attempt for good.",
                )
            self._set(self._runs, attempt.run_id, key)
        is_open = attempt.phase in OPEN_PHASES or attempt.provisional
        self._set(self._open, key, None if is_open else _ABSENT)
        self._set(self._attempts, key, attempt)

    def _step(self, attempt: AttemptRecord, at: str) -> None:
        seq = len(self._journal) + 1
        self._journal.append(JournalRecord(seq, attempt.attempt_id, attempt.phase, at, attempt.note))

    def _check_pointers(self, writes: Sequence[Write]) -> None:
        """An instance points at an attempt that exists once the commit is whole, in whatever order it was written."""
        for write in writes:
            if isinstance(write, Put) and isinstance(write.record, InstanceRecord):
                instance = self._instances.get(write.record.address)
                if instance and instance.attempt_id is not None and instance.attempt_id not in self._attempts:
                    raise invalid(f"{instance.address} points at attempt {instance.attempt_id}, which does not exist.")

    def _set(self, table: dict[str, Any], key: str, value: Any) -> None:
        """Set or drop (``_ABSENT``) an entry, and remember how to take that back."""
        self._undo.append((table, key, table.get(key, _ABSENT)))
        if value is _ABSENT:
            table.pop(key, None)
        else:
            table[key] = value

    # -- the lock -------------------------------------------------------------------------------------------------

    def lock(self, command: str, timeout: float = 0.0) -> AbstractContextManager[Holder]:
        return self._locked(command, timeout)

    @contextmanager
    def _locked(self, command: str, timeout: float) -> Iterator[Holder]:
        with self._locks.acquire(command, timeout) as holder:
            self._epoch = self._locks.epoch
            yield holder

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
