"""A whole content comes out of a state as rows, and goes into one in a single step or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from state.errors import StateBoundElsewhere, StateConflict, StateInvalid, StateLockLost
from state.memory.store import MemoryStore
from state.records import (
    RECORD_TYPES,
    ROW_TYPES,
    ApplyRecord,
    ApprovalRecord,
    AttemptRecord,
    BaselineRecord,
    InstanceRecord,
    JournalRecord,
    MarkRecord,
    Meta,
    Phase,
    PlanActionRecord,
    Row,
    SuspensionRecord,
)
from state.sqlite.store import SqliteStore, open_sqlite
from state.store import Store
from state.writes import Advance, Forget, Observe, Pay, Put, Write
from tests.state import samples
from tests.state.samples import T0, T1, T2, T3, URL, attempt, event, instance, owed, spec

META = Meta(99, "the-other-lineage", 41, URL, T3)
ACCEPTED = attempt(phase=Phase.ACCEPTED, run_id="run-1")

EVERYTHING: list[Sequence[Write]] = [
    [Put(BaselineRecord(f"b{n}", T0, T1 if n else None, '["spec-1"]', "[]", None)) for n in (1, 0)],
    [Put(ApplyRecord("apply-1", "apply", T0, "me", "here", git_dirty=False, git_branch="main"))],
    [Put(samples.full_attempt()), Put(attempt("a0", "run.y")), Put(attempt("a9", "run.é", note="esc \x1b"))],
    [Put(instance("run.z")), Put(instance("run.y", "a0")), Put(instance("run.x", "a1")), Put(instance("run.gone"))],
    [Put(owed("run-9", T2)), Put(owed("run-8", T0)), Put(owed("run-7", T0)), Pay("run-7", T1)],
    [Put(spec("spec-2", seeded=True)), Put(spec("spec-1")), Put(MarkRecord("untracked", "passed", T1))],
    [Put(ApprovalRecord("sha256:1", T0, "ada", "desk", until=T3)), Put(SuspensionRecord("", T0, "ada", "desk", "why"))],
    [Put(event("e2")), Put(event("e1", None)), Put(event("e3"))],
    [Put(PlanActionRecord(f"p:{n}", "p", str(n), "run.x", "a1" if n else None)) for n in (2, 0, 1)],
    [Advance("a0", Phase.SENDING, T1), Advance("a9", Phase.SENDING, T1)],
    [Advance("a0", Phase.ACCEPTED, T2, run_id="run-2"), Advance("a9", Phase.UNKNOWN, T2, note="timed out")],
    [Observe("run-2", T3, status="SUCCEEDED", samples_completed=2**63 - 1, total_cost=0.1), Forget("run.gone")],
    [Put(replace(event("e2"), message="again"))],
]


def filled(store: Store) -> Store:
    for writes in EVERYTHING:
        store.commit(writes)
    return store


def content(store: Store) -> tuple[Meta, list[Row]]:
    with store.export() as (meta, rows):
        return meta, list(rows)


def contents(store: Store) -> dict[str, object]:
    """Everything by the ways in which the product reads it."""
    seen = store.snapshot()
    return {
        "snapshot": replace(seen, meta=replace(seen.meta, schema_version=0)),
        "attempts": store.attempts(),
        "newest": store.newest_runs(9),
        "baselines": [store.baseline(f"b{n}") for n in (0, 1)],
        "plan_actions": store.plan_actions("p"),
        "events": store.events(),
        "journal": store.journal(),
        "consent": (store.approvals(), store.suspensions()),
    }


@pytest.fixture
def source() -> Iterator[MemoryStore]:
    made = MemoryStore(URL, "the-other-lineage", T3)
    filled(made)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "memory"])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Another state, of whatever kind the first one is."""
    made: Store = (
        open_sqlite(tmp_path / "sink.db", base_url=URL, create=True) if request.param == "sqlite" else MemoryStore(URL)
    )
    yield made
    made.close()


def test_every_row_comes_out_table_by_table(store: Store) -> None:
    meta, rows = content(filled(store))
    assert meta == store.meta()
    kinds = [type(row) for row in rows]
    assert list(dict.fromkeys(kinds)) == list(ROW_TYPES)
    assert kinds == sorted(kinds, key=ROW_TYPES.index)
    assert sorted((row for row in rows if isinstance(row, AttemptRecord)), key=lambda one: one.attempt_id) == sorted(
        store.attempts(), key=lambda one: one.attempt_id
    )
    assert [row for row in rows if isinstance(row, JournalRecord)] == store.journal()
    assert {type(row.phase) for row in rows if isinstance(row, AttemptRecord | JournalRecord)} == {Phase}
    assert {row.provisional for row in rows if isinstance(row, AttemptRecord)} <= {True, False}


