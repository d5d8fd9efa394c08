"""The rows of a state as dictionaries, and what writes do to them: the rules of :mod:`state.rules`, carried out.

The memory store keeps all of its rows so; the PostgreSQL store those that one commit touches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from msgspec import Struct, field
from msgspec.structs import replace

from state import rules
from state.errors import StateConflict, invalid
from state.records import (
    OPEN_PHASES,
    RECORD_TYPES,
    ApplyRecord,
    ApprovalRecord,
    AttemptRecord,
    BaselineRecord,
    EventRecord,
    InstanceRecord,
    JournalRecord,
    MarkRecord,
    OwedRecord,
    PlanActionRecord,
    Record,
    SpecRecord,
    SuspensionRecord,
)
from state.writes import Advance, Forget, Move, Observe, Pay, Put, Write

ABSENT: Any = object()
Change = tuple[dict[str, Any], str, Any]  # a table, a key, and the row that was there, or ABSENT


class Tables(Struct):
    """Rows by key, in the order in which they were first written. ``runs`` and ``open`` are indexes of attempts."""

    instances: dict[str, InstanceRecord] = field(default_factory=dict)
    attempts: dict[str, AttemptRecord] = field(default_factory=dict)
    baselines: dict[str, BaselineRecord] = field(default_factory=dict)
    owed: dict[str, OwedRecord] = field(default_factory=dict)
    applies: dict[str, ApplyRecord] = field(default_factory=dict)
    plan_actions: dict[str, PlanActionRecord] = field(default_factory=dict)
    specs: dict[str, SpecRecord] = field(default_factory=dict)
    events: dict[str, EventRecord] = field(default_factory=dict)
    marks: dict[str, MarkRecord] = field(default_factory=dict)
    approvals: dict[str, ApprovalRecord] = field(default_factory=dict)
    suspensions: dict[str, SuspensionRecord] = field(default_factory=dict)
    journal: list[JournalRecord] = field(default_factory=list)
    runs: dict[str, str] = field(default_factory=dict)  # run id -> attempt id
    open: dict[str, None] = field(default_factory=dict)  # attempt ids
    _changes: list[Change] = field(default_factory=list)

    def apply(self, writes: Sequence[Write]) -> list[Change]:
        """Carry out all writes, or none; returns what changed, in order. Raises StateConflict and StateInvalid."""
        steps = len(self.journal)
        try:
            for write in writes:
                self._apply(write)
            self._check_pointers(writes)
        except BaseException:
            for table, key, before in reversed(self._changes):
                if before is ABSENT:
                    table.pop(key, None)
                else:
                    table[key] = before
            del self.journal[steps:]
            self._changes = []
            raise
        changes, self._changes = self._changes, []
        return changes

    def load(self, attempt: AttemptRecord) -> None:
        """Take in a row that is there already."""
        self.attempts[attempt.attempt_id] = attempt
        if attempt.run_id is not None:
            self.runs[attempt.run_id] = attempt.attempt_id
        if attempt.phase in OPEN_PHASES or attempt.provisional:
            self.open[attempt.attempt_id] = None

    def become(self, other: Tables) -> None:
        """Hold what another one holds; it must not be used any more."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(other, name))

    def of(self, kind: type[Record]) -> dict[str, Any]:
        """The rows of one kind of record."""
        rows: dict[str, Any] = getattr(self, kind.table)
        return rows

    def _apply(self, write: Write) -> None:
        match write:
            case Put(AttemptRecord() as attempt):
                before = self.attempts.get(attempt.attempt_id)
                self._put_attempt(attempt)
                if before is None or before.phase is not attempt.phase:
                    self._step(attempt, attempt.settled_at or attempt.prepared_at)
            case Put(record):
                if not isinstance(record, RECORD_TYPES):
                    raise invalid("There is no table for this record.")
                self._set(self.of(type(record)), getattr(record, record.key), record)
            case Forget(address):
                self._set(self.instances, address, ABSENT)
            case Advance():
                self._advance(write)
            case Observe():
                key = self.runs.get(write.run_id)
                if key is not None:
                    self._set(self.attempts, key, rules.observe(self.attempts[key], write))
            case Pay(run_id, at):
                if run_id in self.owed:
                    self._set(self.owed, run_id, replace(self.owed[run_id], paid_at=at))
            case Move():
                self._move(write)
            case _:
                assert_never(write)

    def _advance(self, write: Advance) -> None:
        before = self.attempts.get(write.attempt_id)
        if before is None:
            raise invalid(f"There is no attempt {write.attempt_id}.")
        attempt = rules.advance(before, write)
        self._put_attempt(attempt)
        instance = self.instances.get(attempt.address)
        if write.run_id is not None and instance is not None:
            self._set(self.instances, attempt.address, replace(instance, attempt_id=write.attempt_id))
        self._step(attempt, write.at)

    def _move(self, write: Move) -> None:
        source, target = write.source, write.target
        rules.check_move(write, source in self.instances, target in self.instances)
        instance = replace(self.instances[source], address=target, recorded_at=write.at)
        self._set(self.instances, source, ABSENT)
        self._set(self.instances, target, instance)
        before = max((one.number for one in self.attempts.values() if one.address == target), default=0)
        for key, attempt in list(self.attempts.items()):
            if attempt.address == source:
                self._set(self.attempts, key, replace(attempt, address=target, number=before + attempt.number))
        for key, owed in list(self.owed.items()):
            if owed.address == source:
                self._set(self.owed, key, replace(owed, address=target))

    def _put_attempt(self, attempt: AttemptRecord) -> None:
        key = attempt.attempt_id
        before = self.attempts.get(key)
        rules.check_attempt(before, attempt)
        if before is not None and before.run_id is not None:
            self._set(self.runs, before.run_id, ABSENT)
        if attempt.run_id is not None:
            if attempt.run_id in self.runs:
                raise StateConflict(
                    f"Run {attempt.run_id} already belongs to attempt {self.runs[attempt.run_id]}.",
                    "A run belongs to one attempt for good: look at `reconciler show`.",
                )
            self._set(self.runs, attempt.run_id, key)
        is_open = attempt.phase in OPEN_PHASES or attempt.provisional
        self._set(self.open, key, None if is_open else ABSENT)
        self._set(self.attempts, key, attempt)

    def _step(self, attempt: AttemptRecord, at: str) -> None:
        seq = self.journal[-1].seq + 1 if self.journal else 1
        self.journal.append(JournalRecord(seq, attempt.attempt_id, attempt.phase, at, attempt.note))

    def _check_pointers(self, writes: Sequence[Write]) -> None:
        """An instance points at an attempt that exists once the commit is whole, in whatever order it was written."""
        for write in writes:
            address = write.target if isinstance(write, Move) else None
            if isinstance(write, Put) and isinstance(write.record, InstanceRecord):
                address = write.record.address
            if address is not None:
                instance = self.instances.get(address)
                if instance and instance.attempt_id is not None and instance.attempt_id not in self.attempts:
                    raise invalid(f"{instance.address} points at attempt {instance.attempt_id}, which does not exist.")

    def _set(self, table: dict[str, Any], key: str, value: Any) -> None:
        """Set or drop (ABSENT) an entry, and remember how to take that back."""
        self._changes.append((table, key, table.get(key, ABSENT)))
        if value is ABSENT:
            table.pop(key, None)
        else:
            table[key] = value
