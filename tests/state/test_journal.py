"""Each phase of a submission is a row of the journal."""

from __future__ import annotations

from msgspec.structs import replace

from state.records import JournalRecord, Phase
from state.store import Store
from state.writes import Advance, Put
from tests.state.samples import T0, T1, T2, attempt


def test_steps_are_kept_in_order(store: Store) -> None:
    store.commit([Put(attempt()), Put(attempt("a2", number=2))])
    store.commit([Advance("a1", Phase.SENDING, T1)])
    store.commit([Advance("a1", Phase.UNKNOWN, T2, note="timed out"), Advance("a2", Phase.SENDING, T2)])
    assert store.journal() == [
        JournalRecord(1, "a1", Phase.PREPARED, T0, None),
        JournalRecord(2, "a2", Phase.PREPARED, T0, None),
        JournalRecord(3, "a1", Phase.SENDING, T1, None),
        JournalRecord(4, "a1", Phase.UNKNOWN, T2, "timed out"),
        JournalRecord(5, "a2", Phase.SENDING, T2, None),
    ]
    assert [step.phase for step in store.journal("a2")] == [Phase.PREPARED, Phase.SENDING]


def test_a_put_that_keeps_the_phase_is_no_step(store: Store) -> None:
    store.commit([Put(attempt())])
    store.commit([Put(replace(attempt(), note="same phase"))])
    assert len(store.journal()) == 1
    assert store.attempts()[0].note == "same phase"


def test_a_put_that_changes_the_phase_is_a_step(store: Store) -> None:
    store.commit([Put(attempt())])
    store.commit([Put(replace(attempt(), phase=Phase.ABANDONED, settled_at=T2, note="given up"))])
    assert store.journal()[-1] == JournalRecord(2, "a1", Phase.ABANDONED, T2, "given up")


def test_an_advance_sees_a_put_of_the_same_commit(store: Store) -> None:
    store.commit([Put(attempt()), Advance("a1", Phase.SENDING, T1), Put(replace(attempt(), note="back"))])
    assert [step.phase for step in store.journal()] == [Phase.PREPARED, Phase.SENDING, Phase.PREPARED]
    assert store.attempts()[0].note == "back"
