"""Whoever lost the lock can record no decision any more."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from state.errors import StateLockDiffers, StateLocked, StateLockLost, StateNotLocked
from state.group import GroupCommit
from state.records import Phase
from state.sqlite.store import SqliteStore, open_sqlite
from state.store import Store
from state.writes import Advance, Observe, Put
from tests.state.samples import T1, URL, attempt, event, instance, script


def test_the_first_of_two_can_decide_nothing_once_its_lock_was_broken(store: Store, another: Store) -> None:
    store.commit([Put(attempt("a0", phase=Phase.ACCEPTED, run_id="run-1"))])
    with store.lock("apply") as first:
        store.commit([Put(attempt("a1", number=2))])
        with pytest.raises(StateLocked), another.lock("mine"):
            pass
        assert another.unlock(first.lock_id) == first
        assert another.holder() is None
        before = another.snapshot()
        with pytest.raises(StateLockLost, match=re.escape(f"process {os.getpid()}, 'unlock'")) as caught:
            store.commit([Put(event()), Advance("a1", Phase.SENDING, T1)])
        assert "reconciler apply" in caught.value.advice
        assert another.snapshot() == before
        assert store.events() == []
        assert store.commit([Observe("run-1", T1, status="SUCCEEDED"), Put(event())]) == before.meta.serial
        with another.lock("second") as second:
            assert store.holder() == another.holder() == second
            with pytest.raises(StateLockLost, match="'second'"):
                store.commit([Put(instance())])
            assert another.commit([Put(instance())]) == before.meta.serial + 1
        with pytest.raises(StateLockLost):
            store.commit([Put(instance("run.y"))])
    assert store.snapshot().instances == {"run.x": instance()}


def test_who_takes_the_lock_anew_can_decide_again(store: Store, another: Store) -> None:
    with store.lock("apply") as first:
        another.unlock(first.lock_id)
        with pytest.raises(StateLockLost):
            store.commit([Put(instance())])
    with store.lock("apply"):
        store.commit([Put(instance())])
    store.commit([Put(instance("run.y"))])  # nobody has taken it since
    with another.lock("other"):
        pass
    with pytest.raises(StateLockLost):
        store.commit([Put(instance("run.z"))])


def test_a_handle_that_never_took_the_lock_is_not_checked(store: Store, another: Store) -> None:
    for _ in range(2):
        with store.lock("apply") as holder:
            another.unlock(holder.lock_id)
    another.commit([Put(instance())])
    assert set(store.snapshot().instances) == {"run.x"}


def test_breaking_what_is_not_held(store: Store, another: Store) -> None:
    with pytest.raises(StateNotLocked):
        another.unlock("0123456789ab")
    with store.lock("apply") as holder:
        with pytest.raises(StateLockDiffers) as caught:
            another.unlock("0123456789ab")
        assert caught.value.holder == holder
        assert f"reconciler unlock {holder.lock_id}" in str(caught.value)
        store.commit([Put(instance())])
    with pytest.raises(StateNotLocked):
        another.unlock(holder.lock_id)


def test_a_broken_lock_excludes_nobody_when_its_holder_ends(store: Store, another: Store) -> None:
    """The end of the first holder must free its own lock, not that of the second."""
    with store.lock("first") as first:
        another.unlock(first.lock_id)
        taken = another.lock("second")
        second = taken.__enter__()
    assert store.holder() == second
    with pytest.raises(StateLocked), store.lock("third"):
        pass
    taken.__exit__(None, None, None)
    assert store.holder() is None


def test_who_waits_gets_the_lock_that_was_broken(store: Store, another: Store) -> None:
    with store.lock("apply") as first:
        got = threading.Event()

        def wait() -> None:
            with another.lock("waiting", timeout=20):
                got.set()

        thread = threading.Thread(target=wait)
        if isinstance(store, SqliteStore):  # in memory a waiting thread stays at the lock that it saw
            thread.start()
        store.unlock(first.lock_id)
        if not thread.is_alive():
            thread.start()
        assert got.wait(20)
        thread.join()


def test_in_a_group_only_the_decisions_are_refused(store: Store, another: Store) -> None:
    store.commit([Put(attempt("a0", phase=Phase.ACCEPTED, run_id="run-1"))])
    with store.lock("apply") as holder:
        group = GroupCommit(store)
        another.unlock(holder.lock_id)
        with pytest.raises(StateLockLost):
            group.commit([Put(instance())])
        group.commit([Observe("run-1", T1, status="SUCCEEDED")])
    assert store.attempts()[0].status == "SUCCEEDED"


HOLD = """
from pathlib import Path
from state.errors import StateLockLost
from state.sqlite.store import open_sqlite
from state.writes import Put
from tests.state.samples import URL, event, instance
store = open_sqlite(Path(sys.argv[1]), base_url=URL)
with store.lock("apply") as holder:
    print(holder.lock_id, flush=True)
    sys.stdin.readline()
    try:
        store.commit([Put(instance("run.late"))])
    except StateLockLost as error:
        print(error, flush=True)
    store.commit([Put(event("late"))])
"""


def test_a_process_that_was_stopped_wakes_up_without_its_lock(path: Path) -> None:
    store = open_sqlite(path, base_url=URL, create=True)
    process = subprocess.Popen(script(HOLD, path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lock_id = process.stdout.readline().strip()
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(StateLocked), store.lock("mine"):
            pass
        assert store.unlock(lock_id).pid == process.pid
        with store.lock("mine") as mine:
            store.commit([Put(instance("run.mine"))])
            os.kill(process.pid, signal.SIGCONT)
            told, _ = process.communicate("go\n", timeout=30)
            assert store.holder() == mine
        assert process.returncode == 0
        assert f"process {os.getpid()}, 'mine'" in told
        assert set(store.snapshot().instances) == {"run.mine"}
        assert [one.event_id for one in store.events()] == ["late"]
    finally:
        process.kill()
        process.wait()
        store.close()


RACE = """
from pathlib import Path
from state.errors import StateError
from state.sqlite.store import open_sqlite
from state.writes import Put
from tests.state.samples import URL, instance
store, name = open_sqlite(Path(sys.argv[1]), base_url=URL), sys.argv[2]
done = 0
for turn in range(40):
    if name == "breaker":
        holder = store.holder()
        try:
            holder and store.unlock(holder.lock_id)
        except StateError:
            pass
        continue
    try:
        with store.lock(name, timeout=30):
            before = len(store.snapshot().instances)
            serial = store.commit([Put(instance(f"run.{name}{turn}"))])
            assert store.commit([Put(instance(f"run.{name}{turn}"))]) == serial + 1, "two holders decided at once"
    except StateError as error:
        assert type(error).__name__ == "StateLockLost", error
    done += 1
print(done)
"""


def test_locks_that_are_broken_at_random_never_let_two_decide(path: Path) -> None:
    open_sqlite(path, base_url=URL, create=True).close()
    names = ["breaker", "one", "two", "three"]
    processes = [subprocess.Popen(script(RACE, path, name), stdout=subprocess.PIPE, text=True) for name in names]
    told = [process.communicate(timeout=100)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert told == ["0", "40", "40", "40"]
