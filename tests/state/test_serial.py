"""The serial rises with every commit that holds a decision, and with nothing else."""

from __future__ import annotations

import pytest

from state.errors import StateInvalid
from state.records import RECORD_TYPES, ApplyRecord, MarkRecord, Phase
from state.store import Store
from state.writes import UNDECIDED_RECORDS, Advance, Forget, Move, Observe, Pay, Put, Write, is_decision
from tests.state.samples import T0, T1, attempt, event, instance, owed, spec

DECISIONS: list[Write] = [
    Put(attempt()),
    Put(instance()),
    Put(owed()),
    Forget("run.x"),
    Pay("run-1", T1),
    Advance("a0", Phase.SENDING, T1),
    Move("run.w", "run.v", T1),
]
PROGRESS: list[Write] = [
    Put(event()),
    Put(spec()),
    Put(MarkRecord("untracked", "due", T0)),
    Put(ApplyRecord("p", "apply", T0, "me", "here")),
    Observe("run-1", T1, status="PROCESSING"),
]


@pytest.mark.parametrize("write", DECISIONS)
def test_a_decision_raises_it_by_one(store: Store, write: Write) -> None:
    before = store.commit([Put(attempt("a0")), Put(instance("run.w"))])
    assert is_decision(write)
    assert store.commit([*PROGRESS, write, Put(instance("run.z"))]) == before + 1
    assert store.meta().serial == store.snapshot().meta.serial == before + 1


@pytest.mark.parametrize("write", PROGRESS)
def test_progress_leaves_it_alone(store: Store, write: Write) -> None:
    before = store.commit([Put(attempt("a0"))])
    assert not is_decision(write)
    assert store.commit([write]) == before
    assert store.meta().serial == before


def test_nothing_to_write_leaves_it_alone(store: Store) -> None:
    assert store.commit([]) == 0


def test_a_commit_that_fails_leaves_everything_alone(store: Store) -> None:
    store.commit([Put(attempt()), Put(instance(attempt_id="a1")), Put(owed())])
    before, journal = store.snapshot(), store.journal()
    with pytest.raises(StateInvalid):
        store.commit(
            [
                Put(attempt("a2", number=2)),
                Advance("a1", Phase.ACCEPTED, T1, run_id="run-1"),
                Forget("run.x"),
                Pay("run-1", T1),
                Put(event()),
                Advance("nobody", Phase.SENDING, T1),
            ]
        )
    assert store.snapshot() == before
    assert store.journal() == journal
    assert store.attempts() == [attempt()]
    assert store.attempts_of_runs(["run-1"]) == []
    assert store.events() == []
    store.commit([Advance("a1", Phase.ACCEPTED, T1, run_id="run-1")])
    assert [step.seq for step in store.journal()] == [1, 2]


def test_each_kind_of_record_is_a_decision_or_not() -> None:
    assert set(UNDECIDED_RECORDS) < set(RECORD_TYPES)
