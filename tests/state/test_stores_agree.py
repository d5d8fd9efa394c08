"""Whatever is written, SQLite and memory hold the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.errors import StateError
from state.memory.store import MemoryStore
from state.records import ROW_TYPES, InstanceRecord, MarkRecord, Phase, Row
from state.sqlite.store import open_sqlite
from state.store import Store
from state.writes import Advance, Forget, Move, Observe, Pay, Put, Write
from tests.state.samples import T0, T1, T2, URL, attempt, event, instance, owed

TIMES = st.sampled_from([T0, T1, T2])
ATTEMPTS = st.sampled_from(["a1", "a2", "a3"])
ADDRESSES = st.sampled_from(["run.x", "run.y"])
RUNS = st.sampled_from(["r1", "r2", "r3"])
MAYBE_RUNS = st.none() | RUNS
STATUSES = st.sampled_from([None, "PROCESSING", "SUCCEEDED", "FAILED", "CANCELED"])
COUNTS = st.none() | st.integers(0, 3)

WRITES: st.SearchStrategy[Write] = st.one_of(
    st.builds(
        lambda key, address, number, phase, run, provisional: Put(
            attempt(key, address, number, phase=phase, run_id=run, provisional=provisional)
        ),
        ATTEMPTS,
        ADDRESSES,
        st.integers(1, 3),
        st.sampled_from(Phase),
        MAYBE_RUNS,
        st.booleans(),
    ),
    st.builds(lambda address, key: Put(instance(address, key)), ADDRESSES, st.none() | ATTEMPTS),
    st.builds(lambda run, at: Put(owed(run, at)), RUNS, TIMES),
    st.builds(lambda key, address: Put(event(key, address)), st.sampled_from(["e1", "e2"]), st.none() | ADDRESSES),
    st.builds(lambda name, value: Put(MarkRecord(name, value, T0)), st.sampled_from("mn"), st.sampled_from("12")),
    st.builds(Forget, ADDRESSES),
    st.builds(Advance, ATTEMPTS, st.sampled_from(Phase), TIMES, st.none(), MAYBE_RUNS, st.booleans()),
    st.builds(
        Observe,
        RUNS,
        TIMES,
        status=STATUSES,
        samples_completed=COUNTS,
        samples_failed=COUNTS,
        total_cost=st.none() | st.floats(0, 9),
        gone=st.none() | st.booleans(),
    ),
    st.builds(Pay, RUNS, TIMES),
    st.builds(Move, ADDRESSES, ADDRESSES | st.just("run.z"), TIMES),
)


def outcome(store: Store, writes: list[Write]) -> int | type[StateError]:
    try:
        return store.commit(writes)
    except StateError as error:
        return type(error)


def in_order(rows: Iterator[Row]) -> list[Row]:
    """The order of instances is nobody's promise."""
    kinds = ROW_TYPES.index
    return sorted(rows, key=lambda row: (kinds(type(row)), row.address if isinstance(row, InstanceRecord) else ""))


def agree_as_a_whole(sqlite: Store, memory: Store) -> None:
    """Both give the same rows in the same order, and a new state of either kind takes them."""
    with sqlite.export() as (_, ours), memory.export() as (_, theirs):
        rows = in_order(ours)
        assert rows == in_order(theirs)
    twin = MemoryStore(URL)
    twin.replace(sqlite.meta(), rows)
    assert twin.snapshot() == memory.snapshot()
    sqlite.replace(sqlite.meta(), rows)
    assert sqlite.snapshot() == memory.snapshot()
    assert sqlite.journal() == memory.journal() == twin.journal()


@pytest.mark.timeout(200)
@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(WRITES, max_size=5), max_size=12))
def test_after_any_commits(commits: list[list[Write]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sqlite = open_sqlite(Path(folder) / "state.db", base_url=URL, create=True)
        memory = MemoryStore(URL, sqlite.meta().lineage, sqlite.meta().created_at)
        try:
            for writes in commits:
                assert outcome(sqlite, writes) == outcome(memory, writes)
                assert sqlite.snapshot() == memory.snapshot()
            assert sqlite.attempts() == memory.attempts()
            assert sqlite.newest_runs(2) == memory.newest_runs(2)
            assert sqlite.journal() == memory.journal()
            assert sqlite.events() == memory.events()
            assert sqlite.events("run.x") == memory.events("run.x")
            agree_as_a_whole(sqlite, memory)
        finally:
            sqlite.close()
