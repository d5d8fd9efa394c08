"""Move gives everything of one address to another."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from state.errors import StateConflict, StateInvalid
from state.records import Phase
from state.store import Store
from state.writes import Advance, Forget, Move, Pay, Put
from tests.state.samples import T0, T1, T2, attempt, event, full_attempt, instance, owed

X, Y, Z = "run.x", 'run.y["de"]', "run.z"


def test_all_of_it_goes_along(store: Store) -> None:
    full = replace(full_attempt(), number=2)
    unknown = attempt("a3", X, 3, phase=Phase.UNKNOWN, settled_at=T1)
    store.commit([Put(attempt("a0", X)), Put(full), Put(unknown), Put(instance(X, "a1")), Put(event("e1", X))])
    store.commit([Put(owed("r8")), Put(owed("r9")), Pay("r9", T1), Put(attempt("b1", "run.xx"))])
    journal = store.journal()
    store.commit([Move(X, Y, T2)])
    moved = [replace(one, address=Y) for one in (attempt("a0", X), full, unknown)]
    seen = store.snapshot()
    assert store.attempts() == [attempt("b1", "run.xx"), *moved]
    assert store.attempts([X]) == []
    assert seen.instances == {Y: replace(instance(Y, "a1"), recorded_at=T2)}
    assert seen.current == {Y: moved[1]}
    assert seen.open == {Y: moved[2]}
    assert seen.owed == (replace(owed("r8"), address=Y),)
    assert store.attempts_of_runs(["run-1"]) == [moved[1]]
    assert store.journal() == journal
    assert [one.address for one in store.events()] == [X]
    with store.export() as (_, rows):
        assert [row.address for row in rows if isinstance(row, type(owed()))] == [Y, Y]


def test_numbers_follow_those_of_forgotten_attempts(store: Store) -> None:
    store.commit([Put(attempt("y1", Y, 1)), Put(attempt("y4", Y, 4)), Put(instance(Y, "y4")), Forget(Y)])
    store.commit([Put(attempt("x1", X, 1)), Put(attempt("x2", X, 2)), Put(instance(X, "x2")), Move(X, Y, T1)])
    assert [(one.attempt_id, one.number) for one in store.attempts([Y])] == [("y1", 1), ("y4", 4), ("x1", 5), ("x2", 6)]


def test_a_chain_in_one_commit(store: Store) -> None:
    store.commit([Put(attempt("x", X)), Put(instance(X, "x")), Put(attempt("y", Y)), Put(instance(Y, "y"))])
    before = store.meta().serial
    assert store.commit([Move(Y, Z, T1), Move(X, Y, T1)]) == before + 1
    assert {address: one.attempt_id for address, one in store.snapshot().current.items()} == {Z: "y", Y: "x"}
    assert [(one.attempt_id, one.address, one.number) for one in store.attempts()] == [("x", Y, 1), ("y", Z, 1)]


def test_what_the_same_commit_wrote_before_goes_along(store: Store) -> None:
    store.commit([Put(instance(X)), Put(attempt()), Put(owed("r8")), Move(X, Y, T1)])
    store.commit([Advance("a1", Phase.SENDING, T1), Move(Y, Z, T2), Advance("a1", Phase.ACCEPTED, T2, run_id="r1")])
    assert store.snapshot().current[Z].run_id == "r1"
    assert [one.address for one in store.snapshot().owed] == [Z]
    store.commit([Put(instance(Y)), Forget(Z), Move(Y, Z, T2)])
    assert store.snapshot().instances == {Z: replace(instance(Z), recorded_at=T2)}


@pytest.mark.parametrize(
    ("move", "said"),
    [
        (Move(X, Y, T1), "recorded already"),
        (Move(X, X, T1), "recorded already"),
        (Move("run.never", Y, T1), "recorded already"),
        (Move("run.never", Z, T1), "run.never is not recorded"),
        (Move("run.forgotten", Z, T1), "run.forgotten is not recorded"),
    ],
)
def test_refused_whole(store: Store, move: Move, said: str) -> None:
    store.commit([Put(attempt()), Put(instance(X, "a1")), Put(instance(Y)), Put(attempt("f", "run.forgotten"))])
    before = store.snapshot()
    with pytest.raises(StateConflict, match=said):
        store.commit([Put(instance("run.w")), Move("run.w", "run.v", T0), move])
    assert store.snapshot() == before
    assert [one.address for one in store.attempts()] == ["run.forgotten", X]


def test_an_instance_that_points_nowhere_is_found_after_a_move_too(store: Store) -> None:
    with pytest.raises(StateInvalid):
        store.commit([Put(instance(X, "nobody")), Move(X, Y, T1)])
    assert store.snapshot().instances == {}
