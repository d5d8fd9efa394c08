"""The newest runs of all addresses."""

from __future__ import annotations

from state.records import AttemptRecord, Phase
from state.store import Store
from state.writes import Forget, Observe, Put
from tests.state.samples import T0, T1, T2, T3, attempt, instance


def bought(name: str, **changes: str | None) -> AttemptRecord:
    values = {"address": f"run.{name}", "phase": Phase.ACCEPTED, "run_id": f"r-{name}"}
    return attempt(name, **values | changes)


def test_newest_first_by_the_best_time_that_is_known(store: Store) -> None:
    store.commit(
        [
            Put(bought("prepared", prepared_at=T2)),
            Put(bought("made", prepared_at=T0, settled_at=T0, run_created_at=T3)),
            Put(bought("settled", prepared_at=T3, settled_at=T1)),
            Put(bought("old", prepared_at=T0)),
            Put(attempt("unsent", "run.unsent", prepared_at=T3)),
            Put(bought("gone", prepared_at=T3)),
            Observe("r-gone", T3, gone=True),
        ]
    )
    assert [one.attempt_id for one in store.newest_runs(9)] == ["made", "prepared", "settled", "old"]
    assert [one.attempt_id for one in store.newest_runs(2)] == ["made", "prepared"]
    assert store.newest_runs(0) == []


def test_forgotten_ones_and_those_that_came_back_count(store: Store) -> None:
    store.commit([Put(instance("run.a", "a")), Put(bought("a"))])
    store.commit([Forget("run.a"), Observe("r-a", T1, gone=True)])
    assert store.newest_runs(9) == []
    store.commit([Observe("r-a", T2, gone=False)])
    assert [one.run_id for one in store.newest_runs(9)] == ["r-a"]
