"""Advance moves an attempt from phase to phase."""

from __future__ import annotations

import pytest

from state.errors import StateInvalid
from state.records import Phase
from state.store import Store
from state.writes import Advance, Observe, Put
from tests.state.samples import T1, T2, attempt, instance


@pytest.mark.parametrize(
    ("phase", "settled"),
    [
        (Phase.PREPARED, False),
        (Phase.SENDING, False),
        (Phase.REJECTED, True),
        (Phase.UNKNOWN, True),
        (Phase.ABANDONED, True),
    ],
)
def test_phase_note_and_time(store: Store, phase: Phase, settled: bool) -> None:
    store.commit([Put(attempt(phase=Phase.UNKNOWN, settled_at=T1))])
    store.commit([Advance("a1", phase, T2, note="why")])
    (found,) = store.attempts()
    assert (found.phase, found.note, found.settled_at) == (phase, "why", T2 if settled else None)
    store.commit([Advance("a1", phase, T2)])
    assert store.attempts()[0].note is None


def test_acceptance_makes_the_run_current(store: Store) -> None:
    store.commit([Put(instance()), Put(attempt())])
    assert store.snapshot().current == {}
    store.commit([Advance("a1", Phase.ACCEPTED, T2, run_id="run-1", provisional=True)])
    (found,) = store.attempts()
    assert (found.run_id, found.provisional, found.settled_at) == ("run-1", True, T2)
    assert store.snapshot().instances["run.x"].attempt_id == "a1"
    assert store.snapshot().current == {"run.x": found}


def test_acceptance_of_a_forgotten_address_brings_no_instance(store: Store) -> None:
    store.commit([Put(attempt()), Put(instance("run.y"))])
    store.commit([Advance("a1", Phase.ACCEPTED, T2, run_id="run-1")])
    assert store.snapshot().instances == {"run.y": instance("run.y")}
    assert store.attempts_of_runs(["run-1"])[0].attempt_id == "a1"


def test_other_phases_leave_run_and_pointer_alone(store: Store) -> None:
    store.commit([Put(instance()), Put(attempt()), Put(attempt("a2", number=2))])
    store.commit([Advance("a1", Phase.ACCEPTED, T1, run_id="run-1")])
    store.commit([Advance("a2", Phase.REJECTED, T2), Advance("a1", Phase.ABANDONED, T2)])
    assert store.snapshot().instances["run.x"].attempt_id == "a1"
    assert store.attempts_of_runs(["run-1"])[0].phase is Phase.ABANDONED


def test_a_provisional_run_is_confirmed_and_stays_so(store: Store) -> None:
    store.commit([Put(attempt()), Advance("a1", Phase.ACCEPTED, T1, run_id="run-1", provisional=True)])
    store.commit([Observe("run-1", T1, status="PROCESSING")])
    store.commit([Advance("a1", Phase.ACCEPTED, T2, run_id="run-1")])
    store.commit([Advance("a1", Phase.ACCEPTED, T2, run_id="run-1", provisional=True)])
    (found,) = store.attempts()
    assert (found.provisional, found.status) == (False, "PROCESSING")


def test_another_run_in_place_of_a_provisional_one_inherits_nothing(store: Store) -> None:
    store.commit([Put(attempt()), Advance("a1", Phase.ACCEPTED, T1, run_id="run-1", provisional=True)])
    store.commit([Observe("run-1", T1, status="SUCCEEDED", samples_completed=9, total_cost=1.0, gone=True)])
    store.commit([Advance("a1", Phase.ACCEPTED, T2, run_id="run-2")])
    expected = attempt(phase=Phase.ACCEPTED, settled_at=T2, run_id="run-2")
    assert store.attempts() == [expected]
    assert store.attempts_of_runs(["run-1", "run-2"]) == [expected]


def test_an_unknown_attempt_is_an_error(store: Store) -> None:
    with pytest.raises(StateInvalid):
        store.commit([Advance("nobody", Phase.SENDING, T1)])
    with pytest.raises(StateInvalid):
        store.commit([Advance("nobody", Phase.ACCEPTED, T1, run_id="run-1")])
    assert store.journal() == []


def test_acceptance_without_a_run_is_an_error(store: Store) -> None:
    store.commit([Put(attempt())])
    with pytest.raises(StateInvalid):
        store.commit([Advance("a1", Phase.ACCEPTED, T1)])
    assert store.attempts() == [attempt()]
