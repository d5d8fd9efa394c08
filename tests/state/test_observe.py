"""Observe moves what is known of a run forward only."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from state.records import Phase
from state.store import Store
from state.writes import Observe, Put
from tests.state.samples import T1, T2, attempt

ACCEPTED = attempt(phase=Phase.ACCEPTED, run_id="run-1")


def test_none_leaves_a_column_alone(store: Store) -> None:
    everything = Observe(
        "run-1",
        T1,
        status="PROCESSING",
        samples_completed=3,
        samples_failed=1,
        total_cost=0.5,
        spec_version=2,
        reported_json="{}",
        files_json="[]",
        run_created_at=T1,
        run_completed_at=T2,
    )
    store.commit([Put(ACCEPTED), everything])
    (seen,) = store.attempts()
    assert seen == replace(
        ACCEPTED,
        status="PROCESSING",
        samples_completed=3,
        samples_failed=1,
        total_cost=0.5,
        spec_version=2,
        reported_json="{}",
        files_json="[]",
        run_created_at=T1,
        run_completed_at=T2,
    )
    store.commit([Observe("run-1", T2)])
    assert store.attempts() == [seen]


@pytest.mark.parametrize("final", ["SUCCEEDED", "FAILED", "CANCELED"])
def test_final_is_final(store: Store, final: str) -> None:
    store.commit([Put(ACCEPTED), Observe("run-1", T1, status=final, samples_completed=8, samples_failed=2)])
    for status in ("PROCESSING", "SUCCEEDED", "FAILED", "CANCELED", "SOMETHING"):
        store.commit([Observe("run-1", T2, status=status, samples_completed=5, samples_failed=9)])
    (seen,) = store.attempts()
    assert (seen.status, seen.samples_completed, seen.samples_failed) == (final, 8, 9)
    store.commit([Observe("run-1", T2, samples_completed=10, total_cost=2.0)])
    (seen,) = store.attempts()
    assert (seen.samples_completed, seen.total_cost) == (10, 2.0)


def test_samples_may_fall_until_then(store: Store) -> None:
    store.commit([Put(ACCEPTED), Observe("run-1", T1, status="PROCESSING", samples_completed=8)])
    store.commit([Observe("run-1", T2, status="SUCCEEDED", samples_completed=5)])
    assert store.attempts()[0].samples_completed == 5


def test_counts_that_come_late_are_taken(store: Store) -> None:
    store.commit([Put(ACCEPTED), Observe("run-1", T1, status="SUCCEEDED")])
    store.commit([Observe("run-1", T2, samples_completed=5)])
    assert store.attempts()[0].samples_completed == 5


def test_gone_keeps_the_first_time_and_can_be_undone(store: Store) -> None:
    store.commit([Put(ACCEPTED), Observe("run-1", T1, gone=True)])
    store.commit([Observe("run-1", T2, gone=True), Observe("run-1", T2)])
    assert store.attempts()[0].gone_at == T1
    store.commit([Observe("run-1", T2, gone=False)])
    assert store.attempts()[0].gone_at is None


def test_a_run_that_nobody_owns_is_passed_over(store: Store) -> None:
    store.commit([Put(ACCEPTED)])
    store.commit([Observe("run-9", T1, status="FAILED")])
    assert store.attempts() == [ACCEPTED]


def test_a_report_from_before_the_end_changes_nothing_of_a_final_run(store: Store) -> None:
    store.commit([Put(ACCEPTED)])
    store.commit([Observe("run-1", T1, status="SUCCEEDED", total_cost=2.0, files_json="[1]", samples_completed=10)])
    store.commit([Observe("run-1", T1, status="PROCESSING", total_cost=0.5, files_json="[]", reported_json="{}")])
    (seen,) = store.attempts()
    assert (seen.status, seen.total_cost, seen.files_json, seen.reported_json) == ("SUCCEEDED", 2.0, "[1]", "{}")
    store.commit([Observe("run-1", T1, status="SUCCEEDED", total_cost=2.5)])
    assert store.attempts()[0].total_cost == 2.5