def test_the_order_puts_what_is_pointed_at_first() -> None:
    assert set(ROW_TYPES) == {*RECORD_TYPES, JournalRecord}
    assert ROW_TYPES.index(AttemptRecord) < ROW_TYPES.index(InstanceRecord)


def test_a_state_becomes_another_one(store: Store, sink: Store) -> None:
    filled(store)
    with store.export() as (meta, rows):
        sink.replace(meta, rows)
    assert contents(sink) == contents(store)
    assert sink.meta() == replace(store.meta(), schema_version=sink.meta().schema_version)


def test_there_and_back(store: Store, sink: Store) -> None:
    filled(store)
    before = contents(store)
    with store.export() as (meta, rows):
        sink.replace(meta, rows)
    serial = sink.commit([Put(instance("run.more"))])
    with sink.export() as (meta, rows):
        store.replace(meta, rows)
    assert contents(store) == contents(sink) != before
    assert store.meta().serial == serial


def test_a_state_may_become_itself(store: Store) -> None:
    before = contents(filled(store))
    with store.export() as (meta, rows):
        store.replace(meta, rows)
    assert contents(store) == before


def test_what_was_there_is_gone_and_work_goes_on(store: Store, source: Store) -> None:
    store.commit([Put(instance("run.old")), Put(spec("spec-old")), Put(event("e-old")), Put(owed("run-old"))])
    with source.export() as (meta, rows):
        store.replace(meta, rows)
    for one in (store, source):
        one.commit([Put(attempt("new", "run.x", 2)), Put(event("late")), Put(instance("run.x", "new"))])
    assert contents(store) == contents(source)


def test_the_version_of_the_tables_is_our_own(store: Store) -> None:
    version = store.meta().schema_version
    store.replace(META, [])
    assert store.meta() == replace(META, schema_version=version)


def test_others_see_it_and_the_earlier_export_does_not(store: Store, another: Store, source: Store) -> None:
    filled(store)
    old = content(store)
    with another.export() as (meta, rows):
        first = next(rows)
        with source.export() as (new_meta, new_rows):
            store.replace(new_meta, new_rows)
        assert (meta, [first, *rows]) == old
    assert contents(another) == contents(source)


def test_commits_go_on_while_somebody_reads(store: Store) -> None:
    filled(store)
    with store.export() as (meta, rows):
        before = [next(rows)]
        store.commit([Put(instance("run.meanwhile"))])
        assert "run.meanwhile" in store.snapshot().instances
        before += rows
    assert "run.meanwhile" not in {row.address for row in before if isinstance(row, InstanceRecord)}
    assert meta.serial == store.meta().serial - 1


def test_a_holder_of_before_changes_nothing(store: Store, another: Store) -> None:
    filled(store)
    before = contents(store)
    with store.lock("push"):
        pass
    with another.lock("apply"), pytest.raises(StateLockLost):
        store.replace(META, [])
    assert contents(store) == before


def test_the_epoch_stays(store: Store, another: Store) -> None:
    """Who had the lock before can decide nothing in the new content either."""
    for _ in range(3):
        with another.lock("apply"):
            pass
    with store.lock("push"):
        store.replace(META, [])
        store.commit([Put(instance("run.mine"))])
    with pytest.raises(StateLockLost):
        another.commit([Put(instance("run.late"))])


def test_runs_of_another_service_are_refused(store: Store) -> None:
    filled(store)
    before = contents(store)
    with pytest.raises(StateBoundElsewhere, match="elsewhere"):
        store.replace(replace(META, base_url="https://elsewhere.example"), [])
    assert contents(store) == before


@pytest.mark.parametrize("at", [0, 1, 3, 10])
def test_rows_that_break_off_leave_everything_as_it_was(store: Store, source: Store, at: int) -> None:
    class BrokenOffError(Exception):
        pass

    def broken(rows: Iterator[Row]) -> Iterator[Row]:
        for number, row in enumerate(rows):
            if number == at:
                raise BrokenOffError
            yield row

    store.commit([Put(attempt()), Put(instance(attempt_id="a1")), Put(event())])
    before = contents(store)
    for _ in range(2):
        with source.export() as (meta, rows), pytest.raises(BrokenOffError):
            store.replace(meta, broken(rows))
        assert contents(store) == before
    with source.export() as (meta, rows):
        store.replace(meta, rows)
    assert contents(store) == contents(source)


# Attempts are kept, and so are their runs.


