"""The snapshot holds what planning needs, and nothing of the history."""

from __future__ import annotations

from state.records import Phase
from state.store import Store
from state.writes import Forget, Put
from tests.state.samples import URL, attempt, instance


def test_a_new_state_is_empty(store: Store) -> None:
    seen = store.snapshot()
    assert (seen.instances, seen.current, seen.open, seen.owed, seen.specs, seen.marks) == ({}, {}, {}, (), {}, {})
    assert seen.meta == store.meta()
    assert (seen.meta.serial, seen.meta.base_url) == (0, URL)
    assert seen.meta.schema_version >= 1
    assert len(seen.meta.lineage) == 36


def test_open_submissions(store: Store) -> None:
    for number, phase in enumerate(Phase):
        run_id = f"run-{number}" if phase is Phase.ACCEPTED else None
        store.commit([Put(attempt(phase, f"run.{phase}", phase=phase, run_id=run_id))])
    store.commit([Put(attempt("p", "run.p", phase=Phase.ACCEPTED, run_id="run-p", provisional=True))])
    assert set(store.snapshot().open) == {"run.SENDING", "run.UNKNOWN", "run.p"}


def test_the_newest_open_submission_of_an_address_counts_even_when_forgotten(store: Store) -> None:
    store.commit([Put(instance()), Forget("run.x")])
    store.commit([Put(attempt("a2", number=2, phase=Phase.SENDING)), Put(attempt("a1", phase=Phase.UNKNOWN))])
    assert store.snapshot().open["run.x"].attempt_id == "a2"
    assert store.snapshot().instances == {}


def test_only_the_current_attempt_is_read(store: Store) -> None:
    store.commit([Put(attempt(f"a{n}", number=n)) for n in range(1, 5)])
    store.commit([Put(instance(attempt_id="a3")), Put(instance("run.y"))])
    seen = store.snapshot()
    assert {address: one.number for address, one in seen.current.items()} == {"run.x": 3}
    assert set(seen.instances) == {"run.x", "run.y"}
    assert seen.open == {}


def test_a_snapshot_does_not_change_afterwards(store: Store) -> None:
    store.commit([Put(instance())])
    seen = store.snapshot()
    store.commit([Forget("run.x")])
    assert set(seen.instances) == {"run.x"}
