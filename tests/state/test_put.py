"""Put inserts a record, or replaces the one with the same key."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from state.errors import StateInvalid
from state.records import ApplyRecord, AttemptRecord, BaselineRecord, OwedRecord, Phase, PlanActionRecord
from state.store import Store
from state.writes import Move, Put
from tests.state import samples
from tests.state.samples import T0, T1, attempt, event, instance, owed, spec


@pytest.mark.parametrize("record", [attempt(), samples.full_attempt()])
def test_an_attempt_comes_back_as_it_was(store: Store, record: AttemptRecord) -> None:
    store.commit([Put(record)])
    (found,) = store.attempts()
    assert found == record
    assert type(found) is AttemptRecord
    assert isinstance(found.phase, Phase)
    assert isinstance(found.provisional, bool)
    assert hash(found) == hash(record)
    assert replace(found, number=2) == replace(record, number=2)


@pytest.mark.parametrize("name", ["number", "phase", "another"])
def test_an_attempt_read_back_is_frozen(store: Store, name: str) -> None:
    store.commit([Put(attempt())])
    (found,) = store.attempts()
    with pytest.raises(AttributeError):
        setattr(found, name, 2)
    assert found == attempt()


def test_the_records_of_the_snapshot_come_back(store: Store) -> None:
    store.commit(
        [Put(instance(attempt_id="a1")), Put(attempt()), Put(owed()), Put(spec(seeded=True)), Put(spec("spec-2"))]
    )
    seen = store.snapshot()
    assert seen.instances == {"run.x": instance(attempt_id="a1")}
    assert seen.current == {"run.x": attempt()}
    assert seen.owed == (owed(),)
    assert seen.specs == {"spec-1": spec(seeded=True), "spec-2": spec("spec-2")}


def test_a_second_put_replaces(store: Store) -> None:
    store.commit([Put(instance()), Put(spec()), Put(event("e1")), Put(event("e2"))])
    changed = replace(instance(), lifecycle_json='{"protect":true}')
    store.commit([Put(changed), Put(spec(seeded=False)), Put(replace(event("e1"), message="again"))])
    assert store.snapshot().instances == {"run.x": changed}
    assert store.snapshot().specs == {"spec-1": spec(seeded=False)}
    assert [(one.event_id, one.message) for one in store.events()] == [("e1", "again"), ("e2", "hello")]


def test_the_last_of_two_puts_in_one_commit_counts(store: Store) -> None:
    store.commit([Put(instance()), Put(replace(instance(), lifecycle_json="[]"))])
    assert store.snapshot().instances["run.x"].lifecycle_json == "[]"


def test_baselines_and_plan_actions(store: Store) -> None:
    baseline = BaselineRecord("b1", T0, None, '["spec-1"]', "[]", None)
    actions = [PlanActionRecord(f"p1:{n}", "p1", str(n), "run.x", done_at=T1 if n else None) for n in range(2)]
    other = PlanActionRecord("p2:0", "p2", "0", "run.x")
    apply = ApplyRecord("apply-1", "apply", T0, "me", "here", git_dirty=False, git_branch="main")
    store.commit([Put(baseline), *map(Put, actions), Put(other), Put(apply)])
    assert store.baseline("b1") == baseline
    assert store.baseline("b2") is None
    assert store.plan_actions("p1") == actions
    assert store.plan_actions("p3") == []
    assert store.done_actions(["0", "1", "2"]) == {"1"}
    assert store.done_actions([]) == set()


def test_an_action_is_done_with_its_attempt_wherever_that_was_moved(store: Store) -> None:
    store.commit([Put(attempt(phase=Phase.ACCEPTED, run_id="r1")), Put(instance(attempt_id="a1"))])
    begun = PlanActionRecord("p1:d", "p1", "d", "run.x", attempt_id="a1")
    store.commit([Put(begun), Put(PlanActionRecord("p1:e", "p1", "e", "run.x", attempt_id="nobody"))])
    assert store.done_actions(["d", "e"]) == {"d"}
    store.commit([Move("run.x", "run.y", T1)])
    assert store.done_actions(["d", "e"]) == {"d"}


@pytest.mark.parametrize(
    "record",
    [
        attempt(phase=Phase.ACCEPTED),  # accepted without a run
        instance(attempt_id="nobody"),  # points at an attempt that does not exist
    ],
)
def test_nonsense_is_refused(store: Store, record: AttemptRecord) -> None:
    with pytest.raises(StateInvalid):
        store.commit([Put(event()), Put(record)])
    assert store.events() == []
    assert store.attempts() == []
    assert store.snapshot().instances == {}


def test_an_instance_may_come_before_its_attempt_in_one_commit(store: Store) -> None:
    store.commit([Put(instance(attempt_id="a1")), Put(OwedRecord("r", "run.x", "gone", T0)), Put(attempt())])
    assert store.snapshot().current["run.x"] == attempt()
