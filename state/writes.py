"""What a commit may hold: a closed union of writes. What each does to a row is said in ``rules``."""

from __future__ import annotations

from msgspec import Struct

from state.records import (
    ApplyRecord,
    ApprovalRecord,
    EventRecord,
    MarkRecord,
    Phase,
    Record,
    SpecRecord,
    SuspensionRecord,
)


class Put(Struct, frozen=True):
    """Insert the record, or replace the row with the same key. A new AttemptRecord is journalled with its phase."""

    record: Record


class Forget(Struct, frozen=True):
    """Drop the instance row of an address. Its attempts stay."""

    address: str


class Advance(Struct, frozen=True):
    """Move an attempt to another phase and journal it. ACCEPTED brings the run id, and makes the run current."""

    attempt_id: str
    phase: Phase
    at: str
    note: str | None = None
    run_id: str | None = None
    provisional: bool = False


class Observe(Struct, frozen=True):
    """What the service says of a run. Keyed by run id; a final status never goes back; None leaves a column alone."""

    run_id: str
    at: str
    status: str | None = None
    samples_completed: int | None = None
    samples_failed: int | None = None
    total_cost: float | None = None
    spec_version: int | None = None
    reported_json: str | None = None
    files_json: str | None = None
    run_created_at: str | None = None
    run_completed_at: str | None = None
    gone: bool | None = None  # True: sets gone_at to ``at``; False: clears it


class Pay(Struct, frozen=True):
    """An owed cancel is done: the run is final, or gone."""

    run_id: str
    at: str


class Move(Struct, frozen=True):
    """Everything of one address is another's from now on: its instance row, its attempts, its owed cancels.

    Attempts keep their ids, runs and journal; their numbers follow those that ``target`` has of before. Events stay.
    ``target`` must not be recorded (an instance row), ``source`` must be: else StateConflict.
    """

    source: str
    target: str
    at: str


Write = Put | Forget | Advance | Observe | Pay | Move

# Progress, caches, marks and what people consent to decide nothing about a run: they leave the serial alone.
UNDECIDED_RECORDS = (SpecRecord, ApplyRecord, EventRecord, MarkRecord, ApprovalRecord, SuspensionRecord)


def is_decision(write: Write) -> bool:
    """Whether a commit that holds this write raises the serial."""
    if isinstance(write, Put):
        return not isinstance(write.record, UNDECIDED_RECORDS)
    return not isinstance(write, Observe)
