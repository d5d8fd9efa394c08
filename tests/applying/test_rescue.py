"""A rescued run finds its attempt, also where that is another address's by now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.applying.rescue import Rescue, Rescued
from reconciler.applying.submission import Commit
from state.records import Phase
from tests.applying.recording import WatchedStore, begun, creates


@pytest.mark.parametrize("moved", [False, True])
def test_a_run_is_taken_in_by_its_attempt(tmp_path: Path, moved: bool) -> None:
    store = WatchedStore()
    recorder, (prepared,) = begun(store, creates(1))
    attempt = prepared.attempt
    recorder.phase(Commit(attempt.attempt_id, Phase.SENDING))
    rescue = Rescue([tmp_path])
    rescue.save(Rescued("lineage", attempt.attempt_id, attempt.address, "r1", "now"))
    if moved:
        recorder.move(attempt.address, "run.new", "renamed")
    address = "run.new" if moved else attempt.address
    told = rescue.take_in(store, lambda found, run: recorder.adopt(found, run, confirmed=True))
    assert told == [f"{address}: run r1 was rescued, and is recorded now"]
    assert store.snapshot().current[address].run_id == "r1"
    assert rescue.waiting("lineage") == []


def test_one_that_no_attempt_asked_for_stays(tmp_path: Path) -> None:
    store = WatchedStore()
    recorder, _ = begun(store, creates(1))
    rescue = Rescue([tmp_path])
    rescue.save(Rescued("lineage", "nobody", "run.r0", "r1", "now"))
    (told,) = rescue.take_in(store, lambda found, run: recorder.adopt(found, run, confirmed=True))
    assert "can't be taken in" in told
    assert json.loads((tmp_path / "rescue.jsonl").read_text())["run_id"] == "r1"
