"""A run id belongs to at most one attempt, for good."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from state.errors import StateConflict
from state.records import Phase
from state.store import Store
from state.writes import Advance, Put, Write
from tests.state.samples import T1, T2, attempt

OWNED = attempt(phase=Phase.ACCEPTED, run_id="run-1")


@pytest.mark.parametrize(
    "write",
    [
        Advance("a1", Phase.ACCEPTED, T2, run_id="run-2"),
        Advance("a1", Phase.ACCEPTED, T2, run_id="run-2", provisional=True),
        Put(replace(OWNED, run_id="run-2")),
        Put(replace(OWNED, run_id=None, phase=Phase.ABANDONED)),
        Put(attempt("a2", number=2, phase=Phase.ACCEPTED, run_id="run-1")),
    ],
)
def test_it_is_neither_changed_nor_lost_nor_shared(store: Store, write: Write) -> None:
    store.commit([Put(OWNED)])
    with pytest.raises(StateConflict):
        store.commit([write])
    assert store.attempts() == [OWNED]


def test_an_advance_can_not_take_the_run_of_another_attempt(store: Store) -> None:
    store.commit([Put(OWNED), Put(attempt("a2", number=2))])
    with pytest.raises(StateConflict):
        store.commit([Advance("a2", Phase.ACCEPTED, T2, run_id="run-1")])
    assert store.attempts_of_runs(["run-1"]) == [OWNED]


def test_a_provisional_run_can_be_given_back(store: Store) -> None:
    store.commit([Put(replace(OWNED, provisional=True)), Put(attempt("a2", number=2))])
    reopened = replace(OWNED, provisional=False, run_id=None, phase=Phase.UNKNOWN)
    store.commit([Put(reopened), Advance("a2", Phase.ACCEPTED, T1, run_id="run-1")])
    assert [one.attempt_id for one in store.attempts_of_runs(["run-1"])] == ["a2"]
    assert store.attempts()[0] == reopened


def test_attempts_without_a_run_do_not_collide(store: Store) -> None:
    store.commit([Put(attempt()), Put(attempt("a2", number=2))])
    assert [one.run_id for one in store.attempts()] == [None, None]
