"""Attempts and events are kept, and found by address or run."""

from __future__ import annotations

from state.records import ApplyRecord, Phase
from state.store import Store
from state.writes import Put
from tests.state.samples import T0, T1, attempt, event


def test_attempts_come_by_address_and_number(store: Store) -> None:
    store.commit([Put(attempt("b2", "run.b", 2)), Put(attempt("a1", "run.a")), Put(attempt("b1", "run.b"))])
    assert [one.attempt_id for one in store.attempts()] == ["a1", "b1", "b2"]
    assert [one.attempt_id for one in store.attempts(["run.b"])] == ["b1", "b2"]
    assert [one.attempt_id for one in store.attempts(name for name in ("run.a", "run.none"))] == ["a1"]
    assert store.attempts([]) == []


def test_many_addresses_at_once(store: Store) -> None:
    store.commit([Put(attempt(f"a{n}", f'run.x["{n}"]')) for n in range(2000)])
    assert len(store.attempts(f'run.x["{n}"]' for n in range(1, 2000, 2))) == 1000


def test_attempts_of_runs(store: Store) -> None:
    store.commit([Put(attempt(f"a{n}", number=n, phase=Phase.ACCEPTED, run_id=f"run-{n}")) for n in (1, 2, 3)])
    assert [one.run_id for one in store.attempts_of_runs({"run-3", "run-1", "run-9"})] == ["run-1", "run-3"]
    assert store.attempts_of_runs([]) == []


def test_events_come_in_the_order_of_their_commits(store: Store) -> None:
    store.commit([Put(event("z")), Put(event("y", None))])
    store.commit([Put(event("a", "run.a")), Put(event("x"))])
    assert [one.event_id for one in store.events()] == ["z", "y", "a", "x"]
    assert store.events("run.x") == [event("z"), event("x")]


def test_commands_by_their_ids(store: Store) -> None:
    first = ApplyRecord("apply-1", "apply", T0, "ann", "here", "plan-1", "sha256:1", "c0ffee", True)
    second = ApplyRecord("apply-2", "import", T1, "ben", "there", git_dirty=False)
    store.commit([Put(first), Put(second)])
    assert store.applies(["apply-2", "apply-1", "apply-2", "apply-9"]) == {"apply-1": first, "apply-2": second}
    assert store.applies(iter(["apply-1"])) == {"apply-1": first}
    assert store.applies([]) == {}
