"""What each commit of a submission holds: nothing that has to be together is apart, and SENDING stands alone."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from reconciler.applying.submission import Commit
from reconciler.dataframer.client import Listing
from reconciler.model.changes import Action, Kind, StatusClass
from reconciler.model.request import Lifecycle, SecretRef
from reconciler.model.run import RunStatus
from state.errors import StateConflict
from state.records import (
    AttemptRecord,
    BaselineRecord,
    EventRecord,
    InstanceRecord,
    OwedRecord,
    Phase,
    PlanActionRecord,
)
from state.writes import Advance, Move, Observe, Put, Write
from tests.applying.recording import WatchedStore, begun, creates, phases, recorder_over, run
from tests.planning.plans import SPEC, action, plan, request


def names(writes: Sequence[Write]) -> list[str]:
    return [type(write.record if isinstance(write, Put) else write).__name__ for write in writes]


def step(store: WatchedStore, made: Action, *commits: tuple[Phase, str | None]) -> list[tuple[Write, ...]]:
    """What was committed while a submission went through these phases; with a run id where it was accepted."""
    recorder, (prepared,) = begun(store, [made])
    before = len(store.commits)
    for phase, run_id in commits:
        recorder.phase(Commit(prepared.attempt.attempt_id, phase, run=run(run_id) if run_id else None))
    return store.commits[before:]


def test_prepared_is_committed_with_its_baseline_before_anything_else() -> None:
    store = WatchedStore()
    listing = Listing((run("new"), run("old")), "Thu, 01 Jan 2026 00:00:00 GMT")
    _, prepared = begun(store, creates(2), listing)
    baseline, *rest = store.commits[-1]
    assert isinstance(baseline, Put)
    assert isinstance(baseline.record, BaselineRecord)
    assert json.loads(baseline.record.run_ids_json) == ["new", "old"]
    assert json.loads(baseline.record.spec_ids_json) == [SPEC]
    assert (baseline.record.newest_run_id, baseline.record.service_date) == ("new", listing.date)
    assert names(rest) == ["InstanceRecord", "AttemptRecord", "PlanActionRecord"] * 2
    for item in prepared:
        assert store.baseline(item.attempt.baseline_id or "") == baseline.record
        assert store.snapshot().instances[item.action.address].attempt_id is None


def test_runs_of_other_specs_are_not_in_the_baseline_but_prove_that_a_list_is_whole() -> None:
    store = WatchedStore()
    other = run("other")
    begun(store, creates(1), Listing((type(other)("other", other.status, "PENDING", spec_id="x"), run("mine")), None))
    (baseline,) = [w.record for w in store.commits[-1] if isinstance(w, Put) and isinstance(w.record, BaselineRecord)]
    assert json.loads(baseline.run_ids_json) == ["mine"]
    assert baseline.newest_run_id == "other"


def test_sending_stands_alone() -> None:
    (writes,) = step(WatchedStore(), action(), (Phase.SENDING, None))
    assert names(writes) == ["Advance"]


def test_back_to_prepared_stands_alone() -> None:
    commits = step(WatchedStore(), action(), (Phase.SENDING, None), (Phase.PREPARED, None), (Phase.SENDING, None))
    assert [names(writes) for writes in commits] == [["Advance"]] * 3


def test_accepted_brings_everything_that_follows_in_one_commit() -> None:
    store = WatchedStore()
    made = action(lifecycle=Lifecycle(protect=True))
    _, writes = step(store, made, (Phase.SENDING, None), (Phase.ACCEPTED, "r1"))
    assert names(writes) == ["Advance", "InstanceRecord", "Observe", "PlanActionRecord", "EventRecord"]
    snapshot = store.snapshot()
    assert snapshot.current["run.a"].run_id == "r1"
    assert snapshot.current["run.a"].status == "PENDING"
    assert Lifecycle.from_json(snapshot.instances["run.a"].lifecycle_json).protect
    assert snapshot.owed == ()
    assert [item.done_at is not None for item in store.plan_actions("p")] == [True]


@pytest.mark.parametrize(
    ("standing", "owed"),
    [
        (StatusClass.WORKING, True),
        (StatusClass.SUCCEEDED, False),
        (StatusClass.FAILED, False),
        (StatusClass.GONE, False),
    ],
)
def test_a_displaced_run_that_works_is_owed_its_cancel_in_the_same_commit(standing: StatusClass, owed: bool) -> None:
    store = WatchedStore()
    made = action(Kind.REPLACE, run_id="old", standing=standing)
    _, writes = step(store, made, (Phase.SENDING, None), (Phase.ACCEPTED, "new"))
    assert ("OwedRecord" in names(writes)) is owed
    assert [item.run_id for item in store.snapshot().owed] == (["old"] if owed else [])
    (planned,) = store.plan_actions("p")
    assert (planned.done_at is None) is owed, "done only when the displaced run rests"


@pytest.mark.parametrize("phase", [Phase.REJECTED, Phase.UNKNOWN])
def test_what_bought_nothing_for_certain_changes_nothing_else(phase: Phase) -> None:
    store = WatchedStore()
    made = action(Kind.REPLACE, run_id="old")
    _, writes = step(store, made, (Phase.SENDING, None), (phase, None))
    assert names(writes) == ["Advance", "EventRecord"]
    assert store.snapshot().owed == ()
    assert store.snapshot().instances["run.a"].attempt_id is None
    assert ("run.a" in store.snapshot().open) is (phase is Phase.UNKNOWN)


def test_a_run_id_that_is_taken_leaves_nothing_of_the_commit() -> None:
    store = WatchedStore()
    recorder, (one, other) = begun(store, creates(2))
    for item in (one, other):
        recorder.phase(Commit(item.attempt.attempt_id, Phase.SENDING))
    recorder.phase(Commit(one.attempt.attempt_id, Phase.ACCEPTED, run=run("r")))
    with pytest.raises(StateConflict):
        recorder.phase(Commit(other.attempt.attempt_id, Phase.ACCEPTED, run=run("r")))
    assert store.snapshot().instances["run.r1"].attempt_id is None
    assert phases(store, [other.attempt.attempt_id]) == {other.attempt.attempt_id: ["PREPARED", "SENDING"]}


def test_a_leftover_is_taken_up_again_with_the_present_request() -> None:
    store = WatchedStore()
    _, (first,) = begun(store, [action(after=request(10))])
    _, (second,) = begun(store, [action(after=request(20))])
    assert second.attempt.attempt_id == first.attempt.attempt_id
    assert json.loads(second.attempt.sent_json)["number_of_samples"] == 20
    assert len(store.attempts()) == 1


def test_after_a_refusal_a_new_attempt_is_made() -> None:
    store = WatchedStore()
    step(store, action(), (Phase.SENDING, None), (Phase.REJECTED, None))
    _, (second,) = begun(store, [action()])
    assert second.attempt.number == 2
    assert [attempt.phase for attempt in store.attempts()] == [Phase.REJECTED, Phase.PREPARED]


def test_inferred_fields_are_sent_but_not_asked_for() -> None:
    made = action(after=request(10, spec_version=4), inferred=("spec_version",))
    _, (prepared,) = begun(WatchedStore(), [made])
    assert json.loads(prepared.attempt.sent_json)["spec_version"] == 4
    assert prepared.attempt.request_digest == request(10).digest


def test_no_secret_reaches_a_row() -> None:
    store = WatchedStore()
    begun(store, [action(secrets=(("databricks_client_id", SecretRef("env", "MY_ID")),))])
    assert "databricks" not in repr(store.attempts())


def test_reuse_points_back_and_owes_the_displaced_run_in_one_commit() -> None:
    store = WatchedStore()
    commits = step(store, action(), (Phase.SENDING, None), (Phase.ACCEPTED, "first"))
    assert commits
    made = action(Kind.REUSE, run_id="second", reused_run="first")
    recorder, _ = begun(store, [])
    (attempt,) = store.attempts_of_runs(["first"])
    before = len(store.commits)
    recorder.reuse(made, attempt)
    (writes,) = store.commits[before:]
    assert {"InstanceRecord", "OwedRecord", "EventRecord", "Pay"} <= set(names(writes))
    assert [item.run_id for item in store.snapshot().owed] == ["second"]


def test_forgetting_keeps_every_attempt() -> None:
    store = WatchedStore()
    step(store, action(), (Phase.SENDING, None), (Phase.ACCEPTED, "r1"))
    recorder, _ = begun(store, [])
    recorder.forget(action(Kind.FORGET, run_id="r1", standing=StatusClass.SUCCEEDED), "forgotten")
    assert store.snapshot().instances == {}
    assert [attempt.run_id for attempt in store.attempts(["run.a"])] == ["r1"]
    assert store.events("run.a")[-1].type == "forgotten"


def test_progress_is_no_decision() -> None:
    store = WatchedStore()
    step(store, action(), (Phase.SENDING, None), (Phase.ACCEPTED, "r1"))
    recorder, _ = begun(store, [])
    serial = store.meta().serial
    recorder.observe([Observe("r1", "2026-01-02T00:00:00Z", status="PROCESSING", samples_completed=1)])
    assert store.meta().serial == serial
    assert store.snapshot().current["run.a"].samples_completed == 1


def test_every_kind_of_row_is_written_by_these_tests() -> None:
    store = WatchedStore()
    step(store, action(Kind.REPLACE, run_id="old"), (Phase.SENDING, None), (Phase.ACCEPTED, "new"))
    written = {type(w.record) for writes in store.commits for w in writes if isinstance(w, Put)}
    assert {AttemptRecord, BaselineRecord, EventRecord, InstanceRecord, OwedRecord, PlanActionRecord} <= written
    assert [w.phase for writes in store.commits for w in writes if isinstance(w, Advance)] == ["SENDING", "ACCEPTED"]
    assert RunStatus.PENDING.value == store.snapshot().current["run.a"].status


def test_a_move_is_recorded_with_its_event_and_the_action_that_it_was() -> None:
    store = WatchedStore()
    recorder, (prepared,) = begun(store, [action()])
    address = prepared.action.address
    recorder.move(address, "run.new", "renamed (reconciler.toml:3)", prepared.action)
    move, event, done = store.commits[-1]
    assert isinstance(move, Move)
    assert (move.source, move.target) == (address, "run.new")
    assert isinstance(event, Put)
    assert isinstance(event.record, EventRecord)
    assert (event.record.type, event.record.address) == ("moved", "run.new")
    assert event.record.message == "renamed (reconciler.toml:3)"
    assert isinstance(done, Put)
    assert isinstance(done.record, PlanActionRecord)
    assert done.record.done_at is not None
    assert [attempt.address for attempt in store.attempts()] == ["run.new"]
    recorder.move("run.new", "run.newer", "by hand")
    assert names(store.commits[-1]) == ["Move", "EventRecord"]


def test_moves_are_made_together_or_not_at_all() -> None:
    store = WatchedStore()
    recorder, prepared = begun(store, creates(2))
    first, second = (item.action.address for item in prepared)
    with pytest.raises(StateConflict):
        recorder.moves([(first, "run.a"), (second, "run.a")], "by hand")
    assert set(store.snapshot().instances) == {first, second}
    recorder.moves([(second, "run.a"), (first, second)], "by hand")
    assert set(store.snapshot().instances) == {second, "run.a"}
    recorder.moves([], "nothing")
    assert [event.address for event in store.events()] == ["run.a", second]


def test_nothing_is_told_of_which_nobody_knows_who_did_it() -> None:
    store = WatchedStore()
    recorder = recorder_over(store)
    recorder.note("fresh", "on purpose")
    assert [names(writes) for writes in store.commits] == [["ApplyRecord"], ["EventRecord"]]
    made = action()
    recorder.begin(plan(made))
    (event,) = store.events()
    author = store.applies([str(event.apply_id)])[recorder.apply_id]
    assert (author.command, author.user, author.plan_digest) == ("apply", "me", plan(made).digest)
    assert author.started_at < event.at
