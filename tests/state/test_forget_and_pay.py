"""Forget drops the pointer, Pay settles what is owed."""

from __future__ import annotations

from state.records import Phase
from state.store import Store
from state.writes import Forget, Pay, Put
from tests.state.samples import T0, T1, T2, attempt, instance, owed


def test_forgetting_keeps_the_attempts(store: Store) -> None:
    kept = attempt(phase=Phase.ACCEPTED, run_id="run-1")
    store.commit([Put(kept), Put(instance(attempt_id="a1")), Put(instance("run.y"))])
    store.commit([Forget("run.x"), Forget("run.never")])
    assert set(store.snapshot().instances) == {"run.y"}
    assert store.snapshot().current == {}
    assert store.attempts(["run.x"]) == [kept]
    store.commit([Put(instance(attempt_id="a1"))])
    assert store.snapshot().current == {"run.x": kept}


def test_order_within_a_commit_counts(store: Store) -> None:
    store.commit([Put(instance()), Forget("run.x"), Put(instance("run.y")), Forget("run.y"), Put(instance("run.y"))])
    assert set(store.snapshot().instances) == {"run.y"}


def test_what_is_owed_is_shown_oldest_first_until_paid(store: Store) -> None:
    store.commit([Put(owed("run-2", T2)), Put(owed("run-0", T0)), Put(owed("run-1", T1))])
    assert [one.run_id for one in store.snapshot().owed] == ["run-0", "run-1", "run-2"]
    store.commit([Pay("run-1", T2), Pay("run-9", T2)])
    assert [one.run_id for one in store.snapshot().owed] == ["run-0", "run-2"]
    store.commit([Put(owed("run-3")), Pay("run-3", T2)])
    assert [one.run_id for one in store.snapshot().owed] == ["run-0", "run-2"]
