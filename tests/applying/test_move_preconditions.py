"""Whether a move, and an import, still apply."""

from __future__ import annotations

import pytest

from reconciler.applying.preconditions import DONE, Fresh, check_action
from reconciler.dataframer.client import Listing
from reconciler.model.address import Address
from reconciler.model.changes import Action, Kind, Precondition
from state.records import AttemptRecord, InstanceRecord, Meta, Phase, Snapshot
from tests.planning.plans import AT, action

MOVE = Action(Kind.MOVE, Address("run.b"), "was run.a", Precondition("r1"), moved_from=Address("run.a"))
MOVE_WITHOUT_RUN = Action(Kind.MOVE, Address("run.b"), "was run.a", Precondition(), moved_from=Address("run.a"))
IMPORT = action(Kind.IMPORT, "a", reused_run="r9")


def fresh(unknown: str | None = None, **runs: str | None) -> Fresh:
    """Which run each recorded address has; ``unknown``: an address with a submission that is not certain."""
    attempts = {
        f"run.{name}": AttemptRecord(
            name, f"run.{name}", 1, Phase.ACCEPTED, "d", 0, "{}", "[]", "s", AT, run_id=run_id, status="PENDING"
        )
        for name, run_id in runs.items()
    }
    instances = {
        address: InstanceRecord(address, attempt.attempt_id, "{}", AT) for address, attempt in attempts.items()
    }
    current = {address: attempt for address, attempt in attempts.items() if attempt.run_id}
    opened = {f"run.{unknown}": attempts[f"run.{unknown}"]} if unknown else {}
    return Fresh(Snapshot(Meta(1, "l", 1, "emulator", AT), instances, current, opened, (), {}), Listing((), None), {})


@pytest.mark.parametrize(
    ("which", "now", "trouble"),
    [
        (MOVE, fresh(a="r1"), None),
        (MOVE, fresh(unknown="a", a="r1"), None),
        (MOVE_WITHOUT_RUN, fresh(a=None), None),
        (MOVE, fresh(b="r1"), DONE),
        (MOVE, fresh(), "outdated"),
        (MOVE, fresh(a="r2"), "outdated"),
        (MOVE, fresh(a=None), "outdated"),
        (MOVE_WITHOUT_RUN, fresh(a="r1"), "outdated"),
        (MOVE, fresh(a="r1", b="r3"), "outdated"),
        (IMPORT, fresh(), None),
        (IMPORT, fresh(a="r9"), DONE),
        (IMPORT, fresh(a="r8"), "outdated"),
        (IMPORT, fresh(unknown="a", a=None), "unknown"),
    ],
)
def test_it_applies_done_or_outdated(which: Action, now: Fresh, trouble: str | None) -> None:
    found = check_action(which, now, AT)
    assert (found[0] if found else None) == trouble
