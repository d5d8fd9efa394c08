"""A store that remembers every commit, a recorder over it, and attempts that are ready to be submitted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from reconciler.applying.author import Author
from reconciler.applying.record import Prepared, Recorder
from reconciler.dataframer.client import Listing
from reconciler.model.changes import Action
from reconciler.model.run import Run, RunStatus
from state.memory.store import MemoryStore
from state.writes import Write
from tests.planning.plans import SPEC, action, plan

AUTHOR = Author("apply", "me", "here")
NOTHING = Listing((), None)


class WatchedStore(MemoryStore):
    """``refuse`` may raise for a commit, before anything of it is written."""

    def __init__(self, refuse: Callable[[Sequence[Write]], None] = lambda writes: None) -> None:
        super().__init__("emulator", "lineage", "2026-01-01T00:00:00.000Z")
        self.commits: list[tuple[Write, ...]] = []
        self._refuse = refuse

    def commit(self, writes: Sequence[Write]) -> int:
        self._refuse(writes)
        serial = super().commit(writes)
        self.commits.append(tuple(writes))
        return serial


def recorder_over(store: MemoryStore) -> Recorder:
    moments = itertools.count()
    return Recorder(store, AUTHOR, lambda: f"2026-01-01T00:00:{next(moments):06.3f}Z")


def begun(store: MemoryStore, actions: Sequence[Action], listing: Listing = NOTHING) -> tuple[Recorder, list[Prepared]]:
    """A recorder that began a plan of these actions, and their attempts as PREPARED."""
    recorder = recorder_over(store)
    recorder.begin(plan(*actions))
    known = store.snapshot().instances
    prepared = recorder.prepare(actions, listing, store.attempts(item.address for item in actions), known)
    return recorder, prepared


def creates(count: int) -> list[Action]:
    return [action(name=f"r{number}") for number in range(count)]


def run(run_id: str, status: RunStatus = RunStatus.PENDING) -> Run:
    return Run(run_id, status, status.value, spec_id=SPEC, spec_version=3)


def phases(store: MemoryStore, attempt_ids: Iterable[str]) -> dict[str, list[str]]:
    return {key: [step.phase.value for step in store.journal(key)] for key in attempt_ids}
