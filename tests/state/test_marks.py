"""Marks: facts about the state as a whole."""

from __future__ import annotations

from state.records import MarkRecord
from state.store import Store
from state.writes import Put
from tests.state.samples import T0, T1, instance


def test_a_mark_comes_back_and_the_last_one_counts(store: Store) -> None:
    store.commit([Put(instance())])
    store.commit([Put(MarkRecord("untracked", "due", T0)), Put(MarkRecord("fresh", "me", T0))])
    store.commit([Put(MarkRecord("untracked", "passed", T1))])
    seen = store.snapshot()
    assert seen.marks == {
        "untracked": MarkRecord("untracked", "passed", T1),
        "fresh": MarkRecord("fresh", "me", T0),
    }
    assert seen.meta.serial == 1
