"""One holder at a time, and everybody can see who it is."""

from __future__ import annotations

import threading
import time

import pytest

from state.errors import StateLocked
from state.store import Store
from state.writes import Put
from tests.state.samples import instance


def test_the_holder_is_known_while_it_holds(store: Store) -> None:
    assert store.holder() is None
    with store.lock("apply") as holder:
        assert holder.command == "apply"
        assert holder.pid > 0
        assert store.holder() == holder
        with pytest.raises(StateLocked) as caught, store.lock("refresh"):
            pass
        assert caught.value.holder == holder
        assert holder.lock_id in str(caught.value)
    assert store.holder() is None


def test_it_is_given_back_after_an_error(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.lock("apply") as first:
        _ = 1 / 0
    with store.lock("apply") as second:
        assert second.lock_id != first.lock_id


def test_waiting_for_it(store: Store) -> None:
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.lock("first"):
            taken.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(10)
    began = time.monotonic()
    with pytest.raises(StateLocked), store.lock("second", timeout=0.2):
        pass
    assert 0.2 <= time.monotonic() - began < 5
    threading.Timer(0.2, done.set).start()
    with store.lock("third", timeout=10) as holder:
        assert store.holder() == holder
    thread.join()


def test_the_state_can_be_read_and_written_without_it(store: Store) -> None:
    with store.lock("apply"):
        store.commit([Put(instance())])
        assert set(store.snapshot().instances) == {"run.x"}


def test_threads_exclude_each_other(store: Store) -> None:
    inside, most, turns = 0, 0, 0

    def work() -> None:
        nonlocal inside, most, turns
        for _ in range(5):
            with store.lock("work", timeout=30):
                inside += 1
                most = max(most, inside)
                turns += 1
                time.sleep(0.001)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, turns) == (1, 20)
