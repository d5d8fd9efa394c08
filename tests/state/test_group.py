"""Group commit: many threads, few transactions, nothing lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from state.errors import StateConflict, StateInvalid
from state.group import GroupCommit
from state.memory.store import MemoryStore
from state.records import Phase
from state.sqlite.store import SqliteStore, open_sqlite
from state.store import Store
from state.writes import Advance, Put, Write
from tests.state.samples import T1, URL, attempt, event, instance


class SlowStore(MemoryStore):
    """A disk that takes a while to sync, and counts."""

    def __init__(self, seconds: float = 0.005) -> None:
        super().__init__(URL)
        self.seconds = seconds
        self.sizes: list[int] = []
        self.entered = threading.Event()

    def commit(self, writes: Sequence[Write]) -> int:
        self.entered.set()
        time.sleep(self.seconds)
        serial = super().commit(writes)
        self.sizes.append(len(writes))
        return serial


def in_threads(tasks: Sequence[Callable[[], object]]) -> list[BaseException | None]:
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.exception() for future in [pool.submit(task) for task in tasks]]


def test_threads_share_transactions() -> None:
    store = SlowStore()
    group = GroupCommit(store)

    def work(name: str) -> None:
        for step in range(10):
            key = f"{name}-{step}"
            group.commit([Put(attempt(key, f"run.{name}", step + 1))])
            assert key in {one.attempt_id for one in store.attempts([f"run.{name}"])}

    assert in_threads([partial(work, f"t{n}") for n in range(32)]) == [None] * 32
    assert len(store.attempts()) == sum(store.sizes) == 320
    assert len(store.sizes) < 64  # 32 threads of 10 steps need 10 transactions at best
    assert store.meta().serial == len(store.sizes)


def test_sqlite_is_durable_when_commit_returns(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "state.db", base_url=URL, create=True)
    other = open_sqlite(tmp_path / "state.db", base_url=URL, read_only=True)
    group = GroupCommit(store)

    def work(number: int) -> None:
        group.commit([Put(attempt(f"a{number}", f"run.{number}"))])
        assert len(other.attempts([f"run.{number}"])) == 1  # another connection sees it
        group.commit([Advance(f"a{number}", Phase.SENDING, T1)])
        assert other.attempts([f"run.{number}"])[0].phase is Phase.SENDING

    assert in_threads([partial(work, n) for n in range(40)]) == [None] * 40
    serial = store.meta().serial
    other.close()
    store.close()
    assert 2 <= serial <= 80


def test_a_lone_caller_waits_for_nobody(store: Store) -> None:
    group = GroupCommit(store)
    assert group.commit([Put(instance())]) == 1
    assert group.commit([Put(event())]) == 1
    assert group.commit([]) == 1


def test_a_bad_write_fails_its_caller_only() -> None:
    store = SlowStore(0.05)
    store.commit([Put(attempt("owner", phase=Phase.ACCEPTED, run_id="run-1"))])
    group = GroupCommit(store)
    tasks: list[Callable[[], object]] = []
    for number in range(20):
        if number % 5 == 0:
            bad = attempt(f"bad{number}", phase=Phase.ACCEPTED, run_id="run-1")
            tasks.append(partial(group.commit, [Put(event(bad.attempt_id)), Put(bad)]))
        else:
            good = attempt(f"good{number}", f"run.{number}")
            tasks.append(partial(group.commit, [Put(good)]))
    errors = in_threads(tasks)
    assert [type(error) for error in errors] == [
        StateConflict if number % 5 == 0 else type(None) for number in range(20)
    ]
    assert len(store.attempts()) == 17
    assert store.events() == []


def test_a_failed_commit_alone_raises(store: Store) -> None:
    group = GroupCommit(store)
    with pytest.raises(StateInvalid):
        group.commit([Advance("nobody", Phase.SENDING, T1)])
    assert group.commit([Put(instance())]) == 1


class InterruptedStore(SlowStore):
    """The thread of the first commit is interrupted once others wait."""

    def __init__(self) -> None:
        super().__init__(0)
        self.go_on = threading.Event()

    def commit(self, writes: Sequence[Write]) -> int:
        first = not self.entered.is_set()
        self.entered.set()
        if first:
            assert self.go_on.wait(10)
            raise KeyboardInterrupt
        return super().commit(writes)


def test_an_interrupted_leader_leaves_the_others_working() -> None:
    store = InterruptedStore()
    group = GroupCommit(store)
    caught: list[BaseException] = []

    def lead() -> None:
        try:
            group.commit([Put(attempt("leader"))])
        except KeyboardInterrupt as interrupt:
            caught.append(interrupt)

    leader = threading.Thread(target=lead)
    leader.start()
    assert store.entered.wait(10)
    followers = [threading.Thread(target=group.commit, args=([Put(attempt(f"f{n}", number=n + 1))],)) for n in range(3)]
    for follower in followers:
        follower.start()
    store.go_on.set()
    for thread in [leader, *followers]:
        thread.join(10)
        assert not thread.is_alive()
    assert len(caught) == 1
    assert [one.attempt_id for one in store.attempts()] == ["f0", "f1", "f2"]


def test_a_group_is_one_transaction_of_sqlite(opened: Callable[..., SqliteStore]) -> None:
    store = opened()
    statements: list[str] = []
    store._connection.set_trace_callback(statements.append)
    group = GroupCommit(store)
    in_threads([partial(group.commit, [Put(event(f"e{n}"))]) for n in range(30)])
    store._connection.set_trace_callback(None)
    assert len(store.events()) == 30
    assert 1 <= statements.count("COMMIT") == statements.count("BEGIN IMMEDIATE") <= 30