@pytest.mark.parametrize(
    ("incoming", "words"),
    [
        ([], ["a1", "run.x", "run-1"]),
        ([attempt("other")], ["a1"]),
        ([attempt(phase=Phase.UNKNOWN)], ["a1", "lose", "run-1"]),
        ([replace(ACCEPTED, run_id="run-2")], ["a1", "lose", "run-1"]),
        ([replace(ACCEPTED, attempt_id="other")], ["run-1", "a1", "other"]),
        ([ACCEPTED, ACCEPTED], ["a1", "twice"]),
        ([ACCEPTED, replace(ACCEPTED, attempt_id="other")], ["run-1", "a1", "other"]),
        ([ACCEPTED, event(), event()], ["e1", "twice"]),
        ([ACCEPTED, instance(), instance()], ["run.x", "twice"]),
        ([ACCEPTED, *[JournalRecord(7, "a1", Phase.PREPARED, T0, None)] * 2], ["7", "twice"]),
        ([ACCEPTED, instance(attempt_id="nobody")], ["run.x", "nobody"]),
    ],
    ids=str,
)
def test_what_would_lose_or_confuse_runs_is_refused(store: Store, incoming: list[Row], words: list[str]) -> None:
    store.commit([Put(ACCEPTED), Put(instance(attempt_id="a1")), Put(event("e0"))])
    before = contents(store)
    with pytest.raises(StateConflict) as caught:
        store.replace(META, incoming)
    assert [word for word in words if word not in caught.value.message] == []
    assert contents(store) == before


def test_all_that_would_be_lost_is_counted(store: Store) -> None:
    store.commit([Put(attempt(f"a{n}", f"run.{n}")) for n in (3, 1, 2)])
    with pytest.raises(StateConflict, match=r"attempt a1 \(run\.1\) and 1 more"):
        store.replace(META, [attempt("a2", "run.2")])


def test_an_accepted_attempt_without_a_run_is_refused(store: Store) -> None:
    with pytest.raises(StateInvalid):
        store.replace(META, [attempt(phase=Phase.ACCEPTED)])
    assert store.attempts() == []


@pytest.mark.parametrize("turned", [False, True])
def test_provisional_runs_may_have_moved_between_attempts(store: Store, turned: bool) -> None:
    """Two swap their runs, one gives its own to a third, one loses it: whichever is written first."""

    def taken(key: str, run: str | None, provisional: bool = True) -> AttemptRecord:
        phase = Phase.ACCEPTED if run else Phase.UNKNOWN
        return attempt(key, f"run.{key}", phase=phase, run_id=run, provisional=provisional and run is not None)

    store.commit([Put(taken(key, f"run-{key}")) for key in "abcd"])
    after = [taken("a", "run-b"), taken("b", "run-a", False), taken("c", None), taken("d", None), taken("e", "run-c")]
    store.replace(META, reversed(after) if turned else after)
    assert store.attempts() == after
    assert {one.attempt_id for one in store.attempts_of_runs(["run-a", "run-b", "run-c", "run-d"])} == {"a", "b", "e"}
    assert {one.attempt_id for one in store.snapshot().open.values()} == {"a", "c", "d", "e"}


def test_a_provisional_run_may_have_become_final(store: Store) -> None:
    store.commit([Put(replace(ACCEPTED, provisional=True))])
    store.replace(META, [ACCEPTED])
    assert store.attempts() == [ACCEPTED]
    with pytest.raises(StateConflict):
        store.commit([Put(replace(ACCEPTED, run_id="run-2"))])


# The journal.


def test_the_journal_goes_on_after_the_last_step(store: Store) -> None:
    filled(store)
    kept = store.attempts()
    steps = [JournalRecord(seq, "a1", Phase.PREPARED, T0, None) for seq in (9, 3)]
    store.replace(META, [*kept, *steps])
    assert [step.seq for step in store.journal()] == [3, 9]
    store.commit([Put(attempt("new", "run.new"))])
    assert [step.seq for step in store.journal()] == [3, 9, 10]
    store.replace(META, [*kept, attempt("new", "run.new")])
    store.commit([Put(attempt("newer", "run.new", 2))])
    assert [step.seq for step in store.journal()] == [1]


def test_a_closed_store_gives_and_takes_nothing(store: Store) -> None:
    store.close()
    with pytest.raises(StateInvalid), store.export():
        pass
    with pytest.raises(StateInvalid):
        store.replace(META, [])


def test_a_sqlite_state_stays_sound(path: Path, source: Store) -> None:
    store = open_sqlite(path, base_url=URL, create=True)
    filled(store)
    with source.export() as (meta, rows):
        store.replace(meta, rows)
    with store._reading() as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("SELECT name FROM sqlite_temp_master").fetchall() == []
    store.close()


def test_reading_leaves_no_trace(path: Path) -> None:
    filled(open_sqlite(path, base_url=URL, create=True)).close()
    before = samples.traces(path.parent)
    reading: SqliteStore = open_sqlite(path, base_url=URL, read_only=True)
    _, rows = content(reading)
    reading.close()
    assert rows
    assert samples.traces(path.parent) == before
