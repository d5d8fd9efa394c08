"""Whether an action still applies: a table of what the plan saw and what is there now."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.applying.preconditions import Fresh, check_action
from reconciler.dataframer.client import Listing
from reconciler.model.changes import Action, Kind, StatusClass
from reconciler.model.run import Run, RunStatus
from state.records import AttemptRecord, InstanceRecord, Meta, Phase, Snapshot
from tests.planning.plans import AT, action

S = StatusClass
HERE = object()  # the service was not asked about it


def attempt(run_id: str | None, status: str | None = None, gone: bool = False) -> AttemptRecord:
    return AttemptRecord(
        "x", "run.a", 1, Phase.ACCEPTED, "d", 0, "{}", "[]", "s", AT,
        run_id=run_id, status=status, gone_at=AT if gone else None,
    )  # fmt: skip


def fresh(recorded: AttemptRecord | None, seen: object = HERE, blocked: AttemptRecord | None = None) -> Fresh:
    """``seen``: what the service says of the run now; None for gone."""
    instances = {"run.a": InstanceRecord("run.a", "x", "{}", AT)} if recorded else {}
    current = {"run.a": recorded} if recorded and recorded.run_id else {}
    snapshot = Snapshot(
        Meta(1, "l", 1, "emulator", AT), instances, current, {"run.a": blocked} if blocked else {}, (), {}
    )
    runs: dict[str, Run | None] = {}
    if recorded and recorded.run_id and seen is not HERE:
        runs[recorded.run_id] = Run(recorded.run_id, RunStatus(str(seen)), str(seen)) if seen else None
    return Fresh(snapshot, Listing((), None), runs)


def of(kind: Kind, run_id: str | None = None, standing: StatusClass = S.NONE, **more: Any) -> Action:
    return action(kind, "a", run_id, standing=standing, **more)


CREATE, UPDATE = of(Kind.CREATE), of(Kind.UPDATE)
REPLACE_WORKING, REPLACE_DONE = of(Kind.REPLACE, "r1", S.WORKING), of(Kind.REPLACE, "r1", S.SUCCEEDED)
RETRY, CANCEL = of(Kind.RETRY, "r1", S.FAILED), of(Kind.CANCEL, "r1", S.WORKING)
FORGET, DELETE = of(Kind.FORGET, "r1", S.SUCCEEDED), of(Kind.DELETE, "r1", S.WORKING)
REUSE, DEPOSED = of(Kind.REUSE, "r1", S.WORKING, reused_run="r0"), of(Kind.CANCEL, "r1", S.WORKING, deposed=True)
NEW, EMPTY = fresh(None), fresh(attempt(None))
WORKING, MOVED_ON = fresh(attempt("r1", "PENDING"), "PENDING"), fresh(attempt("r1", "PENDING"), "PROCESSING")
DONE, FAILED = fresh(attempt("r1", "SUCCEEDED"), "SUCCEEDED"), fresh(attempt("r1", "FAILED"), "FAILED")
DONE_SINCE, FAILED_SINCE = fresh(attempt("r1", "PENDING"), "SUCCEEDED"), fresh(attempt("r1", "PENDING"), "FAILED")
GONE, DONE_GONE = fresh(attempt("r1", "PENDING"), None), fresh(attempt("r1", "SUCCEEDED"), None)
BACK = fresh(attempt("r1", "PENDING", gone=True), "PROCESSING")
WENT_BACK = fresh(attempt("r1", "SUCCEEDED"), "PROCESSING")
ANOTHER, NOT_ASKED = fresh(attempt("r2", "PENDING"), "PENDING"), fresh(attempt("r1", "SUCCEEDED"))
BLOCKED = fresh(attempt("r1", "PENDING"), "PENDING", replace(attempt(None), phase=Phase.UNKNOWN))

SOUND = [
    ("create where nothing is", CREATE, NEW),
    ("create where nothing was bought", CREATE, EMPTY),
    ("replace of a run at work", REPLACE_WORKING, WORKING),
    ("progress alone outdates nothing", REPLACE_WORKING, MOVED_ON),
    ("a run that was gone is back", REPLACE_WORKING, BACK),
    ("replace of a finished run", REPLACE_DONE, DONE),
    ("a finished run that is gone stays finished", REPLACE_DONE, DONE_GONE),
    ("final is final", REPLACE_DONE, WENT_BACK),
    ("as recorded where nobody asked", REPLACE_DONE, NOT_ASKED),
    ("retry", RETRY, FAILED),
    ("cancel", CANCEL, WORKING),
    ("cancel of what rests by now", CANCEL, DONE_SINCE),
    ("cancel of what is gone by now", CANCEL, GONE),
    ("forget", FORGET, DONE),
    ("forget of a finished run that is gone", FORGET, DONE_GONE),
    ("delete", DELETE, WORKING),
    ("reuse", REUSE, WORKING),
    ("update whatever became of the run", UPDATE, FAILED_SINCE),
    ("an owed cancel needs nothing", DEPOSED, NEW),
    ("an owed cancel beside another run", DEPOSED, ANOTHER),
    ("an owed cancel beside an unknown", DEPOSED, BLOCKED),
]
OUTDATED = [
    ("create where a run is by now", CREATE, WORKING),
    ("create where a finished run is", CREATE, DONE),
    ("replace of a run that finished", REPLACE_WORKING, DONE_SINCE),
    ("replace of a run that failed", REPLACE_WORKING, FAILED_SINCE),
    ("replace of a run that is gone", REPLACE_WORKING, GONE),
    ("replace where another run is current", REPLACE_WORKING, ANOTHER),
    ("replace of what was forgotten", REPLACE_DONE, NEW),
    ("retry where another run is current", RETRY, ANOTHER),
    ("retry of what was forgotten", RETRY, NEW),
    ("cancel where another run is current", CANCEL, ANOTHER),
    ("cancel of what was forgotten", CANCEL, NEW),
    ("forget where another run is current", FORGET, ANOTHER),
    ("forget of what was forgotten", FORGET, NEW),
    ("delete of a run that finished since", DELETE, DONE_SINCE),
    ("reuse where the displaced run finished", REUSE, DONE_SINCE),
    ("update of what was forgotten", UPDATE, NEW),
]
KINDS = [CREATE, UPDATE, REPLACE_WORKING, RETRY, CANCEL, FORGET, DELETE, REUSE]


@pytest.mark.parametrize(("action", "fresh"), [case[1:] for case in SOUND], ids=[case[0] for case in SOUND])
def test_it_still_applies(action: Action, fresh: Fresh) -> None:
    assert check_action(action, fresh, "") is None


@pytest.mark.parametrize(("action", "fresh"), [case[1:] for case in OUTDATED], ids=[case[0] for case in OUTDATED])
def test_it_is_outdated(action: Action, fresh: Fresh) -> None:
    found = check_action(action, fresh, "")
    assert found is not None
    assert found[0] == "outdated"
    assert found[1]


@pytest.mark.parametrize("action", KINDS, ids=lambda action: action.kind.value)
def test_an_open_submission_blocks_every_kind(action: Action) -> None:
    found = check_action(action, BLOCKED, "")
    assert found is not None
    assert found[0] == "unknown"


def test_the_words_name_both_sides() -> None:
    found = check_action(REPLACE_WORKING, DONE_SINCE, "")
    assert found is not None
    assert "there was run r1 (at work); now there is run r1 (SUCCEEDED)" in found[1]


def test_reasons_play_no_part() -> None:
    assert check_action(replace(REPLACE_WORKING, reason="", source=None), WORKING, "") is None
