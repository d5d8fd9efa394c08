"""What every store of the state offers: SQLite, memory and, later, PostgreSQL. One contract suite runs against all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from state.history import Entry
from state.records import (
    ApplyRecord,
    ApprovalRecord,
    AttemptRecord,
    BaselineRecord,
    EventRecord,
    Holder,
    JournalRecord,
    Meta,
    PlanActionRecord,
    Row,
    Snapshot,
    SuspensionRecord,
)
from state.writes import Write


class Leadership(Protocol):
    """The lead over a state: a lock of its own, gone with whoever had it. It protects no data; the lock does that."""

    def held(self) -> bool:
        """Whether it is still ours. Asks the database; once it is False it stays so. Raises nothing."""

    def close(self) -> None:
        """Let another one have it."""


class Store(Protocol):
    """A durable, transactional store. Its methods may be called from several threads at once.

    Errors: everything that goes wrong is a :class:`state.errors.StateError`.
    """

    def meta(self) -> Meta:
        """Read lineage, serial and the service that the state is bound to."""

    def snapshot(self) -> Snapshot:
        """Read what planning needs in one consistent read. Its cost does not grow with the history."""

    def attempts(self, addresses: Iterable[str] | None = None) -> list[AttemptRecord]:
        """Every attempt of these addresses (of all, for None), by address and number, forgotten ones included."""

    def attempts_of_runs(self, run_ids: Iterable[str]) -> list[AttemptRecord]:
        """The attempts that own these run ids."""

    def recorded_elsewhere(self, run_ids: Iterable[str]) -> dict[str, str]:
        """Which of these runs another workspace of the same database records, by the workspace's name."""

    def newest_runs(self, limit: int) -> list[AttemptRecord]:
        """The attempts whose run is not known to be gone, of all addresses, forgotten ones included, newest first.

        A run's time is when the service made it, else when its attempt was settled, else prepared.
        """

    def bought_since(self, at: str) -> list[AttemptRecord]:
        """The attempts that may have bought a run and were prepared at this time or later, of all addresses, forgotten
        ones included; those of runs that were imported bought nothing.
        """

    def approvals(self) -> list[ApprovalRecord]:
        """Every approval, also those that count no more."""

    def suspensions(self) -> list[SuspensionRecord]:
        """Every suspension, also those that count no more."""

    def baseline(self, baseline_id: str) -> BaselineRecord | None:
        """One baseline."""

    def applies(self, apply_ids: Iterable[str]) -> dict[str, ApplyRecord]:
        """The commands with these ids, by id; one that is not recorded is left out."""

    def plan_actions(self, plan_id: str) -> list[PlanActionRecord]:
        """What was begun or done of a saved plan."""

    def done_actions(self, digests: Iterable[str]) -> set[str]:
        """Which of these digests of actions are those of one that is done, of whatever plan: marked so, or with an
        attempt that is ACCEPTED.
        """

    def events(self, address: str | None = None) -> list[EventRecord]:
        """Events in the order in which they were committed."""

    def addresses(self) -> list[str]:
        """Every address that the state knows, forgotten ones included, sorted."""

    def history(self, addresses: Iterable[str] | None = None, limit: int | None = None) -> list[Entry]:
        """Attempts (by when they were prepared) and events (by when they happened), oldest first.

        Of some addresses, or of all; those of an attempt that was moved go along with it. ``limit``: the newest only.
        """

    def journal(self, attempt_id: str | None = None) -> list[JournalRecord]:
        """Committed steps of submissions, in order."""

    def commit(self, writes: Sequence[Write]) -> int:
        """Apply all writes in one durable transaction, or none; returns the serial.

        The serial rises by one when any write is a decision (:func:`state.writes.is_decision`).
        When this returns, the writes survive a power cut.
        Raises StateLockLost for a decision if this handle held the lock once, and another has taken or broken it since.
        """

    def export(self) -> AbstractContextManager[tuple[Meta, Iterator[Row]]]:
        """Everything that the state holds, as of one moment, read as it is asked for: never all in memory.

        The rows come table by table in the order of :data:`state.records.ROW_TYPES`. Events, plan actions and owed
        cancels keep the order in which they were first written, steps of the journal that of ``seq``. They can be read
        as long as the context is open, whatever is committed meanwhile; other methods may be called in between.
        """

    def replace(self, meta: Meta, rows: Iterable[Row]) -> None:
        """Put another content in the place of ours, in one durable transaction or not at all. Call it under the lock.

        Of ``meta`` lineage, serial and time of creation are taken over; the epoch stays, and the version of the tables.
        ``rows`` come in the order of :meth:`export`, and are taken one by one; what their iterator raises leaves
        everything as it was. The next step of the journal follows the last one of ``rows``.
        Raises StateConflict if an attempt of ours is not among ``rows`` (none is ever deleted) or would lose a run that
        is not provisional, if two rows have one key or two attempts one run, and if an instance points at no attempt;
        StateInvalid for an accepted attempt without a run; StateBoundElsewhere for the runs of another service;
        StateLockLost as :meth:`commit` does.
        """

    def lock(self, command: str, timeout: float = 0.0) -> AbstractContextManager[Holder]:
        """Hold the state's one lock, or raise StateLocked (it names the holder) after ``timeout`` seconds.

        Taking it raises the state's epoch durably, by which earlier holders can record no decision any more.
        """

    def lead(self) -> Leadership | None:
        """Take the lead over this state, or None while another has it. It may outlive this handle."""

    def holder(self) -> Holder | None:
        """Who holds the lock now, if anybody."""

    def unlock(self, lock_id: str) -> Holder:
        """Break the lock with this id; returns who held it. The holder can record no decision from then on.

        Raises StateNotLocked, or StateLockDiffers (it names the present holder) for another id.
        """

    def close(self) -> None:
        """Let go of everything. A closed store can't be used again."""
