"""Two handles that commit at the same time: each commit knows of the one before it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from state.records import Phase
from state.store import Store
from state.writes import Observe, Put, Write
from tests.state.samples import T1, attempt

ROUNDS = 20


def commit_at_once(stores: Sequence[Store], writes: Sequence[Sequence[Write]]) -> None:
    """Each store commits its own, round by round."""
    start = threading.Barrier(len(stores))

    def work(store: Store, mine: Sequence[Write]) -> None:
        try:
            for write in mine:
                start.wait(30)
                store.commit([write])
        except BaseException:
            start.abort()  # nobody waits for one that has failed
            raise

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(work, stores, writes))


def test_every_decision_raises_the_serial(store: Store, another: Store) -> None:
    wanted = [[Put(attempt(f"a{who}-{n}", f"run.x{who}-{n}")) for n in range(ROUNDS)] for who in range(2)]
    commit_at_once([store, another], wanted)
    assert store.meta().serial == 2 * ROUNDS
    assert len(store.attempts()) == 2 * ROUNDS


def test_no_report_undoes_what_another_one_brought(store: Store, another: Store) -> None:
    runs = range(ROUNDS)
    store.commit([Put(attempt(f"a{n}", f"run.x{n}", phase=Phase.ACCEPTED, run_id=f"r{n}")) for n in runs])
    commit_at_once(
        [store, another],
        [[Observe(f"r{n}", T1, total_cost=1.0) for n in runs], [Observe(f"r{n}", T1, spec_version=3) for n in runs]],
    )
    assert [(found.total_cost, found.spec_version) for found in store.attempts()] == [(1.0, 3)] * ROUNDS
