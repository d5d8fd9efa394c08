"""Attempts and events are kept, and found by address or run."""

from __future__ import annotations

from msgspec.structs import replace

from state.records import ApplyRecord, Phase
from state.store import Store
from state.writes import Forget, Move, Put
from tests.state.samples import T0, T1, T2, T3, attempt, event, instance


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


def test_every_address_ever(store: Store) -> None:
    assert store.addresses() == []
    store.commit([Put(attempt("a1", "run.b")), Put(instance("run.b", "a1")), Put(event("e", None))])
    store.commit([Put(instance("run.a")), Put(event("f", "run.c")), Forget("run.b")])
    assert store.addresses() == ["run.a", "run.b", "run.c"]


def test_the_history_is_one_sequence(store: Store) -> None:
    first, second = attempt("a1", "run.a", prepared_at=T1), attempt("a2", "run.a", 2, prepared_at=T3)
    early, late = replace(event("z", "run.b"), at=T0), replace(event("y", "run.a"), at=T2)
    same = replace(event("x", None), at=T3)
    store.commit([Put(first), Put(early), Put(late)])
    store.commit([Put(second), Put(same), Put(replace(same, event_id="w"))])
    whole = [early, first, late, second, same, replace(same, event_id="w")]
    assert store.history() == whole
    assert store.history(limit=3) == whole[-3:]
    assert store.history(["run.a", "run.a", "run.never"]) == [first, late, second]
    assert store.history(["run.a"], limit=2) == [late, second]
    assert store.history([]) == store.history(limit=0) == store.history(["run.a"], 0) == []


def test_events_of_a_moved_attempt_go_along_in_the_history(store: Store) -> None:
    bought = replace(event("bought", "run.a"), attempt_id="a1", at=T1)
    store.commit([Put(attempt("a1", "run.a")), Put(instance("run.a", "a1")), Put(bought)])
    renamed = replace(event("renamed", "run.b"), at=T2)
    store.commit([Move("run.a", "run.b", T2), Put(renamed)])
    assert store.history(["run.b"]) == [attempt("a1", "run.b"), bought, renamed]
    assert store.history(["run.a"]) == [bought]


def test_commands_by_their_ids(store: Store) -> None:
    first = ApplyRecord("apply-1", "apply", T0, "ann", "here", "plan-1", "sha256:1", "c0ffee", True)
    second = ApplyRecord("apply-2", "import", T1, "ben", "there", git_dirty=False)
    store.commit([Put(first), Put(second)])
    assert store.applies(["apply-2", "apply-1", "apply-2", "apply-9"]) == {"apply-1": first, "apply-2": second}
    assert store.applies(iter(["apply-1"])) == {"apply-1": first}
    assert store.applies([]) == {}
